'use strict';
// Data sources: the rules shared by provisioning and the HTTP API, and the provisioning itself.
// Documentation: "Provision Grafana", section "Data sources"; "Data source HTTP API".
const fs = require('node:fs');
const path = require('node:path');
const { GoYaml } = require('./yamlgo');
const { uidFromName, shortUid, fileError } = require('./util');

const FIELDS = ['type', 'access', 'url', 'user', 'database', 'basicAuth', 'basicAuthUser', 'withCredentials', 'isDefault', 'jsonData', 'readOnly'];

/** Adds or updates one data source; only one can be the default. Throws with `.code` 409 on a name or uid taken. */
function upsert(store, wanted, existing) {
  const clash = (key, message) => {
    const other = store.datasource({ [key]: wanted[key] });
    if (wanted[key] && other && other !== existing) throw Object.assign(new Error(message), { code: 409 });
  };
  clash('name', 'data source with the same name already exists');
  clash('uid', 'data source with the same uid already exists');
  const now = Date.now();
  const ds = existing ?? { id: store.id('datasource'), orgId: 1, version: 0, created: now };
  for (const key of FIELDS) if (wanted[key] !== undefined) ds[key] = wanted[key];
  ds.name = wanted.name;
  ds.uid = wanted.uid || ds.uid || shortUid();
  ds.secure = { ...(wanted.resetSecure ? {} : ds.secure), ...(wanted.secureJsonData ?? {}) };
  ds.version += 1;
  ds.updated = now;
  if (!existing) store.data.datasources.push(ds);
  if (ds.isDefault) for (const other of store.data.datasources) if (other !== ds) other.isDefault = false;
  return ds;
}

function readEntry(y, node) {
  const m = y.map(node, 'datasources.upsertDataSourceFromConfigV1');
  if (!m) return null;
  return {
    orgId: y.int(m, 'orgId'), version: y.int(m, 'version'), name: y.string(m, 'name'), type: y.string(m, 'type'),
    access: y.string(m, 'access'), url: y.string(m, 'url'), user: y.string(m, 'user'), database: y.string(m, 'database'),
    basicAuth: y.bool(m, 'basicAuth'), basicAuthUser: y.string(m, 'basicAuthUser'),
    withCredentials: y.bool(m, 'withCredentials'), isDefault: y.bool(m, 'isDefault'),
    jsonData: y.json(m, 'jsonData'), secureJsonData: y.json(m, 'secureJsonData'),
    readOnly: !y.bool(m, 'editable'), uid: y.string(m, 'uid'),
  };
}

/** Entries of the old format, without apiVersion: snake case. */
function readOldEntry(y, node) {
  const m = y.map(node, 'datasources.upsertDataSourceFromConfigV0');
  if (!m) return null;
  return {
    orgId: y.int(m, 'org_id'), name: y.string(m, 'name'), type: y.string(m, 'type'), access: y.string(m, 'access'),
    url: y.string(m, 'url'), user: y.string(m, 'user'), database: y.string(m, 'database'), basicAuth: y.bool(m, 'basic_auth'),
    basicAuthUser: y.string(m, 'basic_auth_user'), withCredentials: y.bool(m, 'with_credentials'),
    isDefault: y.bool(m, 'is_default'), jsonData: y.json(m, 'json_data'), secureJsonData: y.json(m, 'secure_json_data'),
    readOnly: !y.bool(m, 'editable'), uid: '',
  };
}

function readFile(file, env, log) {
  let text;
  try { text = fs.readFileSync(file, 'utf8'); } catch (err) { throw fileError(err, 'open', file); }
  const y = new GoYaml(text, env);
  const root = y.map(y.root, 'datasources.configVersion');
  if (!root) return { datasources: [], remove: [] };
  const version = y.version(root);
  if (!(version > 0)) log.warn('[Deprecated] the datasource provisioning config is outdated. please upgrade', 'filename', file);
  const entry = version > 0 ? readEntry : readOldEntry;
  const names = y.list(y.get(root, version > 0 ? 'deleteDatasources' : 'delete_datasources'), '[]*datasources.deleteDatasourceConfigV1')
    .map((n) => y.map(n, 'datasources.deleteDatasourceConfigV1')).filter(Boolean).map((m) => y.string(m, 'name'));
  const list = y.list(y.get(root, 'datasources'), '[]*datasources.upsertDataSourceFromConfigV1').map((n) => entry(y, n)).filter(Boolean);
  return { datasources: list, remove: names };
}

