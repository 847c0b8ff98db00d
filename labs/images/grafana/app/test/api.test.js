'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { fakePrometheus, grafana, datasource, provider } = require('./helper');

let prom;
let g;
before(async () => {
  prom = await fakePrometheus();
  g = await grafana({
    files: {
      'provisioning/datasources/ds.yml': `${datasource(prom.url, '    jsonData: {timeInterval: 5s}\n')}  - {name: Lost, uid: lost, type: prometheus, url: "http://127.0.0.1:1"}\n  - {name: NoScheme, uid: noscheme, type: prometheus, url: "prometheus:9090"}\n  - {name: Wrong, uid: wrong, type: prometheus, url: "${prom.url}/elsewhere"}\n`,
      'provisioning/dashboards/db.yml': provider(), 'dashboards/api.json': JSON.stringify({ title: 'API', uid: 'api', tags: ['tp', 'api'], panels: [] }),
    },
  });
});
after(async () => { await g.stop(); prom.close(); });

test('starts fast and says what it is in its log', () => {
  assert.ok(g.ready < 2000, `${g.ready} ms`);
  assert.match(g.log, /Doublure de Grafana/);
});

test('health needs no login', async () => {
  const r = await g.get('/api/health', { auth: null });
  assert.equal(r.status, 200);
  assert.deepEqual([r.json.database, r.json.version], ['ok', '11.1.0']);
  assert.match(r.headers.get('content-type'), /^application\/json/);
});

test('401, 403 and 404 have the shapes of Grafana', async () => {
  const none = await g.get('/api/datasources', { auth: null });
  assert.deepEqual([none.status, none.json], [401, { extra: null, message: 'Unauthorized', messageId: 'auth.unauthorized', statusCode: 401, traceID: '' }]);
  const wrong = await g.get('/api/org', { auth: 'admin:nope' });
  assert.deepEqual([wrong.status, wrong.json.messageId, wrong.json.message], [401, 'password-auth.failed', 'Invalid username or password']);
  assert.equal((await g.get('/api/nothing')).status, 404);
  assert.equal((await g.get('/api/dashboards/uid/none')).json.message, 'Dashboard not found');
  assert.deepEqual([(await g.get('/api/datasources/uid/none')).status, (await g.get('/api/datasources/uid/none')).json.message], [404, 'Data source not found']);
});

test('login by form gives a session, logout ends it', async () => {
  const page = await g.get('/login', { auth: null });
  assert.equal(page.status, 200);
  assert.match(page.text, /Doublure de Grafana/);
  const bad = await g.get('/login', { auth: null, method: 'POST', body: { user: 'admin', password: 'no' } });
  assert.deepEqual([bad.status, bad.json.message], [401, 'Invalid username or password']);
  const odd = await g.get('/login', { auth: null, method: 'POST', body: { username: 'admin', password: 'admin' } });
  assert.deepEqual([odd.status, odd.json.messageId], [400, 'form-auth.invalid']);
  const good = await g.get('/login', { auth: null, method: 'POST', body: { user: 'admin', password: 'admin' } });
  assert.deepEqual([good.status, good.json.message], [200, 'Logged in']);
  const cookie = good.headers.getSetCookie().find((c) => c.startsWith('grafana_session='));
  assert.match(cookie, /HttpOnly; SameSite=Lax/);
  const headers = { cookie: cookie.split(';')[0] };
  assert.equal((await g.get('/api/user', { auth: null, headers })).json.login, 'admin');
  const out = await g.get('/logout', { auth: null, headers });
  assert.deepEqual([out.status, out.headers.get('location')], [302, '/login']);
  assert.equal((await g.get('/api/user', { auth: null, headers })).status, 401);
});

test('the organisation and the user', async () => {
  assert.equal((await g.get('/api/org')).json.name, 'Main Org.');
  const user = (await g.get('/api/user')).json;
  assert.deepEqual([user.id, user.login, user.isGrafanaAdmin, user.orgId], [1, 'admin', true, 1]);
});

