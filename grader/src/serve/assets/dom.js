/* Elements and French text. Everything that is shown goes through `textContent`: nothing is ever read as HTML. */

const NARROW = '\u202f';
const FIXED = '\u00a0';
const UNITS = new Set(['s', 'ms', 'min', 'h', '%', 'o', 'Kio', 'Mio', 'Gio', 'ko', 'Mo', 'Go']);
const LONGEST = 4000;

// As reporter::clean: what would be invisible, or would turn the text round, is shown.
const HIDDEN = /[\p{Cc}\u00ad\u034f\u061c\u115f\u1160\u3164\uffa0\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Text of a student or of a program, made visible; line ends stay. */
export function visible(text) {
  const whole = String(text ?? '');
  const kept = whole.length > LONGEST ? `${whole.slice(0, LONGEST)} … (coupé)` : whole;
  return kept.replace(HIDDEN, (c) => {
    const code = c.codePointAt(0);
    if (c === '\n') return c;
    if (c === '\t') return '    ';
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '␡' : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

/** As french::typeset: no-break spaces where French wants them. */
export function typeset(text) {
  const chars = Array.from(text);
  return chars.map((c, at) => {
    if (c !== ' ' || at === 0 || at === chars.length - 1) return c;
    const [last, next, after] = [chars[at - 1], chars[at + 1], chars[at + 2]];
    if (last === ' ' || next === ' ') return c;
    const alone = after === undefined || /[\s»),.]/.test(after);
    if (last === '«' || next === '»' || last === '±' || next === '±') return NARROW;
    if (next === ':' && alone) return FIXED;
    if (';!?'.includes(next) && alone) return NARROW;
    if (/[0-9]/.test(last)) {
      const word = /^[\p{L}%]*/u.exec(chars.slice(at + 1, at + 8).join(''))[0];
      if (UNITS.has(word)) return NARROW;
    }
    return c;
  }).join('');
}

/** Prose: visible, with French spaces. */
export const say = (text) => typeset(visible(text));

/** A number with a decimal comma, at most `places` decimals. */
export const number = (value, places = 2) =>
  new Intl.NumberFormat('fr-FR', { maximumFractionDigits: places }).format(value);

/** A number and its noun. */
export const count = (n, one, many) => `${number(n)}${FIXED}${n < 2 ? one : many}`;

/** Milliseconds, as one says them. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)}${NARROW}ms`;
  if (ms < 59950) return `${number(ms / 1000, 1)}${NARROW}s`;
  const seconds = Math.round(ms / 1000);
  const rest = seconds % 60 ? ` ${seconds % 60}${NARROW}s` : '';
  return `${Math.floor(seconds / 60)}${NARROW}min${rest}`;
}

/** `a, b et c`. */
export const list = (items) =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} et ${items.at(-1)}`;

/**
 * An element. `set` gives its attributes (`class`, `for`, …; `on` is a table of listeners; false and null are left
 * out); children are elements or texts.
 */
export function el(tag, set = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(set)) {
    if (name === 'on') for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((c) => c !== null && c !== undefined && c !== ''));
  return made;
}
