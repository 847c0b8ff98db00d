'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { grafana, datasource, provider, until } = require('./helper');

const DS = 'provisioning/datasources/ds.yml';
const DB = 'provisioning/dashboards/db.yml';
const board = (more = {}) => JSON.stringify({ title: 'API', uid: 'api', tags: ['tp'], panels: [], ...more });

test('a data source file is loaded, with variables expanded and the uid derived from the name', async () => {
  const g = await grafana({
    files: { [DS]: 'apiVersion: 1\ndatasources:\n  - name: Prometheus\n    type: prometheus\n    url: http://${PROM_HOST}:9090\n    jsonData:\n      httpHeaderName1: X-$PROM_HOST\n      note: a$$b\n    secureJsonData:\n      httpHeaderValue1: secret\n' },
    env: { PROM_HOST: 'prometheus' },
  });
  const { json } = await g.get('/api/datasources');
  assert.equal(json.length, 1);
  assert.deepEqual(
    [json[0].uid, json[0].url, json[0].access, json[0].readOnly, json[0].isDefault, json[0].jsonData.note, json[0].jsonData.httpHeaderName1],
    ['PBFA97CFB590B2093', 'http://prometheus:9090', 'proxy', true, false, 'a$b', 'X-prometheus'],
  );
  const one = await g.get('/api/datasources/uid/PBFA97CFB590B2093');
  assert.deepEqual(one.json.secureJsonFields, { httpHeaderValue1: true });
  assert.ok(!one.text.includes('secret'));
  await g.stop();
});

for (const [what, text, message] of [
  ['invalid YAML', 'apiVersion: 1\ndatasources:\n  - name: a\n   type: b\n', /Datasource provisioning error: yaml: line \d+/],
  ['a mapping where a list belongs', 'apiVersion: 1\ndatasources:\n  name: a\n  type: prometheus\n', /cannot unmarshal !!map into \[\]\*datasources/],
  ['two default data sources', 'apiVersion: 1\ndatasources:\n  - {name: a, type: prometheus, isDefault: true}\n  - {name: b, type: prometheus, isDefault: true}\n', /Only one datasource per organization can be marked as default/],
  ['a boolean Go does not know', 'apiVersion: 1\ndatasources:\n  - {name: a, type: prometheus, isDefault: yes}\n', /strconv.ParseBool: parsing "yes": invalid syntax/],
  ['a duplicate key', 'apiVersion: 1\ndatasources:\n  - name: a\n    name: b\n', /Datasource provisioning error: yaml/],
]) {
  test(`${what} in a data source file ends the process`, async () => {
    const g = await grafana({ files: { [DS]: text } });
    await g.ended;
    assert.equal(g.exit, 1);
    assert.match(g.log, /level=error msg="Failed to provision data sources"/);
    assert.match(g.log, message);
    assert.match(g.log, /^Error: ✗ Datasource provisioning error/m);
  });
}

test('a directory in place of the file ends the process, as after a wrong bind mount', async () => {
  const g = await grafana({ files: { [`${DS}/x`]: '' } });
  await g.ended;
  assert.equal(g.exit, 1);
  assert.match(g.log, /read .*ds\.yml: is a directory/);
});

test('without apiVersion the old format is read: snake case', async () => {
  const g = await grafana({ files: { [DS]: 'datasources:\n  - {name: a, type: prometheus, isDefault: true}\n  - {name: b, type: prometheus, is_default: true}\n' } });
  const { json } = await g.get('/api/datasources');
  assert.deepEqual(json.map((d) => d.isDefault), [false, true]);
  assert.match(g.log, /\[Deprecated\]/);
  await g.stop();
});

test('deleteDatasources removes what an earlier run has left', async () => {
  const first = await grafana({ files: { [DS]: 'apiVersion: 1\ndatasources:\n  - {name: Old, type: prometheus, url: "http://x"}\n' } });
  await first.stop();
  fs.writeFileSync(path.join(first.root, DS), 'apiVersion: 1\ndeleteDatasources:\n  - {name: Old, orgId: 1}\ndatasources:\n  - {name: New, type: prometheus, url: "http://y"}\n');
  const g = await grafana({ root: first.root });
  assert.deepEqual((await g.get('/api/datasources')).json.map((d) => d.name), ['New']);
  await g.stop();
});