test('data sources by id, uid and name', async () => {
  const list = (await g.get('/api/datasources')).json;
  assert.deepEqual(list.map((d) => d.name), ['Lost', 'NoScheme', 'Prometheus', 'Wrong']);
  const prometheus = list.find((d) => d.uid === 'prom');
  for (const where of [String(prometheus.id), 'uid/prom', 'name/Prometheus']) {
    const one = (await g.get(`/api/datasources/${where}`)).json;
    assert.deepEqual([one.uid, one.type, one.url, one.isDefault, one.readOnly], ['prom', 'prometheus', prom.url, true, true]);
  }
  assert.deepEqual((await g.get('/api/datasources/id/Prometheus')).json, { id: prometheus.id });
  assert.equal((await g.get('/api/datasources/uid/prom', { method: 'DELETE' })).status, 403);
});

test('data source health really asks the server', async () => {
  const seen = prom.asked.length;
  const ok = await g.get('/api/datasources/uid/prom/health');
  assert.deepEqual([ok.status, ok.json.status, ok.json.message], [200, 'OK', 'Successfully queried the Prometheus API.']);
  assert.deepEqual(ok.json.details, { application: 'Prometheus', features: { rulerApiEnabled: false } });
  assert.equal(prom.asked[seen].params.query, '1+1');
  const health = async (uid) => {
    const r = await g.get(`/api/datasources/uid/${uid}/health`);
    assert.deepEqual([r.status, r.json.status], [400, 'ERROR']);
    assert.match(r.json.message, / - There was an error returned querying the Prometheus API\.$/);
    return r.json.message;
  };
  assert.match(await health('lost'), /^Post "http:\/\/127\.0\.0\.1:1\/api\/v1\/query": dial tcp 127\.0\.0\.1:1: connect: connection refused/);
  assert.match(await health('noscheme'), /unsupported protocol scheme "prometheus"/);
  assert.match(await health('wrong'), /^404 Not Found/);
  assert.equal((await g.get('/api/datasources/uid/none/health')).status, 500);
});

