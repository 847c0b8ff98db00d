'use strict';
// Reading dates: the formats of the date filter (Joda's letters, ISO8601, UNIX, UNIX_MS).
const { MONTHS } = require('./event');

const SHORT = MONTHS.map((m) => m.slice(0, 3).toLowerCase());

/** Milliseconds that `zone` is ahead of UTC at `ms`; NaN for an unknown zone. */
function offset(zone, ms) {
  const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (fixed) return (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60000;
  if (zone === 'Z' || zone === 'UTC' || zone === 'GMT') return 0;
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }).formatToParts(ms);
    const of = Object.fromEntries(parts.map((p) => [p.type, Number(p.value)]));
    return Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute, of.second) - Math.floor(ms / 1000) * 1000;
  } catch {
    return NaN;
  }
}

const LETTERS = {
  y: ['year', (n) => (n === 2 ? '(\\d{2})' : '(\\d{4})')], Y: ['year', (n) => (n === 2 ? '(\\d{2})' : '(\\d{4})')],
  M: ['month', (n) => (n > 2 ? '([A-Za-z]+)' : '(\\d{1,2})')], d: ['day', () => '(\\d{1,2})'], H: ['hour', () => '(\\d{1,2})'], h: ['hour', () => '(\\d{1,2})'],
  m: ['minute', () => '(\\d{1,2})'], s: ['second', () => '(\\d{1,2})'], S: ['fraction', () => '(\\d{1,9})'], a: ['half', () => '([AaPp][Mm])'],
  Z: ['zone', () => '([+-]\\d{2}:?\\d{2}|Z)'], z: ['zone', () => '([A-Z]{1,4})'], E: ['', () => '[A-Za-z]+'], e: ['', () => '\\d'],
};

function compile(format) {
  const names = [];
  const source = format.replace(/'([^']*)'|([A-Za-z])\2*|[^A-Za-z']/g, (all, quoted, letter) => {
    if (quoted !== undefined) return quoted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    if (!letter) return all.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const rule = LETTERS[letter];
    if (!rule) throw new Error(`Illegal pattern component: ${all}`);
    if (rule[0]) names.push(rule[0]);
    return rule[1](all.length);
  });
  return { names, regexp: new RegExp(`^${source}$`) };
}

const zoned = (wall, zone) => {
  const first = offset(zone, wall);
  return wall - offset(zone, wall - first);
};

/** A function from a value to milliseconds, or null when it is not such a date. */
function reader(format, zone = 'UTC') {
  if (format === 'UNIX') return (v) => (/^-?\d+(\.\d+)?$/.test(String(v)) ? Math.round(Number(v) * 1000) : null);
  if (format === 'UNIX_MS') return (v) => (/^-?\d+$/.test(String(v)) ? Number(v) : null);
  if (format === 'ISO8601') {
    return (v) => {
      const m = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?$/.exec(String(v));
      if (!m) return null;
      const wall = Date.parse(`${m[1]}T${(m[2] ?? '00:00').length === 5 ? `${m[2] ?? '00:00'}:00` : m[2]}.${(m[3] ?? '0').padEnd(3, '0').slice(0, 3)}Z`);
      return Number.isNaN(wall) ? null : zoned(wall, m[4] ?? zone);
    };
  }
  const { names, regexp } = compile(format);
  return (v) => {
    const m = regexp.exec(String(v));
    if (!m) return null;
    const got = { year: new Date().getUTCFullYear(), month: 1, day: 1, hour: 0, minute: 0, second: 0, fraction: '0', zone };
    names.forEach((name, i) => { got[name] = m[i + 1]; });
    let month = Number(got.month);
    if (Number.isNaN(month)) month = SHORT.indexOf(got.month.slice(0, 3).toLowerCase()) + 1;
    let hour = Number(got.hour);
    if (got.half) hour = (hour % 12) + (/p/i.test(got.half) ? 12 : 0);
    const year = Number(got.year) < 100 ? 2000 + Number(got.year) : Number(got.year);
    if (month < 1 || month > 12 || Number(got.day) < 1 || Number(got.day) > 31 || hour > 23 || Number(got.minute) > 59 || Number(got.second) > 59) return null;
    const wall = Date.UTC(year, month - 1, Number(got.day), hour, Number(got.minute), Number(got.second), Number(got.fraction.padEnd(3, '0').slice(0, 3)));
    const ms = zoned(wall, got.zone);
    return Number.isNaN(ms) ? null : ms;
  };
}

module.exports = { reader, offset };
