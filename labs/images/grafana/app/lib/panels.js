'use strict';
// One panel of a dashboard page: its queries are run as the browser would send them, then drawn.
const query = require('./query');
const svg = require('./svg');
const { replace, datasourceOf } = require('./variables');
const { parseDuration } = require('./interval');

const { escape } = svg;
const note = (text) => `<p class="note">${escape(text)}</p>`;

/** Series of the frames of one answer. */
function seriesOf(result) {
  return (result.frames ?? []).filter((f) => f.schema.fields.length >= 2).map((f) => {
    const field = f.schema.fields[1];
    const labels = field.labels ?? {};
    const shown = Object.entries(labels).filter(([k]) => k !== '__name__');
    const auto = shown.length ? `${labels.__name__ ?? ''}{${shown.map(([k, v]) => `${k}="${v}"`).join(', ')}}` : labels.__name__ ?? field.name;
    return { name: field.config?.displayNameFromDS || auto, labels, points: f.data.values[0].map((t, i) => [t, f.data.values[1][i]]) };
  });
}

/** Legend "auto": only what differs between the series. */
function shorten(series) {
  if (series.length < 2) return series;
  const keys = [...new Set(series.flatMap((s) => Object.keys(s.labels)))].filter((k) => new Set(series.map((s) => s.labels[k])).size > 1 && k !== '__name__');
  return series.map((s) => {
    if (!/[{]/.test(s.name) || !keys.length) return s;
    return { ...s, name: keys.length === 1 ? String(s.labels[keys[0]] ?? s.name) : `{${keys.map((k) => `${k}="${s.labels[k] ?? ''}"`).join(', ')}}` };
  });
}

/** The browser never asks for a finer step than the data source's scrape interval, 15 s when it says nothing. */
function scrapeMs(ds) {
  try { return parseDuration(ds.jsonData?.timeInterval || '15s'); } catch { return 15000; }
}

async function runTargets(panel, context) {
  const targets = (Array.isArray(panel.targets) ? panel.targets : []).filter((t) => t && !t.hide && typeof t.expr === 'string' && t.expr.trim());
  const out = { series: [], problems: [], asked: targets.length };
  const isMixed = (ref) => (typeof ref === 'object' ? ref?.uid : ref) === '-- Mixed --';
  await Promise.all(targets.map(async (t, i) => {
    const ref = t.datasource && !isMixed(t.datasource) ? t.datasource : isMixed(panel.datasource) ? null : panel.datasource;
    const { ds, name } = datasourceOf(context.store, ref, context.values);
    if (!ds) {
      out.problems.push(name === 'default' ? "Aucune source de données n'est marquée par défaut." : `Datasource ${name} was not found`);
      return;
    }
    if (ds.type !== 'prometheus') {
      out.problems.push(`La source « ${ds.name} » est du type ${ds.type} : la doublure n'interroge que Prometheus.`);
      return;
    }
    const span = context.range.to - context.range.from;
    const width = 640;
    const model = {
      ...t, refId: t.refId || String.fromCharCode(65 + i), expr: replace(t.expr, context.values), maxDataPoints: panel.maxDataPoints || width,
      intervalMs: Math.max(scrapeMs(ds), Math.ceil(span / width)), interval: t.interval || panel.interval ? replace(t.interval || panel.interval, context.values) : undefined,
    };
    const result = await query.run(ds, model, context.range);
    if (result.error) out.problems.push(result.error);
    out.series.push(...seriesOf(result).map((s) => ({ ...s, order: i })));
  }));
  out.series = shorten(out.series.sort((a, b) => a.order - b.order));
  return out;
}

function thresholdColor(defaults) {
  const names = { green: '#73bf69', red: '#f2495c', orange: '#ff9830', yellow: '#f2cc0c', blue: '#5794f2', text: '#d8d9da' };
  const steps = Array.isArray(defaults.thresholds?.steps) ? defaults.thresholds.steps : [];
  return (v) => {
    const step = steps.filter((s) => s.value === null || s.value === undefined || v >= s.value).at(-1);
    const wanted = names[String(step?.color ?? 'green').replace(/^(dark|light|semi-dark|super-light)-/, '')] ?? step?.color;
    return /^#[0-9a-fA-F]{3,8}$/.test(wanted ?? '') ? wanted : names.green;
  };
}

function draw(panel, series, context) {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const unit = defaults.unit ?? panel.yaxes?.[0]?.format ?? panel.format ?? '';
  const number = (v) => (v === null || v === undefined || v === '' || Number.isNaN(Number(v)) ? undefined : Number(v));
  const options = {
    unit, decimals: number(defaults.decimals ?? panel.decimals), min: number(defaults.min ?? panel.yaxes?.[0]?.min), max: number(defaults.max ?? panel.yaxes?.[0]?.max),
    ...context.range, title: replace(panel.title ?? '', context.values), stack: panel.stack === true || ['normal', 'percent'].includes(defaults.custom?.stacking?.mode),
    fill: number(defaults.custom?.fillOpacity) ?? (panel.type === 'graph' ? (number(panel.fill) ?? 1) * 10 : 0), colors: thresholdColor(defaults),
  };
  switch (panel.type) {
    case 'stat': case 'singlestat': return svg.stats(series, options);
    case 'gauge': case 'bargauge': case 'barchart': case 'histogram': return svg.bars(series, options);
    case 'piechart': case 'grafana-piechart-panel': return svg.pie(series, options);
    case 'table': case 'table-old': return svg.table(series, options);
    case 'timeseries': case 'graph': case 'heatmap': case 'state-timeline': case 'status-history': case 'trend': case undefined:
      return svg.lines(series, options);
    default: return `${note(`La doublure ne sait pas dessiner un panneau « ${panel.type} » : voici ses dernières valeurs.`)}${svg.table(series, options)}`;
  }
}

/** HTML of one panel. */
async function render(panel, context) {
  const title = escape(replace(panel.title ?? '', context.values));
  const wrap = (inner, failed = '') => `<section class="panel${failed}" style="${place(panel)}"><h2>${title || '&nbsp;'}</h2>${inner}</section>`;
  if (panel.type === 'row') return `<h2 class="row" style="${place({ gridPos: { ...panel.gridPos, h: 1 } })}">${title}</h2>`;
  if (panel.type === 'text') return wrap(`<pre class="text">${escape(replace(panel.options?.content ?? panel.content ?? '', context.values))}</pre>`);
  const { series, problems, asked } = await runTargets(panel, context);
  const warnings = [...new Set(problems)].map((p) => `<p class="error">${escape(p)}</p>`).join('');
  if (!asked && !problems.length) return wrap(note("Ce panneau n'a pas de requête PromQL."));
  if (!series.some((s) => s.points.length)) return wrap(`${warnings}${problems.length ? '' : note('No data')}`, problems.length ? ' failed' : '');
  return wrap(`${warnings}${draw(panel, series, context)}`, problems.length ? ' failed' : '');
}

/** Place in the grid of 24 columns. */
function place({ gridPos: g }) {
  const int = (v, low, high, fallback) => (Number.isFinite(Number(v)) ? Math.min(high, Math.max(low, Math.round(Number(v)))) : fallback);
  const w = int(g?.w, 1, 24, 12);
  const x = int(g?.x, 0, 24 - w, 0);
  return g ? `grid-column:${x + 1}/span ${w};order:${int(g.y, 0, 9999, 0) * 24 + x}` : 'grid-column:span 12';
}

module.exports = { render, runTargets };
