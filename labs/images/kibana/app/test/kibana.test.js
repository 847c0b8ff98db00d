'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { App } = require('../lib/app');
const { load } = require('../lib/settings');

/** A small Elasticsearch: documents by path, one account when `secret` is given. */
function elastic(secret) {
  const docs = new Map();
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
    const { pathname } = new URL(req.url, 'http://x');
    const send = (status, json) => { res.writeHead(status, { 'content-type': 'application/json' }); res.end(JSON.stringify(json)); };
    if (secret && req.headers.authorization !== `Basic ${Buffer.from(secret).toString('base64')}`) return send(401, { error: { reason: 'missing authentication' } });
    if (pathname === '/' || pathname === '/_security/_authenticate') return send(200, { version: { number: '8.10.3' } });
    const m = /^\/\.kibana_8\.10\.3_001(?:\/(_doc|_create|_search)(?:\/(.*))?)?$/.exec(pathname);
    if (!m) return send(404, {});
    const id = m[2] && decodeURIComponent(m[2]);
    if (!m[1]) { if (req.method === 'PUT') docs.made = true; return send(docs.made ? 200 : 404, {}); }
    if (m[1] === '_search') return send(200, { hits: { hits: [...docs].filter(([, d]) => d.type === body.query.term.type).map(([k, d]) => ({ _id: k, _source: d })) } });
    if (req.method === 'PUT') { if (m[1] === '_create' && docs.has(id)) return send(409, {}); docs.set(id, body); return send(201, {}); }
    if (!docs.has(id)) return send(404, {});
    if (req.method === 'DELETE') docs.delete(id);
    return send(200, { _source: docs.get(id) });
  });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}`, close() { server.close(); server.closeAllConnections(); } })); });
}

const settings = (env, text = '') => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'kibana-')), 'kibana.yml');
  fs.writeFileSync(file, text);
  return load([], env, file);
};

/** Starts the double and waits for `level`. */
async function kibana(env, text, level = 'available') {
  const app = new App(settings({ SERVER_PORT: '0', ELASTICSEARCH_HEALTHCHECK_DELAY: '50', ...env }, text));
  app.settings['server.port'] = 0;
  await app.start();
  const base = `http://127.0.0.1:${app.server.address().port}`;
  const get = async (where, options = {}) => {
    const r = await fetch(base + where, { redirect: 'manual', ...options, headers: { ...(options.body ? { 'content-type': 'application/json' } : {}), ...options.headers } });
    const body = await r.text();
    let json;
    try { json = JSON.parse(body); } catch { /* a page */ }
    return { status: r.status, headers: r.headers, text: body, json };
  };
  const reach = async (wanted) => { for (let i = 0; i < 100; i += 1) { const s = await get(`${app.rewrite ? app.base : ''}/api/status`); if (s.json.status.overall.level === wanted) return s; await new Promise((r) => { setTimeout(r, 30); }); } throw new Error(`never ${wanted}`); };
  return { app, get, reach, first: await reach(level) };
}

