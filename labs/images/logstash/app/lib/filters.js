'use strict';
// Filters: each takes its settings and gives a function of one event.
const fs = require('node:fs');
const path = require('node:path');
const grok = require('./grok');
const { reader } = require('./dates');
const { isHash } = require('./event');
const { toRegExp } = require('./conditions');

const list = (value) => (value === undefined ? [] : [value].flat());
const pairs = (value) => Object.entries(value ?? {});
const each = (value, fn) => (Array.isArray(value) ? value.map(fn) : fn(value));

/** @timestamp of a document read as JSON: a date, else now and a tag. */
function settleTimestamp(event) {
  const raw = event.data['@timestamp'];
  if (raw instanceof Date) return;
  const ms = typeof raw === 'string' ? reader('ISO8601')(raw) : null;
  if (ms !== null) event.data['@timestamp'] = new Date(ms);
  else {
    event.tag('_timestampparsefailure');
    event.data['_@timestamp'] = raw;
    event.data['@timestamp'] = new Date();
  }
}

const TRUE = new Set(['true', 't', 'yes', 'y', '1']);
const FALSE = new Set(['false', 'f', 'no', 'n', '0', '']);
const CONVERT = {
  integer: (v) => (typeof v === 'boolean' ? Number(v) : Number.parseInt(String(v).replace(/,/g, ''), 10) || 0),
  float: (v) => (typeof v === 'boolean' ? Number(v) : Number.parseFloat(String(v).replace(/,/g, '')) || 0),
  string: (v) => (isHash(v) ? JSON.stringify(v) : String(v)),
  boolean: (v) => (TRUE.has(String(v).toLowerCase()) ? true : FALSE.has(String(v).toLowerCase()) ? false : v),
};
CONVERT.integer_eu = (v) => Number.parseInt(String(v).replace(/\./g, ''), 10) || 0;
CONVERT.float_eu = (v) => Number.parseFloat(String(v).replace(/\./g, '').replace(',', '.')) || 0;

function mutate(o, bad) {
  for (const [field, type] of pairs(o.convert)) if (!CONVERT[type]) throw bad(`Invalid conversion type '${type}', expected one of '${Object.keys(CONVERT).join(',')}' (field ${field})`);
  const gsub = list(o.gsub);
  if (gsub.length % 3) throw bad(`Invalid gsub configuration ${JSON.stringify(gsub)}. gsub requires 3 non-empty elements per config entry`);
  const subs = [];
  for (let i = 0; i < gsub.length; i += 3) subs.push([gsub[i], toRegExp(gsub[i + 1], 'g'), String(gsub[i + 2]).replace(/\$/g, '$$$$').replace(/\\(\d)/g, '$$$1')]);
  const strings = (fields, fn) => (event) => {
    for (const field of list(fields)) {
      const value = event.get(field);
      if (value !== undefined) event.set(field, each(value, (v) => (typeof v === 'string' ? fn(v) : v)));
    }
  };
  const steps = [
    (e) => { for (const [f, v] of pairs(o.coerce)) if (e.get(f) === null) e.set(f, e.text(v)); },
    (e) => { for (const [from, to] of pairs(o.rename)) { const v = e.remove(e.text(from)); if (v !== undefined) e.set(e.text(to), v); } },
    (e) => { for (const [f, v] of pairs(o.update)) if (e.get(f) !== undefined) e.set(f, e.text(v)); },
    (e) => { for (const [f, v] of pairs(o.replace)) e.set(f, e.text(v)); },
    (e) => { for (const [f, type] of pairs(o.convert)) { const v = e.get(f); if (v !== undefined && v !== null) e.set(f, each(v, CONVERT[type])); } },
    (e) => { for (const [f, re, by] of subs) { const v = e.get(f); if (v !== undefined) e.set(f, each(v, (x) => (typeof x === 'string' ? x.replace(re, e.text(by)) : x))); } },
    strings(o.uppercase, (s) => s.toUpperCase()),
    strings(o.capitalize, (s) => s.charAt(0).toUpperCase() + s.slice(1).toLowerCase()),
    strings(o.lowercase, (s) => s.toLowerCase()),
    strings(o.strip, (s) => s.trim()),
    (e) => { for (const [f, by] of pairs(o.split)) { const v = e.get(f); if (typeof v === 'string') e.set(f, v.split(e.text(by))); } },
    (e) => { for (const [f, by] of pairs(o.join)) { const v = e.get(f); if (Array.isArray(v)) e.set(f, v.join(by)); } },
    (e) => { for (const [f, from] of pairs(o.merge)) for (const one of list(from)) { const v = e.get(one); if (v !== undefined) { const old = e.get(f); e.set(f, isHash(old) && isHash(v) ? { ...old, ...v } : [old ?? [], v].flat()); } } },
    (e) => { for (const [from, to] of pairs(o.copy)) { const v = e.get(from); if (v !== undefined) e.set(to, structuredClone(v)); } },
  ];
  return (event) => { for (const step of steps) step(event); return true; };
}

function json(o) {
  return (event) => {
    const raw = event.get(o.source);
    if (raw === undefined || raw === null) return false;
    let value;
    try {
      value = typeof raw === 'string' ? JSON.parse(raw) : raw;
      if (!o.target && !isHash(value)) throw new Error('not an object');
    } catch {
      if (!o.skip_on_invalid_json) list(o.tag_on_failure ?? '_jsonparsefailure').forEach((t) => event.tag(t));
      return false;
    }
    if (o.target) event.set(o.target, value);
    else {
      const stamp = event.data['@timestamp'];
      for (const [key, one] of Object.entries(value)) event.set(`[${key}]`, one);
      if (event.data['@timestamp'] !== stamp) settleTimestamp(event);
    }
    return true;
  };
}

