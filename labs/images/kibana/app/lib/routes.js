'use strict';
// What is answered once Elasticsearch has been seen: the API, simple pages.
const crypto = require('node:crypto');
const os = require('node:os');
const { Answer } = require('./objects');

const VERSION = '8.10.3';
const APPS = { home: 'Accueil', discover: 'Discover', dashboards: 'Dashboards', visualize: 'Visualize', management: 'Gestion', dev_tools: 'Dev Tools', logs: 'Logs', observability: 'Observability' };

const level = (up) => (up ? 'available' : 'critical');

/** Body of /api/status; `full` when the caller may see it. */
function status(app, full) {
  const { state } = app.elastic;
  const ready = app.ready;
  const overall = !ready ? { level: 'unavailable', summary: 'Kibana is still starting up' } : { level: level(state.up), summary: state.up ? 'All services and plugins are available' : '1 service is critical: elasticsearch' };
  if (!full) return { status: { overall: { level: overall.level } } };
  const memory = process.memoryUsage();
  return {
    name: app.settings['server.name'], uuid: app.uuid,
    version: { number: VERSION, build_hash: 'offline', build_number: 66507, build_snapshot: false, build_flavor: 'traditional', build_date: '2023-10-05T10:26:33.353Z' },
    status: {
      overall,
      core: {
        elasticsearch: { level: level(state.up), summary: state.summary, meta: { warningNodes: [], incompatibleNodes: [] } },
        savedObjects: { level: ready && state.up ? 'available' : 'unavailable', summary: ready && state.up ? 'SavedObjects service has completed migrations and is available' : 'SavedObjects service is not available without a healthy Elasticsearch connection', meta: { migratedIndices: { migrated: 0, skipped: 0, patched: 0 } } },
      },
      plugins: {},
    },
    metrics: {
      last_updated: new Date().toISOString(), collection_interval_in_millis: 5000, os: { platform: 'linux', load: { '1m': os.loadavg()[0], '5m': os.loadavg()[1], '15m': os.loadavg()[2] }, memory: { total_in_bytes: os.totalmem(), free_in_bytes: os.freemem() } },
      process: { pid: process.pid, memory: { heap: { total_in_bytes: memory.heapTotal, used_in_bytes: memory.heapUsed, size_limit: memory.heapTotal }, resident_set_size_in_bytes: memory.rss }, uptime_in_millis: Math.round(process.uptime() * 1000) },
      requests: { disconnects: 0, total: app.requests, statusCodes: {} }, concurrent_connections: 0,
    },
  };
}

const view = ({ id, attributes }) => ({ id, namespaces: ['default'], version: 'WzEsMV0=', title: attributes.title, name: attributes.name ?? attributes.title, ...(attributes.timeFieldName ? { timeFieldName: attributes.timeFieldName } : {}), sourceFilters: [], fields: {}, typeMeta: {}, fieldFormats: {}, runtimeFieldMap: {}, fieldAttrs: {}, allowNoIndex: false });
const bad = (message) => new Answer(400, 'Bad Request', message);

async function createView(app, body) {
  const wanted = body?.data_view ?? body?.index_pattern;
  if (!wanted || typeof wanted !== 'object') throw bad('[request body.data_view]: expected a plain object value, but found [undefined] instead.');
  if (typeof wanted.title !== 'string') throw bad('[request body.data_view.title]: expected value of type [string] but got [undefined]');
  const { title, timeFieldName, id } = wanted;
  const name = wanted.name ?? title;
  const same = (await app.objects.all('index-pattern')).find((o) => (o.attributes.name ?? o.attributes.title) === name || o.id === id);
  if (same && !body.override) throw bad(`Duplicate data view: ${name}`);
  if (same) await app.objects.remove('index-pattern', same.id);
  const made = await app.objects.put('index-pattern', { title, name, ...(timeFieldName ? { timeFieldName } : {}), fields: '[]' }, id ?? crypto.randomUUID());
  if (!same && (await app.objects.all('index-pattern')).length === 1) await app.objects.put('config', { defaultIndex: made.id }, VERSION, true);
  return { data_view: view(made) };
}

const short = (o, type) => ({ type, id: o.id, attributes: o.attributes, references: [], namespaces: ['default'], updated_at: o.updated_at, managed: false, coreMigrationVersion: '8.8.0' });

