'use strict';
// Values with their unit, as panels show them (fieldConfig.defaults.unit, or the old graph's yaxes format).

const trim = (n, decimals) => Number(n).toFixed(decimals ?? (Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : Math.abs(n) >= 0.01 || n === 0 ? 2 : 5))
  .replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '').replace('.', ',');

function scaled(n, base, units, decimals) {
  let i = 0;
  let v = n;
  while (Math.abs(v) >= base && i < units.length - 1) { v /= base; i += 1; }
  return `${trim(v, decimals)}${units[i] ? `\u202f${units[i]}` : ''}`;
}

function seconds(n, decimals) {
  const a = Math.abs(n);
  if (a === 0) return '0\u202fs';
  if (a < 1e-3) return `${trim(n * 1e6, decimals)}\u202fµs`;
  if (a < 1) return `${trim(n * 1e3, decimals)}\u202fms`;
  if (a < 60) return `${trim(n, decimals)}\u202fs`;
  if (a < 3600) return `${trim(n / 60, decimals)}\u202fmin`;
  if (a < 86400) return `${trim(n / 3600, decimals)}\u202fh`;
  return `${trim(n / 86400, decimals)}\u202fj`;
}

const BIN = ['o', 'Kio', 'Mio', 'Gio', 'Tio', 'Pio'];
const DEC = ['o', 'ko', 'Mo', 'Go', 'To', 'Po'];
const perSecond = (units) => units.map((u) => `${u}/s`);

/** Text of one number; null and NaN show as a dash. */
function format(n, unit = '', decimals = undefined) {
  if (n === null || n === undefined || Number.isNaN(n)) return '–';
  switch (unit) {
    case 'percent': return `${trim(n, decimals)}\u202f%`;
    case 'percentunit': return `${trim(n * 100, decimals)}\u202f%`;
    case 's': case 'dtdurations': return seconds(n, decimals);
    case 'ms': return seconds(n / 1000, decimals);
    case 'bytes': return scaled(n, 1024, BIN, decimals);
    case 'decbytes': return scaled(n, 1000, DEC, decimals);
    case 'binBps': return scaled(n, 1024, perSecond(BIN), decimals);
    case 'Bps': return scaled(n, 1000, perSecond(DEC), decimals);
    case 'bps': return scaled(n, 1000, ['b/s', 'kb/s', 'Mb/s', 'Gb/s'], decimals);
    case 'reqps': return `${trim(n, decimals)}\u202freq/s`;
    case 'ops': return `${trim(n, decimals)}\u202fops/s`;
    case 'short': return scaled(n, 1000, ['', 'k', 'M', 'G', 'T'], decimals);
    default: return trim(n, decimals);
  }
}

module.exports = { format };
