'use strict';
// Data source routes. Documentation: "Data source HTTP API".
const prometheus = require('./prometheus');
const query = require('./query');
const { parseTime } = require('./interval');
const { upsert, listItem, details } = require('./datasources');
const { Answer, problem, caused, typed, readBody, readJson, send } = require('./http');
const { validUid } = require('./util');

const READ = { role: 'Admin', permission: 'datasources:read' };
const WRITE = { role: 'Admin', permission: 'datasources:write' };
const QUERY = { role: 'Viewer', permission: 'datasources:query' };

// Routes of the Prometheus plugin that may be posted to through the proxy.
const POST_ALLOWED = /^(api\/v1\/(query|query_range|series|labels|query_exemplars)|rules|config\/v1\/rules)/;

function register(router, app) {
  const { store } = app;
  const find = (by, missing = problem(404, 'Data source not found')) => {
    const ds = store.datasource(by);
    if (!ds) throw missing;
    return ds;
  };
  const number = (text) => {
    if (!/^-?\d+$/.test(text)) throw problem(400, 'id is invalid');
    return Number(text);
  };
  const lookups = { ':id': (p) => ({ id: number(p.id) }), 'uid/:uid': (p) => ({ uid: p.uid }), 'name/:name': (p) => ({ name: p.name }) };

  router.on('GET', '/api/datasources', READ, () => store.sortedDatasources().map(listItem));
  router.on('GET', '/api/datasources/id/:name', READ, ({ params }) => ({ id: find({ name: params.name }).id }));
  for (const [where, by] of Object.entries(lookups)) {
    router.on('GET', `/api/datasources/${where}`, READ, ({ params }) => details(find(by(params))));
    router.on('DELETE', `/api/datasources/${where}`, { ...WRITE, permission: 'datasources:delete' }, ({ params }) => {
      const ds = find(by(params));
      if (ds.readOnly) throw problem(403, 'Cannot delete read-only data source');
      store.data.datasources = store.data.datasources.filter((d) => d !== ds);
      store.save();
      return where === ':id' ? { message: 'Data source deleted' } : { id: ds.id, message: 'Data source deleted' };
    });
  }

  const wanted = (body) => {
    if (!body.name || !body.type || !body.access) throw caused(400, 'bad request data');
    const known = ['name', 'type', 'access', 'url', 'user', 'database', 'basicAuth', 'basicAuthUser', 'withCredentials', 'isDefault', 'secureJsonData', 'uid'];
    const out = Object.fromEntries(known.filter((k) => body[k] !== undefined && body[k] !== null).map((k) => [k, body[k]]));
    if (out.uid && (!validUid(out.uid) || out.uid.length > 40)) delete out.uid;
    return { ...out, jsonData: body.jsonData ?? {}, readOnly: false };
  };
  const save = (body, existing, message) => {
    let ds;
    const before = body.name;
    try { ds = upsert(store, body, existing); } catch (err) {
      if (err.code === 409) throw caused(409, existing ? `Failed to update datasource: ${err.message}` : err.message);
      throw err;
    }
    store.save();
    return { datasource: details(ds), id: ds.id, message, name: before };
  };
  router.on('POST', '/api/datasources', { ...WRITE, permission: 'datasources:create' }, async ({ req }) => save(wanted(await readJson(req)), undefined, 'Datasource added'));
  for (const where of [':id', 'uid/:uid']) {
    router.on('PUT', `/api/datasources/${where}`, WRITE, async ({ req, params }) => {
      const body = wanted(await readJson(req));
      const ds = find(lookups[where](params));
      if (ds.readOnly) throw problem(403, 'Cannot update read-only data source');
      return save(body, ds, 'Datasource updated');
    });
  }

  // --- health ------------------------------------------------------------
  const healthOf = async (ds) => {
    if (ds.type !== 'prometheus') throw problem(404, 'Plugin not found');
    const { ok, payload } = await query.health(ds);
    if (!ok) app.log('tsdb.prometheus').warn('Error performing prometheus healthcheck', 'err', payload.message);
    return new Answer(ok ? 200 : 400, payload);
  };
  const lost = () => caused(500, 'Unable to load datasource metadata');
  router.on('GET', '/api/datasources/uid/:uid/health', QUERY, ({ params }) => {
    if (!validUid(params.uid)) throw problem(400, 'UID is invalid');
    return healthOf(find({ uid: params.uid }, lost()));
  });
  router.on('GET', '/api/datasources/:id/health', QUERY, ({ params }) => healthOf(find({ id: number(params.id) }, lost())));

  // --- proxy and resources -------------------------------------------------
  const forward = async (ds, { req, res, url, params }) => {
    if (!ds.url) throw caused(400, `Invalid data source URL: ${JSON.stringify(ds.url ?? '')}`);
    const endpoint = params.rest;
    if (ds.type === 'prometheus' && (['DELETE', 'PUT'].includes(req.method) || (req.method === 'POST' && !POST_ALLOWED.test(endpoint)))) {
      throw problem(403, `non allow-listed ${req.method}s not allowed on proxied Prometheus datasource`);
    }
    const headers = {};
    for (const name of ['accept', 'content-type', 'accept-language']) if (req.headers[name]) headers[name] = req.headers[name];
    const target = /^[^:]*:\/\//.test(ds.url) ? ds : { ...ds, url: `http://${ds.url}` };
    const body = ['GET', 'HEAD'].includes(req.method) ? null : await readBody(req);
    let answer;
    try {
      answer = await prometheus.send(target, { method: req.method, endpoint, query: url.search.slice(1), body, headers });
    } catch (err) {
      app.log('data-proxy-log').error('Proxy request failed', 'err', err);
      return new Answer(/Timeout exceeded/.test(err.message) ? 504 : 502, '');
    }
    if (answer.status === 401) return new Answer(400, 'Authentication to data source failed');
    const keep = {};
    for (const name of ['content-type', 'content-encoding', 'location']) if (answer.headers[name]) keep[name] = answer.headers[name];
    send(res, answer.status, answer.body, { 'Content-Type': keep['content-type'] ?? 'text/plain; charset=utf-8', ...keep, 'Content-Security-Policy': 'sandbox' });
    return undefined;
  };
  const gone = () => caused(404, 'Unable to find datasource');
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    router.on(method, '/api/datasources/proxy/uid/:uid/*', QUERY, (ctx) => forward(find({ uid: ctx.params.uid }, gone()), ctx));
    router.on(method, '/api/datasources/proxy/:id/*', QUERY, (ctx) => forward(find({ id: number(ctx.params.id) }, gone()), ctx));
  }
  const resource = async (ds, { req, res, url, params }) => {
    if (ds.type !== 'prometheus') throw problem(404, 'Plugin not found');
    const endpoint = params.rest === 'version-detect' ? 'api/v1/status/buildinfo' : params.rest;
    const body = req.method === 'POST' ? await readBody(req) : null;
    const method = body !== null && String(ds.jsonData?.httpMethod || 'POST').toUpperCase() === 'POST' ? 'POST' : 'GET';
    const search = [url.search.slice(1), method === 'GET' && body ? body.toString() : ''].filter(Boolean).join('&');
    try {
      const answer = await prometheus.send(ds, {
        method, endpoint, query: search, body: method === 'POST' ? body : null, headers: method === 'POST' ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
      });
      send(res, answer.status, answer.body, { 'Content-Type': answer.headers['content-type'] ?? 'application/json', 'Content-Security-Policy': 'sandbox' });
    } catch (err) {
      app.log('tsdb.prometheus').error('Resource request failed', 'err', err);
      throw caused(500, 'Failed to call resource');
    }
  };
  const unloaded = () => caused(500, 'Unable to load datasource meta data');
  for (const method of ['GET', 'POST']) {
    router.on(method, '/api/datasources/uid/:uid/resources/*', QUERY, (ctx) => resource(find({ uid: ctx.params.uid }, unloaded()), ctx));
    router.on(method, '/api/datasources/:id/resources/*', QUERY, (ctx) => resource(find({ id: number(ctx.params.id) }, unloaded()), ctx));
  }

  // --- queries -------------------------------------------------------------
  router.on('POST', '/api/ds/query', QUERY, async ({ req }) => runQueries(app, await readJson(req)));
}

