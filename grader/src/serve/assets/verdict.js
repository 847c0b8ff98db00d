/* One check, one refusal, one fault: parts in the order of the terminal's report. */

import { count, duration, el, list, number, say, visible } from './dom.js';

const STATES = {
  waiting: ['·', 'en attente', 'tp-attente'],
  pass: ['✓', 'acquis', 'tp-acquis'],
  fail: ['✗', 'manqué', 'tp-manque'],
  blocked: ['–', 'non vérifié', 'tp-bloque'],
  inconclusive: ['?', 'non noté', 'tp-doute'],
};

/** Kind of a verdict: `pass`, `fail`, `blocked`, `inconclusive`. */
export const kind = (verdict) => (verdict ? Object.keys(verdict)[0] : 'waiting');

/** What a verdict says in a few words, for who listens. */
export function spoken(card, verdict) {
  const title = (kind(verdict) === 'fail' && verdict.fail.headline) || card.title;
  return say(`${STATES[kind(verdict)][1]} : ${title}`);
}

const row = (term, ...content) => [el('dt', {}, term), el('dd', {}, ...content)];
const prose = (term, text) => (text ? row(term, say(text)) : []);

/** The lines of a file, marked, with a label under each mark. */
export function place(where) {
  if (!where) return [];
  const marks = [where.mark, ...(where.also ?? [])].sort((a, b) => a.line - b.line);
  const code = el('code');
  for (const [at, mark] of marks.entries()) {
    const chars = Array.from(mark.text);
    const from = Math.max(0, mark.column - 1);
    const cut = (a, b) => visible(chars.slice(a, b).join(''));
    const before = marks[at - 1];
    if (before && mark.line > before.line + 1) code.append(el('span', { class: 'tp-saut' }, '⋯'));
    const label = mark.label ? el('span', { class: 'tp-etiquette' }, ' ↑ ', say(mark.label)) : '';
    code.append(el('span', { class: 'tp-ligne' }, el('span', { class: 'tp-numero' }, String(mark.line)),
      el('span', { class: 'tp-source' }, cut(0, from), el('mark', {}, cut(from, from + mark.width)), cut(from + mark.width), label)));
  }
  const name = `${visible(where.file)}, ligne ${where.mark.line}, colonne ${where.mark.column}`;
  return row('où', el('span', { class: 'tp-fichier' }, name), el('pre', { class: 'tp-extrait', tabindex: '0', role: 'group', 'aria-label': `Extrait de ${name}` }, code));
}

const seconds = (ms) => `${number(ms / 1000, 1)} s`;

/** Measured instants. */
function timeline(line) {
  const moment = (m) => {
    const half = ((m['until-ms'] ?? 0) - m['after-ms']) / 2;
    const at = m['until-ms'] === undefined ? 'jamais vu' : half < 50 ? seconds(m['until-ms']) : `${seconds(m['after-ms'] + half)} ± ${seconds(half)}`;
    return el('li', {}, el('span', { class: 'tp-instant' }, say(at)), ' ', say(m.text));
  };
  const asked = line.asked ? ` ; fenêtre demandée : ${seconds(line.asked['from-ms'])} à ${seconds(line.asked['to-ms'])}` : '';
  const how = line.factor > 1 ? `montrées en temps réel, mesurées en temps divisé par ${line.factor}` : 'mesurées en temps réel';
  return row('durées', say(how + asked), el('ol', { class: 'tp-instants' }, ...line.moments.map(moment)));
}

const timelines = (facts) => (facts ?? []).filter((f) => f.timeline).flatMap((f) => timeline(f.timeline));

function advice(fault) {
  return [...prose('à faire', fault.todo), ...(fault.detail ? row('détail', el('span', { class: 'tp-brut' }, visible(fault.detail))) : [])];
}

function missed(card, miss) {
  const earned = miss.earned > 0 ? `${count(miss.earned, 'point', 'points')}${miss['earned-for'] ? ` : ${miss['earned-for']}` : ''}` : '';
  return [
    ...prose('attendu', miss.expected), ...prose('observé', miss.observed), ...prose('témoin', miss.control),
    ...prose('constaté', (miss.noted ?? []).join('\n')), ...timelines(miss.facts), ...place(miss.place),
    ...prose('piste', miss.hint), ...(miss['try-it'] ? row('essayer', el('code', {}, visible(miss['try-it']))) : []),
    ...prose('acquis', earned),
  ];
}

