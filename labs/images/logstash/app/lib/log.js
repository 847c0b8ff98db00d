'use strict';
// Log lines as Logstash writes them: [2026-01-01T00:00:00,000][INFO ][logstash.agent           ] text {:key=>"value"}

const ruby = (v) => {
  if (v === null || v === undefined) return 'nil';
  if (Array.isArray(v)) return `[${v.map(ruby).join(', ')}]`;
  if (typeof v === 'object') return `{${Object.entries(v).map(([k, x]) => `${JSON.stringify(k)}=>${ruby(x)}`).join(', ')}}`;
  return typeof v === 'string' ? (v.startsWith('\u0000') ? v.slice(1) : JSON.stringify(v)) : String(v);
};
const details = (map) => `{${Object.entries(map).map(([k, v]) => `:${k}=>${ruby(v)}`).join(', ')}}`;

function write(level, name, pipeline, text, map) {
  const stamp = new Date().toISOString().replace('.', ',').slice(0, 23);
  process.stdout.write(`[${stamp}][${level.padEnd(5)}][${name.slice(-25).padEnd(25)}]${pipeline ? `[${pipeline}]` : ''} ${text}${map ? ` ${details(map)}` : ''}\n`);
}

/** A logger of this name; `pipeline` is shown after it. */
const logger = (name, pipeline) => ({
  info: (text, map) => write('INFO', name, pipeline, text, map),
  warn: (text, map) => write('WARN', name, pipeline, text, map),
  error: (text, map) => write('ERROR', name, pipeline, text, map),
  fatal: (text, map) => write('FATAL', name, pipeline, text, map),
});

/** Text shown without quotes. */
const bare = (text) => `\u0000${text}`;

module.exports = { logger, ruby, bare };
