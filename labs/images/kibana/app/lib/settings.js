'use strict';
// kibana.yml, the environment (as kibana-docker does) and the command line.
const fs = require('node:fs');
const YAML = require('yaml');

/** A fault of the configuration: Kibana ends with 78 or 64. */
class ConfigError extends Error {
  constructor(message, code = 78) { super(message); this.code = code; }
}

const SERVER = 'autoListen basePath compression cors customResponseHeaders eluMonitor host keepaliveTimeout maxPayload name payloadTimeout port publicBaseUrl requestId restrictInternalApis rewriteBasePath securityResponseHeaders shutdownTimeout socketTimeout ssl uuid xsrf'.split(' ');
const ELASTIC = 'apiVersion apisToRedirectInPreboot compression customHeaders healthCheck hosts idleSocketTimeout ignoreVersionMismatch logQueries maxIdleSockets maxSockets password pingTimeout requestHeadersWhitelist requestTimeout serviceAccountToken shardTimeout skipStartupConnectionCheck sniffInterval sniffOnConnectionFault sniffOnStart ssl username'.split(' ');
const ROOTS = 'server elasticsearch logging xpack monitoring i18n telemetry csp data map migrations newsfeed ops path pid savedObjects status uiSettings console home usageCollection interactiveSetup externalUrl permissionsPolicy unifiedSearch enterpriseSearch execution_context coreApp core node plugins vis_type_table vis_type_timelion vis_type_vega dev_tools kibana_legacy visTypeVega cloud_integrations'.split(' ');

function flatten(tree, prefix = '', out = {}) {
  for (const [key, value] of Object.entries(tree ?? {})) {
    if (value && typeof value === 'object' && !Array.isArray(value)) flatten(value, `${prefix}${key}.`, out);
    else out[prefix + key] = value;
  }
  return out;
}

/** Names of settings that the environment may give: SERVER_BASEPATH → server.basePath. */
const NAMES = [...SERVER.map((n) => `server.${n}`), ...ELASTIC.map((n) => `elasticsearch.${n}`), 'elasticsearch.ssl.certificateAuthorities', 'elasticsearch.ssl.verificationMode', 'server.ssl.enabled', 'status.allowAnonymous', 'i18n.locale',
  'logging.root.level', 'telemetry.enabled', 'telemetry.optIn', 'xpack.security.encryptionKey', 'xpack.encryptedSavedObjects.encryptionKey', 'xpack.reporting.encryptionKey', 'xpack.security.enabled', 'xpack.fleet.enabled', 'monitoring.ui.enabled', 'monitoring.ui.container.elasticsearch.enabled', 'elasticsearch.healthCheck.delay'];
const BY_ENV = new Map(NAMES.map((n) => [n.replaceAll('.', '_').toUpperCase(), n]));

function fromEnv(env) {
  const out = {};
  for (const [name, value] of Object.entries(env)) {
    const key = BY_ENV.get(name) ?? (NAMES.includes(name) ? name : null);
    if (key && value !== '') out[key] = /^[[{]|^(true|false|-?\d+(\.\d+)?)$/.test(value) && key !== 'elasticsearch.password' ? YAML.parse(value) : value;
  }
  return out;
}

function check(all) {
  const unknown = Object.keys(all).filter((key) => {
    const [root, second] = key.split('.');
    if (root === 'server') return !SERVER.includes(second);
    if (root === 'elasticsearch') return !ELASTIC.includes(second);
    return !ROOTS.includes(root);
  });
  if (unknown.length) throw new ConfigError(`Unknown configuration key(s): ${unknown.map((k) => `"${k}"`).join(', ')}. Check for spelling errors and ensure that expected plugins are installed.`, 64);
  const base = all['server.basePath'];
  if (base && !/^(|\/.*[^/])$/.test(base)) throw new ConfigError('[config validation of [server].basePath]: must start with a slash, don\'t end with one');
  if (!base && all['server.rewriteBasePath'] === true) throw new ConfigError('[config validation of [server]]: cannot use [rewriteBasePath] when [basePath] is not specified');
  const shown = all['server.publicBaseUrl'];
  if (shown) {
    let where;
    try { where = new URL(shown).pathname.replace(/\/$/, ''); } catch { throw new ConfigError(`[config validation of [server].publicBaseUrl]: expected URI with scheme [http|https].`); }
    if (base !== undefined && where !== base) throw new ConfigError(`[config validation of [server]]: [publicBaseUrl] must contain the [basePath]: ${where} !== ${base}`);
  }
  if (!/^\d+$/.test(String(all['server.port']))) throw new ConfigError(`[config validation of [server].port]: expected value of type [number] but got [${typeof all['server.port']}]`);
  for (const host of all['elasticsearch.hosts']) {
    let ok = false;
    try { ok = /^https?:$/.test(new URL(host).protocol); } catch { /* said below */ }
    if (!ok) throw new ConfigError('[config validation of [elasticsearch].hosts]: types that failed validation:\n- [config validation of [elasticsearch].hosts.0]: expected URI with scheme [http|https].\n- [config validation of [elasticsearch].hosts.1]: could not parse array value from json input');
  }
  if (all['elasticsearch.username'] === 'elastic') throw new ConfigError('[config validation of [elasticsearch].username]: value of "elastic" is forbidden. This is a superuser account that cannot write to system indices that Kibana needs to function. Use a service account token instead. Learn more: https://www.elastic.co/guide/en/elasticsearch/reference/8.0/service-accounts.html');
  if (all['elasticsearch.username'] && all['elasticsearch.serviceAccountToken']) throw new ConfigError('[config validation of [elasticsearch]]: "username" cannot be specified when "serviceAccountToken" is also set.');
}

/** Every setting by its dotted name. */
function load(argv, env, file = `${env.KBN_PATH_CONF ?? '/usr/share/kibana/config'}/kibana.yml`) {
  const all = { 'server.port': 5601, 'server.host': 'localhost', 'server.name': env.HOSTNAME ?? 'kibana', 'elasticsearch.hosts': ['http://localhost:9200'] };
  if (fs.existsSync(file)) {
    const text = fs.readFileSync(file, 'utf8').replace(/\$\{(\w+)\}/g, (whole, name) => {
      if (env[name] === undefined) throw new ConfigError(`Unknown environment variable referenced in config : ${name}`, 1);
      return env[name];
    });
    let tree;
    try { tree = YAML.parse(text); } catch (err) { throw new ConfigError(`YAMLException: ${err.message}`, 1); }
    Object.assign(all, flatten(tree));
  }
  Object.assign(all, fromEnv(env));
  for (let i = 0; i < argv.length; i += 1) {
    const [name, ...rest] = argv[i].replace(/^--/, '').split('=');
    if (!argv[i].startsWith('--') || !name.includes('.')) continue;
    all[name] = YAML.parse(rest.length ? rest.join('=') : argv[i += 1] ?? '');
  }
  all['elasticsearch.hosts'] = [all['elasticsearch.hosts']].flat();
  check(all);
  return all;
}

module.exports = { load, ConfigError };