function parts(card, verdict) {
  switch (kind(verdict)) {
    case 'fail': return missed(card, verdict.fail);
    case 'blocked': return prose('dépend de', list(verdict.blocked.by));
    case 'inconclusive': return [...prose('cause', verdict.inconclusive.fault.what), ...advice(verdict.inconclusive.fault)];
    default: return [];
  }
}

/** What proved a check that passed. */
function seen(facts) {
  const times = timelines(facts);
  return [el('ul', { class: 'tp-vu' }, ...facts.map((f) => el('li', {}, say(f.text)))), times.length ? el('dl', {}, ...times) : ''];
}

const points = (value, total) => `${number(value)}/${number(total)}`;

/** The line of a check, and all that its verdict says. `more` comes at its end. */
export function check(card, verdict, more = []) {
  const state = kind(verdict);
  const [sign, word, style] = STATES[state];
  const title = (state === 'fail' && verdict.fail.headline) || card.title;
  const earned = state === 'pass' ? points(card.points, card.points)
    : state === 'fail' ? points(verdict.fail.earned ?? 0, card.points)
      : state === 'inconclusive' ? `?/${number(card.points)}` : state === 'blocked' ? points(0, card.points) : `${count(card.points, 'point', 'points')}`;
  const said = parts(card, verdict);
  const facts = state === 'pass' ? verdict.pass.facts : [];
  const head = el(facts.length ? 'summary' : 'div', { class: 'tp-tete' },
    el('span', { class: 'tp-signe', 'aria-hidden': 'true' }, sign),
    el('span', { class: 'tp-titre' }, el('span', { class: 'tp-mot' }, word, el('span', { class: 'cache' }, ' : ')), ' ', say(title),
      card['is-static'] ? el('span', { class: 'tp-lu' }, ' (lecture du fichier)') : ''),
    el('span', { class: 'tp-points' }, earned));
  return el('li', { class: `tp-controle ${style}`, 'data-id': card.id, 'data-etat': state },
    facts.length ? el('details', {}, head, ...seen(facts)) : head,
    said.length ? el('dl', {}, ...said) : '', ...more);
}

const block = (style, sign, title, ...content) =>
  el('div', { class: `tp-controle ${style}` },
    el('div', { class: 'tp-tete' }, el('span', { class: 'tp-signe', 'aria-hidden': 'true' }, sign), el('span', { class: 'tp-titre' }, say(title))),
    el('dl', {}, ...content));

/** The policy's refusal. */
export const refusal = (r) =>
  block('tp-manque', '✗', `refusé · ${r.what}`, ...place(r.place), ...prose('pourquoi', r.why), ...prose('à la place', r.instead));

/** A file that cannot be used. */
export const problem = (p) =>
  block('tp-manque', '✗', `invalide · ${p.what}`, ...place(p.place), ...prose('à faire', p.todo), ...(p.detail ? row('détail', el('span', { class: 'tp-brut' }, visible(p.detail))) : []));

/** A fault that ends a run without a note. */
export const fault = (f) => block('tp-doute', '?', `non noté · ${f.what}`, ...advice(f));

/** What is left, in words. */
export function inventory(left) {
  const all = [['containers', 'conteneur', 'conteneurs'], ['networks', 'réseau', 'réseaux'], ['volumes', 'volume', 'volumes'],
    ['images', 'image', 'images'], ['dirs', 'dossier', 'dossiers']];
  const said = (items) => items.map(([key, one, many]) => count(left[key], one, many)).join(', ');
  const some = all.filter(([key]) => left[key] > 0);
  return some.length === 0 ? say(`il ne reste rien : ${said(all)}`) : say(`il reste ${said(some)} ; pour tout enlever : grader clean`);
}

/** The note, as the terminal tells it. */
export function note(score) {
  if (score['note-max'] > score.note) {
    return say(`Note entre ${number(score.note, 1)} et ${number(score['note-max'], 1)}/20, provisoire · ${count(score.ungraded, 'point', 'points')} sur ${number(score.total)} non ${score.ungraded < 2 ? 'noté' : 'notés'}`);
  }
  return say(`Note ${number(score.note, 1)}/20 · ${count(score.earned, 'point', 'points')} sur ${number(score.total)}`);
}

/** « temps ». */
export const took = (report) => (report['elapsed-ms'] === null || report['elapsed-ms'] === undefined ? '' : duration(report['elapsed-ms']));
