'use strict';
// Drawings of panels: plain SVG, nothing loaded from elsewhere.
const { format } = require('./format');

const COLORS = ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#f2495c', '#b877d9', '#8ab8ff', '#ffa6b0', '#96d98d', '#ffee52', '#ca95e5', '#37872d'];
const color = (i) => COLORS[i % COLORS.length];
const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Round steps of an axis: 1, 2 or 5 times a power of ten. */
function ticks(min, max, count = 5) {
  const span = max - min || Math.abs(max) || 1;
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const out = [];
  for (let v = Math.ceil(min / step) * step; v <= max + step * 1e-6; v += step) out.push(v);
  return out;
}

const clockText = (ms, wide) => {
  const d = new Date(ms).toISOString();
  return wide ? `${d.slice(8, 10)}/${d.slice(5, 7)} ${d.slice(11, 16)}` : d.slice(11, 16);
};

/**
 * Lines over time.
 * @param {{name: string, points: [number, number|null][]}[]} series milliseconds and values
 * @param {{from: number, to: number, unit?: string, decimals?: number, min?: number, max?: number, stack?: boolean, fill?: number}} options
 */
function lines(series, { from, to, unit, decimals, min, max, title, stack = false, fill = 10 }) {
  const W = 640; const H = 230; const left = 64; const right = 10; const top = 8; const bottom = 22;
  let drawn = series;
  if (stack) {
    const total = new Map();
    drawn = series.map((s) => ({ ...s, points: s.points.map(([t, v]) => {
      total.set(t, (total.get(t) ?? 0) + (v ?? 0));
      return [t, total.get(t)];
    }) }));
  }
  const all = drawn.flatMap((s) => s.points.map((p) => p[1])).filter((v) => v !== null && Number.isFinite(v));
  let lo = min ?? Math.min(0, ...all);
  let hi = max ?? Math.max(...all, lo);
  if (!Number.isFinite(hi)) hi = 1;
  if (hi === lo) { hi = lo === 0 ? 1 : lo + Math.abs(lo) * 0.5; lo = Math.min(lo, 0); }
  const x = (t) => left + ((t - from) / (to - from)) * (W - left - right);
  const y = (v) => top + (1 - (v - lo) / (hi - lo)) * (H - top - bottom);
  const parts = [];
  for (const v of ticks(lo, hi)) {
    parts.push(`<line x1="${left}" x2="${W - right}" y1="${y(v).toFixed(1)}" y2="${y(v).toFixed(1)}" class="grid"/><text x="${left - 6}" y="${(y(v) + 4).toFixed(1)}" class="axis end">${escape(format(v, unit, decimals))}</text>`);
  }
  const wide = to - from > 864e5;
  for (let i = 0; i <= 5; i += 1) {
    const t = from + ((to - from) * i) / 5;
    parts.push(`<text x="${Math.min(x(t), W - 24).toFixed(1)}" y="${H - 6}" class="axis mid">${clockText(t, wide)}</text>`);
  }
  drawn.forEach((s, i) => {
    const runs = [[]];
    for (const [t, v] of s.points) {
      if (v === null || !Number.isFinite(v)) { if (runs.at(-1).length) runs.push([]); } else runs.at(-1).push(`${x(t).toFixed(1)},${y(v).toFixed(1)}`);
    }
    for (const run of runs.filter((r) => r.length)) {
      if (run.length === 1) {
        const [cx, cy] = run[0].split(',');
        parts.push(`<circle cx="${cx}" cy="${cy}" r="2.5" fill="${color(i)}"/>`);
        continue;
      }
      if (fill > 0) {
        const floor = y(Math.max(lo, Math.min(0, hi))).toFixed(1);
        parts.push(`<polygon points="${run[0].split(',')[0]},${floor} ${run.join(' ')} ${run.at(-1).split(',')[0]},${floor}" fill="${color(i)}" opacity="${(Math.min(fill, 60) / 100).toFixed(2)}"/>`);
      }
      parts.push(`<polyline points="${run.join(' ')}" fill="none" stroke="${color(i)}" stroke-width="1.6"/>`);
    }
  });
  return `<svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${escape(title)}">${parts.join('')}</svg>${legend(series, unit, decimals)}`;
}

const last = (s) => s.points.findLast?.((p) => p[1] !== null)?.[1] ?? null;

function legend(series, unit, decimals) {
  const shown = series.slice(0, 20).map((s, i) => `<li><i style="background:${color(i)}"></i>${escape(s.name)} <b>${escape(format(last(s), unit, decimals))}</b></li>`);
  if (series.length > 20) shown.push(`<li>et ${series.length - 20} autres séries</li>`);
  return `<ul class="legend">${shown.join('')}</ul>`;
}

/** Big numbers, one for each series. */
function stats(series, { unit, decimals, colors = () => '#73bf69' }) {
  const one = series.length === 1;
  return `<div class="stats">${series.slice(0, 24).map((s) => `<div>${one ? '' : `<small>${escape(s.name)}</small>`}<strong style="color:${colors(last(s))}">${escape(format(last(s), unit, decimals))}</strong></div>`).join('')}</div>`;
}

/** Horizontal bars, for bar gauges, bar charts and gauges. */
function bars(series, { unit, decimals, max }) {
  const values = series.map((s) => last(s) ?? 0);
  const top = max ?? Math.max(...values, 0) ?? 1;
  return `<div class="bars">${series.slice(0, 30).map((s, i) => `<div><small>${escape(s.name)}</small><span><i style="width:${top ? Math.max(0, Math.min(100, (values[i] / top) * 100)).toFixed(1) : 0}%;background:${color(i)}"></i></span><b>${escape(format(values[i], unit, decimals))}</b></div>`).join('')}</div>`;
}

/** A pie of the last values. */
function pie(series, { unit, decimals, title }) {
  const values = series.map((s) => Math.max(0, last(s) ?? 0));
  const total = values.reduce((a, b) => a + b, 0);
  let at = -Math.PI / 2;
  const slices = values.map((v, i) => {
    if (!total || !v) return '';
    if (v === total) return `<circle cx="100" cy="100" r="90" fill="${color(i)}"/>`;
    const a = at;
    at += (v / total) * 2 * Math.PI;
    const p = (t) => `${(100 + 90 * Math.cos(t)).toFixed(2)} ${(100 + 90 * Math.sin(t)).toFixed(2)}`;
    return `<path d="M100 100 L${p(a)} A90 90 0 ${at - a > Math.PI ? 1 : 0} 1 ${p(at)} Z" fill="${color(i)}"/>`;
  });
  return `<div class="pie"><svg viewBox="0 0 200 200" role="img" aria-label="${escape(title)}">${slices.join('')}</svg>${legend(series, unit, decimals)}</div>`;
}

/** A table of the last values with the labels as columns. */
function table(series, { unit, decimals }) {
  const columns = [...new Set(series.flatMap((s) => Object.keys(s.labels ?? {})))].sort();
  const rows = series.slice(0, 50).map((s) => `<tr>${columns.map((c) => `<td>${escape(s.labels?.[c] ?? '')}</td>`).join('')}<td class="end">${escape(format(last(s), unit, decimals))}</td></tr>`);
  return `<div class="scroll"><table><tr>${columns.map((c) => `<th>${escape(c)}</th>`).join('')}<th class="end">Valeur</th></tr>${rows.join('')}</table></div>`;
}

module.exports = { lines, stats, bars, pie, table, escape, last };