test('proxy and resources go to Prometheus', async () => {
  const list = (await g.get('/api/datasources')).json;
  const { id } = list.find((d) => d.uid === 'prom');
  for (const where of ['uid/prom', String(id)]) {
    const r = await g.get(`/api/datasources/proxy/${where}/api/v1/query?query=up`);
    assert.deepEqual([r.status, r.json.data.result[0].metric.__name__], [200, 'up']);
  }
  assert.equal(prom.asked.at(-1).headers.authorization, undefined);
  const form = await g.get('/api/datasources/proxy/uid/prom/api/v1/query', { method: 'POST', body: 'query=up', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(form.status, 200);
  assert.equal((await g.get('/api/datasources/proxy/uid/prom/api/v1/admin/tsdb/snapshot', { method: 'POST', body: '' })).status, 403);
  assert.equal((await g.get('/api/datasources/proxy/uid/lost/api/v1/query?query=up')).status, 502);
  assert.deepEqual([(await g.get('/api/datasources/proxy/uid/none/x')).status], [404]);
  assert.deepEqual((await g.get('/api/datasources/uid/prom/resources/api/v1/label/job/values')).json.data, ['express-api', 'prometheus']);
});

const ask = (queries, more = {}) => g.get('/api/ds/query', { method: 'POST', body: { queries, from: 'now-5m', to: 'now', ...more } });

test('an instant and a range query come back as frames', async () => {
  const datasourceRef = { type: 'prometheus', uid: 'prom' };
  const r = await ask([
    { refId: 'A', datasource: datasourceRef, expr: 'up', instant: true, legendFormat: '{{job}}' },
    { refId: 'B', datasource: datasourceRef, expr: 'rate(x[$__rate_interval]) + $__range_s', range: true, intervalMs: 15000, maxDataPoints: 100 },
  ]);
  assert.equal(r.status, 200);
  const { A, B } = r.json.results;
  assert.deepEqual([A.status, A.frames.length, A.frames[0].schema.meta.type], [200, 1, 'numeric-multi']);
  const [time, value] = A.frames[0].schema.fields;
  assert.deepEqual([time.name, time.type, value.type, value.labels.job, value.config.displayNameFromDS], ['Time', 'time', 'number', 'express-api', 'express-api']);
  assert.deepEqual(A.frames[0].data.values[1], [1]);
  assert.deepEqual([B.frames[0].schema.meta.type, B.frames[0].schema.meta.executedQueryString], ['timeseries-multi', 'Expr: rate(x[20s]) + 300\nStep: 15s']);
  assert.ok(B.frames[0].data.values[0].length >= 20);
  const range = prom.asked.findLast((a) => a.path === '/api/v1/query_range');
  assert.deepEqual([range.method, range.params.step, Number(range.params.start) % 15], ['POST', '15', 0]);
});

test('no data, NaN, a bad query and an unknown source', async () => {
  const datasourceRef = { uid: 'prom' };
  const empty = (await ask([{ refId: 'A', datasource: datasourceRef, expr: 'absent', instant: true }])).json.results.A;
  assert.deepEqual([empty.status, empty.frames.length, empty.frames[0].schema.fields, empty.frames[0].data.values], [200, 1, [], []]);
  const nan = (await ask([{ refId: 'A', datasource: datasourceRef, expr: 'nan', instant: true }])).json.results.A.frames[0];
  assert.deepEqual([nan.data.values[1], nan.data.entities], [[null], [null, { NaN: [0] }]]);
  const bad = await ask([{ refId: 'A', datasource: datasourceRef, expr: 'rate(', instant: true }]);
  assert.deepEqual([bad.status, bad.json.results.A.status, bad.json.results.A.error], [400, 400, 'bad_data: invalid parameter "query": 1:6: parse error: unclosed left parenthesis']);
  assert.equal((await ask([{ refId: 'A', datasource: { uid: '${DS_PROMETHEUS}' }, expr: 'up' }])).status, 404);
  assert.equal((await ask([])).json.messageId, 'query.noQueries');
  assert.equal((await ask([{ refId: 'A', expr: 'up' }])).json.messageId, 'query.invalidDatasourceId');
});

test('search by text, type, tag, uid and folder', async () => {
  const titles = async (q) => (await g.get(`/api/search?${q}`)).json.map((h) => h.title);
  assert.deepEqual(await titles(''), ['TP', 'API']);
  assert.deepEqual(await titles('query=ap'), ['API']);
  assert.deepEqual(await titles('type=dash-folder'), ['TP']);
  assert.deepEqual(await titles('tag=tp&tag=api'), ['API']);
  assert.deepEqual(await titles('tag=none'), []);
  assert.deepEqual(await titles('dashboardUIDs=api'), ['API']);
  const folder = (await g.get('/api/folders')).json[0];
  assert.deepEqual(await titles(`folderIds=${folder.id}`), ['API']);
  assert.deepEqual(await titles(`folderUIDs=${folder.uid}`), ['API']);
  assert.deepEqual(await titles('folderIds=0'), ['TP']);
});

test('metrics, empty alert rules, home', async () => {
  const metrics = await g.get('/metrics', { auth: null });
  assert.match(metrics.text, /^grafana_build_info\{.*version="11\.1\.0"\} 1$/m);
  assert.match(metrics.text, /^grafana_stat_totals_dashboard 1$/m);
  assert.deepEqual((await g.get('/api/prometheus/grafana/api/v1/rules')).json, { status: 'success', data: { groups: [] } });
  assert.equal((await g.get('/api/dashboards/home')).json.dashboard.title, 'Home');
});
