'use strict';
// Log lines in logfmt, as Grafana's console mode writes them when it is not on a terminal:
//   logger=http.server t=2024-07-19T09:56:50.903247162Z level=info msg="HTTP Server Listen" address=[::]:3000

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3 };
let threshold = LEVELS.info;

const clock = { wall: BigInt(Date.now()) * 1000000n, tick: process.hrtime.bigint() };

/** Go's RFC3339Nano with nine digits: the wall clock at start, then the monotonic one. */
function stamp() {
  const nanos = clock.wall + process.hrtime.bigint() - clock.tick;
  const seconds = new Date(Number(nanos / 1000000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(nanos % 1000000000n).padStart(9, '0')}Z`;
}

function value(v) {
  if (v === null || v === undefined) return 'null';
  const s = v instanceof Error ? v.message : String(v);
  return /[\s"=\\]/.test(s) ? JSON.stringify(s) : s;
}

function write(name, context, level, msg, pairs) {
  if (LEVELS[level] < threshold) return;
  let line = `logger=${name}`;
  for (let i = 0; i + 1 < context.length; i += 2) line += ` ${context[i]}=${value(context[i + 1])}`;
  line += ` t=${stamp()} level=${level} msg=${/[\s"=\\]/.test(msg) ? JSON.stringify(msg) : msg}`;
  for (let i = 0; i + 1 < pairs.length; i += 2) line += ` ${pairs[i]}=${value(pairs[i + 1])}`;
  process.stdout.write(`${line}\n`);
}

/** A logger; `context` is a flat list of keys and values written before the time, as Grafana does. */
function logger(name, ...context) {
  const at = (level) => (msg, ...pairs) => write(name, context, level, msg, pairs);
  return {
    debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'),
    with: (...more) => logger(name, ...context, ...more),
  };
}

/** Level from `[log] level`; an unknown word means info, as in Grafana. */
function setLevel(word) {
  threshold = LEVELS[{ critical: 'error', trace: 'debug' }[word] || word] ?? LEVELS.info;
}

module.exports = { logger, setLevel };