test('status follows Elasticsearch; nothing is served before it is seen', async () => {
  const es = await elastic();
  const k = await kibana({ ELASTICSEARCH_HOSTS: es.url });
  assert.equal(k.first.status, 200);
  assert.match(k.first.text, /"overall":\{"level":"available"/);
  es.close();
  assert.equal((await k.reach('critical')).status, 503);
  k.app.stop();
  const alone = await kibana({ ELASTICSEARCH_HOSTS: es.url }, '', 'unavailable');
  assert.equal(alone.first.status, 503);
  const home = await alone.get('/');
  assert.deepEqual([home.status, home.text], [503, 'Kibana server is not ready yet.']);
  alone.app.stop();
});

test('writes need kbn-xsrf; data views are kept, listed, refused twice, deleted', async () => {
  const es = await elastic();
  const k = await kibana({ ELASTICSEARCH_HOSTS: JSON.stringify([es.url]), SERVER_NAME: 'logstream' });
  const body = JSON.stringify({ data_view: { title: 'logs-*', name: 'Journaux', timeFieldName: '@timestamp' } });
  const refused = await k.get('/api/data_views/data_view', { method: 'POST', body });
  assert.deepEqual([refused.status, refused.json.message], [400, 'Request must contain a kbn-xsrf header.']);
  const post = { method: 'POST', body, headers: { 'kbn-xsrf': 'true' } };
  const made = await k.get('/api/data_views/data_view', post);
  assert.deepEqual([made.status, made.json.data_view.title, made.headers.get('kbn-name')], [200, 'logs-*', 'logstream']);
  assert.match((await k.get('/api/data_views/data_view', post)).json.message, /Duplicate data view: Journaux/);
  assert.equal((await k.get('/api/data_views')).json.data_view.length, 1);
  assert.equal((await k.get('/api/data_views/default')).json.data_view_id, made.json.data_view.id);
  assert.equal((await k.get('/api/saved_objects/_find?type=index-pattern')).json.total, 1);
  assert.equal((await k.get(`/api/data_views/data_view/${made.json.data_view.id}`, { method: 'DELETE', headers: { 'kbn-xsrf': '1' } })).status, 200);
  assert.equal((await k.get(`/api/data_views/data_view/${made.json.data_view.id}`)).status, 404);
  assert.equal((await k.get('/rien')).status, 404);
  k.app.stop(); es.close();
});

test('base path: kept out of requests unless rewritten, always in redirects', async () => {
  const es = await elastic();
  const plain = await kibana({ ELASTICSEARCH_HOSTS: es.url, SERVER_BASEPATH: '/kibana' });
  assert.equal((await plain.get('/')).headers.get('location'), '/kibana/spaces/enter');
  assert.equal((await plain.get('/kibana/app/home')).status, 404);
  assert.equal((await plain.get('/app/home')).status, 200);
  plain.app.stop();
  const rewritten = await kibana({ ELASTICSEARCH_HOSTS: es.url, SERVER_BASEPATH: '/kibana', SERVER_REWRITEBASEPATH: 'true' });
  assert.equal((await rewritten.get('/api/status')).status, 404);
  assert.equal((await rewritten.get('/kibana/')).headers.get('location'), '/kibana/spaces/enter');
  assert.match((await rewritten.get('/kibana/app/home')).text, /href="\/kibana\/app\/discover"/);
  rewritten.app.stop(); es.close();
});

test('with security: level only for strangers, API and pages closed', async () => {
  const es = await elastic('kibana_system:k');
  const k = await kibana({ ELASTICSEARCH_HOSTS: es.url, ELASTICSEARCH_USERNAME: 'kibana_system', ELASTICSEARCH_PASSWORD: 'k' });
  assert.deepEqual(k.first.json, { status: { overall: { level: 'available' } } });
  assert.equal((await k.get('/api/data_views')).status, 401);
  assert.match((await k.get('/')).headers.get('location'), /^\/login\?next=/);
  assert.equal((await k.get('/api/data_views', { headers: { authorization: `Basic ${btoa('kibana_system:k')}` } })).status, 200);
  k.app.stop();
  const wrong = await kibana({ ELASTICSEARCH_HOSTS: es.url, ELASTICSEARCH_USERNAME: 'kibana_system', ELASTICSEARCH_PASSWORD: 'no' }, '', 'unavailable');
  assert.equal(wrong.first.status, 503);
  wrong.app.stop(); es.close();
});

test('settings: file, environment over it, mistakes refused', () => {
  assert.equal(settings({ SERVER_NAME: 'b' }, 'server.name: a\nserver:\n  port: 5602\n')['server.name'], 'b');
  assert.throws(() => settings({}, 'server.basepath: /x\n'), /Unknown configuration key\(s\): "server.basepath"/);
  assert.throws(() => settings({ SERVER_BASEPATH: '/kibana/' }), /must start with a slash/);
  assert.throws(() => settings({ SERVER_REWRITEBASEPATH: 'true' }), /cannot use \[rewriteBasePath\]/);
  assert.throws(() => settings({ ELASTICSEARCH_USERNAME: 'elastic' }), /value of "elastic" is forbidden/);
  assert.throws(() => settings({ ELASTICSEARCH_HOSTS: 'elasticsearch:9200' }), /expected URI with scheme/);
});