/** The data source a query names: {uid}, a plain uid, or the old numeric datasourceId. */
function sourceOf(store, model) {
  const uid = (model.datasource && typeof model.datasource === 'object' ? model.datasource.uid : model.datasource) || '';
  if (model.datasourceId) return store.datasource({ id: model.datasourceId });
  if (!uid) throw typed(400, 'Query does not contain a valid data source identifier', 'query.invalidDatasourceId');
  return store.datasource({ uid: String(uid) });
}

async function runQueries(app, body) {
  const queries = Array.isArray(body.queries) ? body.queries : [];
  if (!queries.length) throw typed(400, 'No queries found', 'query.noQueries');
  const now = Date.now();
  let range;
  try {
    range = { from: parseTime(body.from || 'now-1h', now), to: parseTime(body.to || 'now', now, true) };
  } catch (err) {
    throw caused(500, 'Query data error');
  }
  const jobs = queries.map((model) => {
    const ds = sourceOf(app.store, model);
    if (!ds) throw caused(404, 'Data source not found');
    return { model, ds };
  });
  const results = {};
  await Promise.all(jobs.map(async ({ model, ds }) => {
    results[model.refId || 'A'] = ds.type === 'prometheus'
      ? await query.run(ds, model, range)
      : { error: `plugin ${ds.type} is not part of this double`, errorSource: 'plugin', status: 500 };
  }));
  const sorted = Object.fromEntries(Object.keys(results).sort().map((k) => [k, results[k]]));
  return new Answer(Object.values(sorted).some((r) => r.error) ? 400 : 200, { results: sorted });
}

module.exports = { register, runQueries };
