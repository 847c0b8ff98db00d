'use strict';
// Codecs: bytes to events, events to text.
const { LogEvent, isHash } = require('./event');
const { settleTimestamp } = require('./filters');

const NAMES = ['json', 'json_lines', 'line', 'plain', 'rubydebug', 'dots', 'multiline'];
/** Codecs that cut a stream into lines. */
const LINES = new Set(['json_lines', 'line', 'json']);

function original(event, text) {
  if (event.get('[event][original]') === undefined) event.set('[event][original]', text);
  return event;
}

/** The events of one line (or of one datagram). */
function decode(codec, text) {
  if (codec.name === 'json' || codec.name === 'json_lines') {
    let value;
    try { value = JSON.parse(text); } catch { value = undefined; }
    const all = Array.isArray(value) ? value : [value];
    if (all.every(isHash)) {
      return all.map((one) => {
        const event = new LogEvent(one);
        settleTimestamp(event);
        if (codec.options.target) {
          const held = new LogEvent();
          held.set(codec.options.target, one);
          return original(held, text);
        }
        return all.length === 1 ? original(event, text) : event;
      });
    }
    const event = new LogEvent({ message: text });
    event.tag('_jsonparsefailure');
    return [original(event, text)];
  }
  return [original(new LogEvent({ message: text }), text)];
}

function pretty(value, depth = 0) {
  const pad = ' '.repeat(4 * (depth + 1));
  if (value === null) return 'nil';
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.length ? `[\n${value.map((v, i) => `${pad}[${i}] ${pretty(v, depth + 1)}`).join(',\n')}\n${' '.repeat(4 * depth)}]` : '[]';
  if (typeof value === 'object') {
    const keys = Object.keys(value).sort();
    if (!keys.length) return '{}';
    const width = Math.max(...keys.map((k) => JSON.stringify(k).length));
    return `{\n${keys.map((k) => `${' '.repeat(4 * depth)}    ${JSON.stringify(k).padStart(width)} => ${pretty(value[k], depth + 1)}`).join(',\n')}\n${' '.repeat(4 * depth)}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** The text of an event for an output. */
function encode(codec, event) {
  switch (codec.name) {
    case 'rubydebug': return `${pretty(codec.options.metadata ? { ...event.data, '@metadata': event.metadata } : event.data)}\n`;
    case 'dots': return '.';
    case 'line': return `${codec.options.format ? event.text(codec.options.format) : event.text('%{@timestamp} %{[host][hostname]} %{message}')}\n`;
    case 'plain': return codec.options.format ? event.text(codec.options.format) : event.text('%{@timestamp} %{[host][hostname]} %{message}');
    case 'json': return JSON.stringify(event);
    default: return `${JSON.stringify(event)}\n`;
  }
}

module.exports = { decode, encode, NAMES, LINES };