test('dashboards are loaded into their folder; broken files are logged and do not stop the others', async () => {
  const g = await grafana({
    files: {
      [DS]: datasource('http://127.0.0.1:9'), [DB]: provider(), 'dashboards/api.json': board(), 'dashboards/sub/other.json': JSON.stringify({ title: 'Sans uid' }),
      'dashboards/broken.json': '{"title": ', 'dashboards/wrapped.json': JSON.stringify({ dashboard: { title: 'x' }, meta: {} }), 'dashboards/.hidden/no.json': board({ uid: 'no', title: 'no' }),
    },
  });
  const hits = (await g.get('/api/search?type=dash-db')).json;
  assert.deepEqual(hits.map((h) => [h.title, h.folderTitle]), [['API', 'TP'], ['Sans uid', 'TP']]);
  assert.match(hits[1].uid, /^[a-z][a-z0-9]{13}$/);
  assert.match(g.log, /logger=provisioning\.dashboard type=file name=tp t=\S+ level=error msg="failed to load dashboard from " file=\S+broken\.json/);
  assert.match(g.log, /wrapped\.json error="Dashboard title cannot be empty"/);
  const full = (await g.get('/api/dashboards/uid/api')).json;
  assert.deepEqual([full.meta.provisioned, full.meta.provisionedExternalId, full.meta.folderTitle, full.dashboard.title, full.dashboard.version], [true, 'api.json', 'TP', 'API', 1]);
  assert.match(full.meta.folderUrl, /^\/dashboards\/f\/\w+\/tp$/);
  await g.stop();
});

test('a changed file is read again, a removed one is dropped', async () => {
  const g = await grafana({ files: { [DB]: provider(), 'dashboards/api.json': board() } });
  const file = path.join(g.root, 'dashboards/api.json');
  fs.writeFileSync(file, board({ title: 'API bis' }));
  fs.utimesSync(file, new Date(), new Date(Date.now() + 5000));
  assert.ok(await until(async () => (await g.get('/api/search?query=bis')).json.length === 1));
  assert.equal((await g.get('/api/dashboards/uid/api')).json.dashboard.version, 2);
  fs.rmSync(file);
  assert.ok(await until(async () => (await g.get('/api/dashboards/uid/api')).status === 404));
  await g.stop();
});

test('a generated uid survives a restart', async () => {
  const first = await grafana({ files: { [DB]: provider(), 'dashboards/a.json': JSON.stringify({ title: 'A' }) } });
  const { uid } = (await first.get('/api/search?type=dash-db')).json[0];
  await first.stop();
  const g = await grafana({ root: first.root });
  assert.equal((await g.get('/api/search?type=dash-db')).json[0].uid, uid);
  await g.stop();
});

test('a provider whose directory is missing is a warning, and is found once it appears', async () => {
  const g = await grafana({ files: { [DB]: provider().replace('/dashboards', '/later') } });
  assert.match(g.log, /level=error msg="Cannot read directory"/);
  assert.match(g.log, /level=warn msg="Failed to provision config"/);
  fs.mkdirSync(path.join(g.root, 'later'));
  fs.writeFileSync(path.join(g.root, 'later/api.json'), board());
  assert.ok(await until(async () => (await g.get('/api/search?type=dash-db')).json.length === 1));
  await g.stop();
});

for (const [what, text, message] of [
  ['a type that does not exist', provider().replace('type: file', 'type: folder'), /type folder is not supported/],
  ['no path', provider().replace('path:', 'chemin:'), /path param is not a string/],
  ['invalid YAML', 'apiVersion: 1\nproviders:\n  - name: a\n   type: b\n', /could not parse provisioning config file: db\.yml error: yaml/],
  ['a quoted apiVersion', provider().replace('apiVersion: 1', 'apiVersion: "1"'), /cannot unmarshal !!map into \[\]\*dashboards\.configV0/],
]) {
  test(`a dashboard provider with ${what} ends the process`, async () => {
    const g = await grafana({ files: { [DB]: text } });
    await g.ended;
    assert.equal(g.exit, 1);
    assert.match(g.log, message);
  });
}

test('foldersFromFilesStructure: the directory gives the folder', async () => {
  const g = await grafana({
    files: { [DB]: provider('      foldersFromFilesStructure: true\n', '""'), 'dashboards/top.json': board({ uid: 'top', title: 'Top' }), 'dashboards/Équipe/in.json': board({ uid: 'in', title: 'In' }) },
  });
  const hits = (await g.get('/api/search?type=dash-db')).json;
  assert.deepEqual(hits.map((h) => h.folderTitle), ['Équipe', undefined]);
  assert.equal((await g.get('/api/dashboards/uid/top')).json.meta.folderTitle, 'General');
  await g.stop();
});

test('the same uid in two files is reported', async () => {
  const g = await grafana({ files: { [DB]: provider(), 'dashboards/a.json': board(), 'dashboards/b.json': board({ title: 'B' }) } });
  assert.match(g.log, /the same UID is used more than once" uid=api times=2 providers=\[tp\]/);
  await g.stop();
});
