'use strict';
// What is changed through the API, and what survives a restart; settings; command line; pages.
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const path = require('node:path');
const { fakePrometheus, grafana, datasource, provider, SERVER } = require('./helper');

const post = (body) => ({ method: 'POST', body });

test('data source, dashboard, folder and import through the API survive a restart', async () => {
  const first = await grafana();
  const ds = { name: 'Prometheus', type: 'prometheus', access: 'proxy', url: 'http://prometheus:9090', isDefault: true };
  const added = await first.get('/api/datasources', post(ds));
  assert.deepEqual([added.status, added.json.message, added.json.name, added.json.datasource.readOnly], [200, 'Datasource added', 'Prometheus', false]);
  const again = await first.get('/api/datasources', post(ds));
  assert.deepEqual([again.status, again.json.message], [409, 'data source with the same name already exists']);
  assert.equal((await first.get('/api/datasources', post({ name: 'x' }))).status, 400);
  const folder = await first.get('/api/folders', post({ title: 'Équipe' }));
  assert.deepEqual([folder.status, folder.json.title], [200, 'Équipe']);
  const saved = await first.get('/api/dashboards/db', post({ dashboard: { id: null, uid: 'mine', title: 'Mien' }, folderUid: folder.json.uid, overwrite: false }));
  assert.deepEqual([saved.status, saved.json.status, saved.json.version, saved.json.url], [200, 'success', 1, '/d/mine/mien']);
  const clash = await first.get('/api/dashboards/db', post({ dashboard: { uid: 'mine', title: 'Autre' } }));
  assert.deepEqual([clash.status, clash.json.status], [412, 'version-mismatch']);
  assert.equal((await first.get('/api/dashboards/db', post({ dashboard: { uid: 'mine', title: 'Autre' }, folderUid: folder.json.uid, overwrite: true }))).json.version, 2);
  assert.equal((await first.get('/api/dashboards/db', post({ dashboard: { title: '' } }))).json.message, 'Dashboard title cannot be empty');
  const shared = { title: 'cAdvisor', uid: 'cadvisor', __inputs: [{ name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus' }], panels: [{ datasource: { uid: '${DS_PROMETHEUS}' } }] };
  assert.match((await first.get('/api/dashboards/import', post({ dashboard: shared, overwrite: true }))).json.message, /DS_PROMETHEUS missing from import command/);
  const imported = await first.get('/api/dashboards/import', post({ dashboard: shared, overwrite: true, inputs: [{ name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus', value: added.json.datasource.uid }] }));
  assert.deepEqual([imported.status, imported.json.imported, imported.json.importedUrl], [200, true, '/d/cadvisor/cadvisor']);
  await first.stop();
  assert.equal(first.exit, 0);
  const g = await grafana({ root: first.root });
  assert.equal((await g.get('/api/datasources')).json.length, 1);
  const kept = (await g.get('/api/dashboards/uid/cadvisor')).json;
  assert.deepEqual([kept.dashboard.panels[0].datasource.uid, kept.dashboard.__inputs, kept.meta.provisioned], [added.json.datasource.uid, undefined, false]);
  assert.equal((await g.get('/api/dashboards/uid/mine')).json.meta.folderTitle, 'Équipe');
  assert.deepEqual([(await g.get('/api/dashboards/uid/mine', { method: 'DELETE' })).status, (await g.get('/api/dashboards/uid/mine')).status], [200, 404]);
  await g.stop();
});

test('a provisioned dashboard is not saved over, unless allowUiUpdates says so', async () => {
  for (const [more, status] of [['', 400], ['    allowUiUpdates: true\n', 200]]) {
    const g = await grafana({ files: { 'provisioning/dashboards/db.yml': provider(more), 'dashboards/a.json': JSON.stringify({ title: 'A', uid: 'a' }) } });
    const r = await g.get('/api/dashboards/db', post({ dashboard: { uid: 'a', title: 'B' }, overwrite: true }));
    assert.equal(r.status, status);
    if (status === 400) assert.equal(r.json.message, 'Cannot save provisioned dashboard');
    assert.equal((await g.get('/api/dashboards/uid/a')).json.meta.provisioned, status === 400);
    await g.stop();
  }
});

test('the admin is made at the first start only; the environment does not change it afterwards', async () => {
  const first = await grafana({ env: { GF_SECURITY_ADMIN_USER: 'chef', GF_SECURITY_ADMIN_PASSWORD: 'tp-local' } });
  assert.equal((await first.get('/api/org', { auth: 'chef:tp-local' })).status, 200);
  assert.equal((await first.get('/api/org')).status, 401);
  await first.stop();
  const g = await grafana({ root: first.root, env: { GF_SECURITY_ADMIN_USER: 'chef', GF_SECURITY_ADMIN_PASSWORD: 'changed' } });
  assert.equal((await g.get('/api/org', { auth: 'chef:changed' })).status, 401);
  const env = { ...process.env, GF_PATHS_DATA: path.join(first.root, 'data') };
  assert.match(execFileSync(process.execPath, [SERVER, 'cli', 'admin', 'reset-admin-password', 'renewed'], { env, encoding: 'utf8' }), /changed successfully/);
  assert.equal((await g.get('/api/org', { auth: 'chef:renewed' })).status, 200);
  await g.stop();
});

test('five wrong passwords lock the login for a while', async () => {
  const g = await grafana();
  for (let i = 0; i < 5; i += 1) assert.equal((await g.get('/api/org', { auth: 'admin:wrong' })).status, 401);
  assert.equal((await g.get('/api/org')).status, 401);
  await g.stop();
});

test('anonymous access has the role it is given', async () => {
  const g = await grafana({ env: { GF_AUTH_ANONYMOUS_ENABLED: 'true' } });
  assert.equal((await g.get('/api/search', { auth: null })).status, 200);
  const refused = await g.get('/api/datasources', { auth: null });
  assert.deepEqual([refused.status, refused.json.title], [403, 'Access denied']);
  assert.equal((await g.get('/api/user', { auth: null })).status, 401);
  await g.stop();
  const admin = await grafana({ env: { GF_AUTH_ANONYMOUS_ENABLED: 'true', GF_AUTH_ANONYMOUS_ORG_ROLE: 'Admin' } });
  assert.equal((await admin.get('/api/datasources', { auth: null })).status, 200);
  await admin.stop();
});

test('settings: ini file, environment over it, sub path, unknown variables ignored', async () => {
  const g = await grafana({
    files: { 'grafana.ini': '; comment\n[security]\nadmin_password = """from;ini"""\n[server]\nroot_url = http://localhost:3000/grafana/\n' },
    env: { GF_SERVER_SERVE_FROM_SUB_PATH: 'true', GF_NOTHING_KNOWN: 'x', GF_USERS_ALLOW_SIGN_UP: 'false' },
    args: [], root: undefined,
  });
  await g.stop();
  const h = await grafana({ root: g.root, args: [`--config=${g.root}/grafana.ini`], env: { GF_PATHS_DATA: `${g.root}/other`, GF_SERVER_SERVE_FROM_SUB_PATH: 'true' } });
  assert.equal((await h.get('/grafana/api/org', { auth: 'admin:from;ini' })).status, 200);
  assert.equal((await h.get('/grafana/', { auth: null })).headers.get('location'), '/grafana/login');
  await h.stop();
});

test('pages: banner everywhere, panels drawn from real answers, nothing loaded from elsewhere, text escaped', async () => {
  const prom = await fakePrometheus();
  const panel = (id, more) => ({ id, title: `P${id} <script>`, type: 'timeseries', gridPos: { x: 0, y: id, w: 12, h: 8 }, datasource: { type: 'prometheus', uid: 'prom' }, targets: [{ refId: 'A', expr: 'up' }], ...more });
  const json = {
    title: 'API <b>', uid: 'api', time: { from: 'now-5m', to: 'now' }, refresh: '10s',
    templating: { list: [{ name: 'job', type: 'query', datasource: { uid: 'prom' }, query: 'label_values(up, job)', multi: true, includeAll: true, current: { value: ['$__all'] } }] },
    panels: [panel(1), panel(2, { type: 'stat', targets: [{ expr: 'up{job=~"$job"}' }] }), panel(3, { datasource: { uid: '${DS_PROMETHEUS}' } }), panel(4, { targets: [{ expr: 'rate(' }] }), panel(5, { type: 'piechart' }), panel(6, { type: 'table' }), panel(7, { type: 'text', options: { content: '<img>' } })],
  };
  const g = await grafana({ files: { 'provisioning/datasources/ds.yml': datasource(prom.url), 'provisioning/dashboards/db.yml': provider(), 'dashboards/api.json': JSON.stringify(json) } });
  for (const where of ['/', '/dashboards', '/d/api/api', '/d/api', '/connections/datasources', '/connections/datasources/new', '/dashboard/import', '/alerting/list', '/explore', '/rien']) {
    const r = await g.get(where);
    assert.equal(r.status, where === '/rien' ? 404 : 200, where);
    assert.match(r.text, /Doublure de Grafana/, where);
    assert.doesNotMatch(r.text, /(src|href)="(https?:)?\/\//, where);
  }
  const { text } = await g.get('/d/api/api');
  assert.match(text, /<polyline points=/);
  assert.match(text, /Datasource \$\{DS_PROMETHEUS\} was not found/);
  assert.match(text, /unclosed left parenthesis/);
  assert.ok(!text.includes('P1 <script>') && !text.includes('<img>') && !text.includes('API <b>'));
  assert.ok(prom.asked.some((a) => a.params.query === 'up{job=~"(express-api|prometheus)"}'));
  const closed = await g.get('/d/api/api', { auth: null });
  assert.deepEqual([closed.status, closed.headers.get('location')], [302, '/login']);
  await g.stop();
  prom.close();
});

test('command line: versions, and an honest refusal to install plugins', () => {
  const run = (...args) => spawnSync(process.execPath, [SERVER, ...args], { encoding: 'utf8' });
  assert.equal(run('-v').stdout, 'grafana version 11.1.0\n');
  const plugin = run('cli', '--pluginsDir', '/tmp', 'plugins', 'install', 'grafana-piechart-panel');
  assert.equal(plugin.status, 1);
  assert.match(plugin.stderr, /doublure/);
});

test('SIGTERM ends it at once', async () => {
  const g = await grafana();
  const start = Date.now();
  await g.stop();
  assert.equal(g.exit, 0);
  assert.ok(Date.now() - start < 500);
});