function validate(files, log) {
  let defaults = 0;
  for (const ds of files.flatMap((f) => f.datasources)) {
    if (ds.orgId > 1) throw new Error(`failed to provision ${JSON.stringify(ds.name)} data source: org not found`);
    if (ds.access !== 'proxy' && ds.access !== 'direct') {
      if (ds.access) log.warn("invalid access value, will use 'proxy' instead", 'value', ds.access);
      ds.access = 'proxy';
    }
    if (ds.isDefault && (defaults += 1) > 1) {
      throw new Error('datasource.yaml config is invalid. Only one datasource per organization can be marked as default');
    }
  }
}

/** Applies `<provisioning>/datasources`; throws as Grafana does, which then ends the process. */
function provision(dir, store, env, log) {
  let names;
  try {
    names = fs.readdirSync(dir).sort();
  } catch (err) {
    log.error("can't read datasource provisioning files from directory", 'path', dir, 'error', fileError(err, 'open', dir));
    return;
  }
  const files = names.filter((n) => /\.ya?ml$/.test(n)).map((n) => readFile(path.join(dir, n), env, log));
  validate(files, log);
  for (const file of files) {
    for (const name of file.remove) {
      const ds = store.datasource({ name });
      if (!ds) continue;
      store.data.datasources = store.data.datasources.filter((d) => d !== ds);
      log.info('deleted datasource based on configuration', 'name', name);
    }
    for (const wanted of file.datasources) {
      wanted.name ||= wanted.type;
      const existing = store.datasource({ name: wanted.name });
      if (!existing) {
        wanted.uid ||= uidFromName(wanted.name);
        log.info('inserting datasource from configuration', 'name', wanted.name, 'uid', wanted.uid);
      }
      upsert(store, { ...wanted, resetSecure: true }, existing);
    }
  }
}

const LOGOS = {
  prometheus: ['Prometheus', 'public/app/plugins/datasource/prometheus/img/prometheus_logo.svg'],
  loki: ['Loki', 'public/app/plugins/datasource/loki/img/loki_icon.svg'],
  influxdb: ['InfluxDB', 'public/app/plugins/datasource/influxdb/img/influxdb_logo.svg'],
  postgres: ['PostgreSQL', 'public/app/plugins/datasource/grafana-postgresql-datasource/img/postgresql_logo.svg'],
  elasticsearch: ['Elasticsearch', 'public/app/plugins/datasource/elasticsearch/img/elasticsearch.svg'],
  jaeger: ['Jaeger', 'public/app/plugins/datasource/jaeger/img/jaeger_logo.svg'],
};

/** One item of GET /api/datasources. */
function listItem(ds) {
  const [typeName, logo] = LOGOS[ds.type] ?? [ds.type, 'public/img/icn-datasource.svg'];
  return {
    id: ds.id, uid: ds.uid, orgId: 1, name: ds.name, type: ds.type, typeName, typeLogoUrl: logo, access: ds.access, url: ds.url ?? '',
    user: ds.user ?? '', database: ds.database ?? '', basicAuth: Boolean(ds.basicAuth), isDefault: Boolean(ds.isDefault),
    jsonData: ds.jsonData ?? {}, readOnly: Boolean(ds.readOnly),
  };
}

/** GET /api/datasources/:id and its likes. */
function details(ds) {
  const { typeName, ...item } = listItem(ds);
  return {
    ...item, basicAuthUser: ds.basicAuthUser ?? '', withCredentials: Boolean(ds.withCredentials),
    secureJsonFields: Object.fromEntries(Object.keys(ds.secure ?? {}).filter((k) => ds.secure[k]).map((k) => [k, true])),
    version: ds.version, apiVersion: '',
  };
}

module.exports = { upsert, provision, listItem, details };
