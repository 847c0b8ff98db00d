'use strict';
// Dashboard variables and data source references, as the browser resolves them in Grafana.
// Documentation: "Variables", "Variable syntax", "Prometheus template variables".
const prometheus = require('./prometheus');

const asList = (v) => (Array.isArray(v) ? v : v === undefined || v === null ? [] : [v]).map(String);
const escapeRegex = (v) => String(v).replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&');

/** "$ds", "${ds}", "${ds:text}" or "[[ds]]" inside a text; unknown names stay as they are. */
function replace(text, values, extra = '') {
  return String(text).replace(/\$(\w+)|\$\{(\w+)(?:\.[^:}]+)?(?::([^}]+))?\}|\[\[(\w+)(?::([^\]]+))?\]\]/g, (all, a, b, format, c) => {
    const v = values.get(a ?? b ?? c);
    if (!v) return all;
    if (v.all && v.allValue) return v.allValue;
    if (extra === 'datasource' || v.list.length === 0) return v.list[0] ?? '';
    if (format === 'csv' || format === 'raw') return v.list.join(',');
    if (v.multi || v.list.length > 1 || format === 'regex' || format === 'pipe') {
      const parts = format === 'pipe' ? v.list : v.list.map(escapeRegex);
      return parts.length === 1 ? parts[0] : `(${parts.join('|')})`;
    }
    return v.list[0];
  });
}

/** The data source a panel or a target points to, or the name that was not found. */
function datasourceOf(store, ref, values) {
  const list = store.sortedDatasources();
  const byDefault = () => list.find((d) => d.isDefault) ?? null;
  if (ref === null || ref === undefined || ref === 'default') return { ds: byDefault(), name: 'default' };
  if (typeof ref === 'object' && ref.uid === undefined) {
    const same = list.filter((d) => d.type === ref.type);
    return { ds: same.find((d) => d.isDefault) ?? same[0] ?? byDefault(), name: ref.type ?? 'default' };
  }
  const name = replace(typeof ref === 'object' ? ref.uid : ref, values, 'datasource');
  if (name === '' || name === 'default') return { ds: byDefault(), name: 'default' };
  return { ds: list.find((d) => d.uid === name || d.name === name) ?? null, name };
}

async function promJson(ds, endpoint, params) {
  const answer = await prometheus.send(ds, { method: 'GET', endpoint, query: new URLSearchParams(params).toString(), timeoutMs: 5000 });
  return JSON.parse(answer.body.toString()).data;
}

/** Options of a query variable; only what Prometheus offers: label_values, label_names, metrics, query_result. */
async function queryOptions(ds, text, range, values) {
  const q = replace(text, values).trim();
  const time = { start: String(range.from / 1000), end: String(range.to / 1000) };
  let m = /^label_names\(\s*(.*?)\s*\)$/.exec(q);
  if (m) return promJson(ds, 'api/v1/labels', m[1] ? { ...time, 'match[]': m[1] } : time);
  m = /^label_values\((?:(.+),)?\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\)$/.exec(q);
  if (m) return promJson(ds, `api/v1/label/${m[2]}/values`, m[1] ? { ...time, 'match[]': m[1].trim() } : time);
  m = /^metrics\((.*)\)$/.exec(q);
  if (m) return (await promJson(ds, 'api/v1/label/__name__/values', time)).filter((n) => new RegExp(m[1]).test(n));
  m = /^query_result\((.*)\)$/s.exec(q);
  const data = await promJson(ds, 'api/v1/query', { query: m ? m[1] : q, time: time.end });
  return (data.result ?? []).map((r) => `${r.metric.__name__ ?? ''}{${Object.entries(r.metric).filter(([k]) => k !== '__name__').map(([k, v]) => `${k}="${v}"`).join(',')}} ${r.value?.[1]} ${r.value?.[0] * 1000}`);
}

function filterByRegex(options, regex) {
  const m = /^\/(.*)\/([a-z]*)$/s.exec(regex ?? '');
  if (!regex) return options;
  let re;
  try { re = m ? new RegExp(m[1], m[2].replace(/[^imsu]/g, '')) : new RegExp(regex); } catch { return options; }
  return options.flatMap((o) => {
    const hit = re.exec(o);
    return hit ? [hit[1] ?? o] : [];
  });
}

async function optionsOf(v, context, values) {
  const text = typeof v.query === 'object' && v.query ? v.query.query ?? '' : v.query ?? v.definition ?? '';
  switch (v.type) {
    case 'datasource': return filterByRegex(context.store.sortedDatasources().filter((d) => d.type === text).map((d) => d.name), v.regex);
    case 'custom': return String(text).split(/(?<!\\),/).map((o) => o.trim().split(/\s+:\s+/).pop()).filter(Boolean);
    case 'interval': return String(text).split(',').map((o) => o.trim()).filter(Boolean);
    case 'constant': case 'textbox': return [String(text)];
    case 'query': {
      const { ds } = datasourceOf(context.store, v.datasource, values);
      if (!ds || ds.type !== 'prometheus') return [];
      const list = [...new Set(filterByRegex(await queryOptions(ds, text, context.range, values), v.regex))];
      return list.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    }
    default: return [];
  }
}

/**
 * Values of all variables of a dashboard, in order (one may use those before it).
 * @returns {Promise<Map<string, {list: string[], multi: boolean, all: boolean, allValue: string, label: string, options: string[]}>>}
 */
async function resolve(json, context) {
  const values = new Map();
  for (const v of Array.isArray(json.templating?.list) ? json.templating.list : []) {
    if (!v?.name) continue;
    let options = [];
    try { options = await optionsOf(v, context, values); } catch { /* an unreachable Prometheus gives no option */ }
    const asked = context.params?.getAll(`var-${v.name}`) ?? [];
    let chosen = asked.length ? asked : asList(v.current?.value);
    const all = chosen.includes('$__all') || chosen.includes('All') || (!chosen.length && v.includeAll && v.multi);
    if (all) chosen = options;
    else if (v.type === 'query' || v.type === 'datasource') {
      const byUid = (c) => (v.type === 'datasource' ? context.store.datasource({ uid: c })?.name ?? c : c);
      const kept = chosen.map(byUid).filter((c) => options.includes(c));
      chosen = kept.length ? kept : options.slice(0, 1);
    } else if (!chosen.length || (chosen.length === 1 && chosen[0] === '')) chosen = options.slice(0, 1);
    values.set(v.name, { list: chosen.filter((c) => c !== '$__auto_interval_' + v.name), multi: Boolean(v.multi), all, allValue: v.allValue ?? '', label: v.label || v.name, options, hide: v.hide });
  }
  return values;
}

module.exports = { resolve, replace, datasourceOf };