function grokFilter(o, bad) {
  const own = {};
  for (const dir of list(o.patterns_dir)) for (const file of fs.readdirSync(dir)) grok.readPatterns(fs.readFileSync(path.join(dir, file), 'utf8'), own);
  Object.assign(own, o.pattern_definitions);
  const rules = [];
  for (const [field, patterns] of pairs(o.match)) {
    for (const pattern of list(patterns)) {
      try { rules.push([field, grok.compile(pattern, own, o.named_captures_only !== false)]); } catch (err) { throw bad(err.message, 'Grok::PatternError'); }
    }
  }
  const overwrite = new Set(list(o.overwrite));
  return (event) => {
    let matched = false;
    for (const [field, compiled] of rules) {
      for (const text of list(event.get(field))) {
        const found = grok.match(compiled, String(text));
        if (!found) continue;
        matched = true;
        for (const [name, value] of found) {
          const where = o.target ? `[${o.target}]${name.startsWith('[') ? name : `[${name}]`}` : name;
          const old = event.get(where);
          event.set(where, old === undefined || overwrite.has(name) ? value : [old, value].flat());
        }
        break;
      }
      if (matched && o.break_on_match !== false) break;
    }
    if (!matched) list(o.tag_on_failure ?? '_grokparsefailure').forEach((t) => event.tag(t));
    return matched;
  };
}

function date(o, bad) {
  const [field, ...formats] = list(o.match);
  if (!formats.length) throw bad('The match setting should contains first a field name and at least one date format, current value is ' + JSON.stringify(list(o.match)));
  let readers;
  try { readers = formats.map((f) => reader(f, o.timezone ?? 'UTC')); } catch (err) { throw bad(err.message, 'Java::JavaLang::IllegalArgumentException'); }
  return (event) => {
    const value = list(event.get(field))[0];
    if (value === undefined) return false;
    for (const read of readers) {
      const ms = read(value);
      if (ms !== null) {
        event.set(o.target ?? '@timestamp', new Date(ms));
        return true;
      }
    }
    list(o.tag_on_failure ?? '_dateparsefailure').forEach((t) => event.tag(t));
    return false;
  };
}

function kv(o) {
  const between = new RegExp(`[${o.field_split ?? ' '}]`);
  const equals = new RegExp(`[${o.value_split ?? '='}]`);
  return (event) => {
    const text = event.get(o.source ?? 'message');
    if (typeof text !== 'string') return false;
    for (const m of text.match(/(?:"[^"]*"|'[^']*'|\S)+/g)?.flatMap((p) => (between.test(' ') ? [p] : p.split(between))) ?? []) {
      const at = m.search(equals);
      if (at < 1) continue;
      const key = (o.prefix ?? '') + m.slice(0, at);
      event.set(o.target ? `[${o.target}][${key}]` : `[${key}]`, m.slice(at + 1).replace(/^(["'])(.*)\1$/, '$2'));
    }
    return true;
  };
}

const COMMON = ['add_field', 'remove_field', 'add_tag', 'remove_tag', 'id', 'enable_metric', 'periodic_flush'];
/** name: [function, own settings, required ones]. */
const FILTERS = {
  json: [json, ['source', 'target', 'skip_on_invalid_json', 'tag_on_failure', 'ecs_compatibility'], ['source']],
  mutate: [mutate, ['convert', 'rename', 'update', 'replace', 'gsub', 'uppercase', 'lowercase', 'capitalize', 'strip', 'split', 'join', 'merge', 'copy', 'coerce', 'tag_on_failure'], []],
  grok: [grokFilter, ['match', 'patterns_dir', 'pattern_definitions', 'named_captures_only', 'break_on_match', 'overwrite', 'tag_on_failure', 'target', 'keep_empty_captures', 'timeout_millis', 'ecs_compatibility', 'patterns_files_glob', 'tag_on_timeout', 'timeout_scope'], []],
  date: [date, ['match', 'target', 'timezone', 'locale', 'tag_on_failure'], []],
  kv: [kv, ['source', 'target', 'field_split', 'value_split', 'prefix', 'trim_key', 'trim_value', 'ecs_compatibility'], []],
  drop: [(o) => (event) => { if (!(Math.random() * 100 >= (o.percentage ?? 100))) event.cancelled = true; return true; }, ['percentage'], []],
};

/** What every filter does once it succeeded. */
function decorate(o, event) {
  for (const [field, value] of pairs(o.add_field)) {
    const name = event.text(field);
    const old = event.get(name);
    const added = Array.isArray(value) ? value.map((v) => event.text(v)) : event.text(value);
    event.set(name, old === undefined ? added : [old, added].flat());
  }
  for (const field of list(o.remove_field)) event.remove(event.text(field));
  for (const tag of list(o.add_tag)) event.tag(event.text(tag));
  const gone = list(o.remove_tag).map((t) => event.text(t));
  if (gone.length && event.data.tags) event.data.tags = list(event.data.tags).filter((t) => !gone.includes(t));
}

module.exports = { FILTERS, COMMON, decorate, settleTimestamp, list };
