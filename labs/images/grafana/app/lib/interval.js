'use strict';
// Intervals of Prometheus queries, all in milliseconds. Documentation: "Template variables" ($__interval,
// $__rate_interval, $__range) and "Prometheus query editor" (min step, resolution).

const UNITS = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5, M: 2629.8e6, y: 31557.6e6 };

/** Parses "15s", "1m", "1h30m", "15" (seconds) and ">15s"; throws on anything else. */
function parseDuration(text) {
  const clean = String(text).trim().replace(/^[<>]/, '');
  if (/^\d+$/.test(clean)) return Number(clean) * 1000;
  const parts = [...clean.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwMy])/g)];
  if (!parts.length || parts.map((p) => p[0]).join('') !== clean) throw new Error(`time: invalid duration ${JSON.stringify(clean)}`);
  return parts.reduce((sum, p) => sum + Number(p[1]) * UNITS[p[2]], 0);
}

// Upper bound and rounded value, in milliseconds.
const ROUND = [
  [10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500], [1500, 1000], [3500, 2000], [7500, 5000],
  [12500, 10000], [17500, 15000], [25000, 20000], [45000, 30000], [90000, 60000], [210000, 120000], [450000, 300000],
  [750000, 600000], [1050000, 900000], [1500000, 1200000], [2700000, 1800000], [5400000, 3600000], [9000000, 7200000],
  [16200000, 10800000], [32400000, 21600000], [86400000, 43200000], [604800000, 86400000], [1814400000, 604800000],
  [3628800000, 2592000000],
];
const roundInterval = (ms) => (ROUND.find(([limit]) => ms <= limit) ?? [0, 31536000000])[1];

/** One unit, rounded down: 90 s is "1m". */
function formatInterval(ms) {
  for (const [unit, size] of [['y', 31536e6], ['d', 864e5], ['h', 36e5], ['m', 6e4], ['s', 1e3]]) {
    if (ms >= size) return `${Math.floor(ms / size)}${unit}`;
  }
  return `${Math.max(1, Math.floor(ms))}ms`;
}

/** Go's time.Duration.String: 60 s is "1m0s". */
function goDuration(ms) {
  if (ms < 1000) return `${ms}ms`;
  const h = Math.floor(ms / 36e5);
  const m = Math.floor((ms % 36e5) / 6e4);
  const s = `${(ms % 6e4) / 1000}s`;
  if (h) return `${h}h${m}m${s}`;
  return m ? `${m}m${s}` : s;
}

const NAMES = { interval: /^\$(__interval|\{__interval\})$/, rate: /^\$(__rate_interval|\{__rate_interval\})$/, any: /^\$\{?__(rate_)?interval(_ms)?\}?$/ };

/** $__rate_interval: at least four scrapes, and one scrape more than the step. */
function rateInterval(interval, minStep) {
  const scrape = parseDuration(minStep || '15s');
  return Math.max(interval + scrape, 4 * scrape);
}

/** The step of a range query. */
function stepOf({ range, maxDataPoints, interval, intervalMs, intervalFactor, scrape }) {
  const wanted = NAMES.any.test(interval ?? '') || interval === '0s' ? '' : interval ?? '';
  let min = 15000;
  if (wanted) min = parseDuration(wanted);
  else if (intervalMs) min = intervalMs;
  else if (scrape) min = parseDuration(scrape);
  const ideal = range / (maxDataPoints || 1500);
  const calculated = ideal < min ? min : roundInterval(ideal);
  const step = Math.max(calculated, roundInterval(range / 11000));
  return NAMES.rate.test(interval ?? '') ? rateInterval(step, scrape) : step * (intervalFactor || 1);
}

/** Replaces the built-in variables of an expression. */
function fill(expr, { step, interval, intervalMs, scrape, range }) {
  let minStep = interval ?? '';
  let rate = step;
  if (!NAMES.rate.test(minStep)) {
    if (NAMES.interval.test(minStep)) minStep = goDuration(step);
    rate = rateInterval(intervalMs, minStep || scrape);
  }
  const seconds = Math.round(range / 1000);
  const values = {
    __interval_ms: step, __interval: formatInterval(step), __range_ms: range, __range_s: seconds, __range: `${seconds}s`,
    __rate_interval_ms: rate, __rate_interval: goDuration(rate),
  };
  return Object.entries(values).reduce((e, [k, v]) => e.replaceAll(`\${${k}}`, String(v)).replaceAll(`$${k}`, String(v)), expr);
}

/** "now", "now-5m", "now-1d/d", or milliseconds since 1970, as text or number. */
function parseTime(text, now, roundUp = false) {
  const t = String(text ?? '').trim();
  if (/^-?\d+(\.\d+)?$/.test(t)) return Number(t);
  const m = /^now((?:[+-]\d+(?:ms|[smhdwMy]))*)(?:\/([smhdwMy]))?$/.exec(t);
  if (!m) {
    const date = Date.parse(t);
    if (Number.isNaN(date)) throw new Error(`time: invalid duration ${JSON.stringify(t)}`);
    return date;
  }
  let at = now;
  for (const [, sign, amount] of m[1].matchAll(/([+-])(\d+(?:ms|[smhdwMy]))/g)) at += (sign === '-' ? -1 : 1) * parseDuration(amount);
  if (m[2]) {
    const unit = UNITS[m[2]];
    at = Math.floor(at / unit) * unit + (roundUp ? unit - 1 : 0);
  }
  return at;
}

module.exports = { parseDuration, roundInterval, formatInterval, goDuration, stepOf, fill, parseTime };