/** The answer of an API path: [status, body], or null. */
async function api(app, method, url, body, as) {
  const parts = url.pathname.split('/').filter(Boolean).slice(1).map(decodeURIComponent);
  const [a, b, c, d] = parts;
  const at = `${method} ${a}/${b ?? ''}`;
  if (a === 'data_views' || a === 'index_patterns') {
    if (!b && method === 'GET') return [200, { data_view: (await app.objects.all('index-pattern')).map(view).map(({ id, namespaces, title, name, typeMeta }) => ({ id, namespaces, title, name, typeMeta })) }];
    if (b === 'default' && method === 'GET') return [200, { data_view_id: (await app.objects.get('config', VERSION).catch(() => null))?.attributes.defaultIndex ?? '' }];
    if (b === 'default' && method === 'POST') { await app.objects.put('config', { defaultIndex: body?.data_view_id ?? '' }, VERSION, true); return [200, { acknowledged: true }]; }
    if (b !== 'data_view') return null;
    if (!c && method === 'POST') return [200, await createView(app, body)];
    if (c && method === 'GET') return [200, { data_view: view(await app.objects.get('index-pattern', c)) }];
    if (c && method === 'DELETE') { await app.objects.remove('index-pattern', c); return [200, {}]; }
    if (c && method === 'POST') {
      const old = await app.objects.get('index-pattern', c);
      return [200, { data_view: view(await app.objects.put('index-pattern', { ...old.attributes, ...body?.data_view }, c, true)) }];
    }
    return null;
  }
  if (a === 'saved_objects' && b === '_find' && method === 'GET') {
    const types = url.searchParams.getAll('type');
    if (!types.length) throw bad('[request query.type]: expected at least one defined value but got [undefined]');
    const found = (await Promise.all(types.map(async (t) => (await app.objects.all(t)).map((o) => short(o, t))))).flat();
    return [200, { page: 1, per_page: Number(url.searchParams.get('per_page') ?? 20), total: found.length, saved_objects: found }];
  }
  if (a === 'saved_objects' && b && !b.startsWith('_')) {
    if (c && method === 'GET') return [200, short(await app.objects.get(b, c), b)];
    if (method === 'POST') return [200, short(await app.objects.put(b, body?.attributes ?? {}, c, url.searchParams.get('overwrite') === 'true'), b)];
    if (c && method === 'DELETE') { await app.objects.remove(b, c); return [200, {}]; }
    if (c && method === 'PUT') return [200, short(await app.objects.put(b, { ...(await app.objects.get(b, c)).attributes, ...body?.attributes }, c, true), b)];
  }
  if (at === 'GET spaces/space') return [200, c ? SPACE : [SPACE]];
  if (at === 'POST console/proxy') {
    const answer = await app.elastic.ask(url.searchParams.get('method') ?? 'GET', `/${(url.searchParams.get('path') ?? '').replace(/^\//, '')}`, body, as ?? app.elastic.own);
    return [answer.status, answer.json ?? answer.text];
  }
  return d === undefined && a === 'features' && method === 'GET' ? [200, []] : null;
}

const SPACE = { id: 'default', name: 'Default', description: 'This is your default space!', color: '#00bfb3', disabledFeatures: [], _reserved: true };

const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A page of /app/NAME. */
async function page(app, name) {
  const base = app.base;
  let inside = '';
  if (name === 'discover' || name === 'home' || name === 'management') {
    const views = await app.objects.all('index-pattern').catch(() => []);
    inside += `<h2>Vues de données</h2><ul>${views.map((v) => `<li><code>${escape(v.attributes.title)}</code> ${escape(v.attributes.name)}</li>`).join('') || '<li>aucune</li>'}</ul>`;
    if (name === 'discover' && views.length) {
      const where = views[0].attributes.title.split(',').map((p) => encodeURIComponent(p.trim())).join(',');
      const found = await app.elastic.ask('GET', `/${where}/_search?size=20&ignore_unavailable=true`).catch(() => null);
      inside += `<h2>Derniers documents</h2>${(found?.json?.hits?.hits ?? []).map((h) => `<pre>${escape(JSON.stringify(h._source, null, 1))}</pre>`).join('')}`;
    }
  }
  return `<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><title>Elastic — ${escape(APPS[name] ?? name)}</title><base href="${escape(base)}/">
<style>body{font-family:sans-serif;margin:0;color:#343741}header{background:#25262e;color:#fff;padding:.6em 1em}nav a{color:#9cf;margin-right:1em}main{padding:1em}.note{background:#fff8e1;padding:.6em 1em}pre{background:#f5f7fa;padding:.5em;overflow:auto}</style></head>
<body class="kbnBody"><header><strong>Kibana</strong> <nav>${Object.entries(APPS).map(([k, v]) => `<a href="${escape(base)}/app/${k}">${escape(v)}</a>`).join('')}</nav></header>
<p class="note">Doublure de Kibana ${VERSION} (image hors ligne) : pages simplifiées, API réelle pour l’état et les vues de données.</p>
<main id="kibana-body"><h1>${escape(APPS[name] ?? name)}</h1>${inside}</main></body></html>`;
}

module.exports = { status, api, page, VERSION };
