'use strict';
// logstash.yml, pipelines.yml, the environment (as env2yaml does) and the command line.
const fs = require('node:fs');
const path = require('node:path');
const YAML = require('yaml');
const { substitute } = require('./pipeline');

const KNOWN = ['node.name', 'path.data', 'pipeline.id', 'pipeline.ordered', 'pipeline.workers', 'pipeline.batch.size', 'pipeline.batch.delay', 'pipeline.unsafe_shutdown', 'pipeline.ecs_compatibility', 'pipeline.plugin_classloaders',
  'pipeline.separate_logs', 'path.config', 'config.string', 'config.test_and_exit', 'config.reload.automatic', 'config.reload.interval', 'config.debug', 'config.support_escapes', 'config.field_reference.escape_style',
  'queue.type', 'path.queue', 'queue.page_capacity', 'queue.max_events', 'queue.max_bytes', 'queue.checkpoint.acks', 'queue.checkpoint.writes', 'queue.checkpoint.interval', 'queue.drain',
  'dead_letter_queue.enable', 'dead_letter_queue.max_bytes', 'dead_letter_queue.flush_interval', 'dead_letter_queue.storage_policy', 'dead_letter_queue.retain.age', 'path.dead_letter_queue', 'metric.collect', 'http.enabled', 'http.host',
  'http.port', 'http.environment', 'api.enabled', 'api.http.host', 'api.http.port', 'api.environment', 'api.auth.type', 'api.auth.basic.username', 'api.auth.basic.password', 'api.ssl.enabled', 'log.level', 'log.format', 'path.logs',
  'path.plugins', 'path.settings', 'modules', 'allow_superuser', 'monitoring.enabled', 'monitoring.cluster_uuid', 'monitoring.elasticsearch.hosts', 'xpack.monitoring.enabled', 'xpack.monitoring.elasticsearch.hosts',
  'xpack.monitoring.elasticsearch.username', 'xpack.monitoring.elasticsearch.password', 'xpack.monitoring.collection.interval', 'xpack.monitoring.allow_legacy_collection', 'xpack.management.enabled',
  'xpack.management.elasticsearch.hosts', 'xpack.management.pipeline.id', 'xpack.geoip.downloader.enabled', 'xpack.geoip.download.endpoint', 'keystore.file'];

function flatten(tree, prefix = '', out = {}) {
  for (const [key, value] of Object.entries(tree ?? {})) {
    if (value && typeof value === 'object' && !Array.isArray(value) && key !== 'modules') flatten(value, `${prefix}${key}.`, out);
    else out[prefix + key] = value;
  }
  return out;
}

const read = (file) => YAML.parse(fs.readFileSync(file, 'utf8')) ?? {};

/** Everything that decides what is run. Throws an Error whose message is Logstash's. */
function load(argv, env) {
  const cli = {};
  let dir = env.LOGSTASH_PATH_CONF ?? '/usr/share/logstash/config';
  const flags = { '-f': 'path.config', '--path.config': 'path.config', '-e': 'config.string', '--config.string': 'config.string', '-w': 'pipeline.workers', '-b': 'pipeline.batch.size', '-n': 'node.name', '-l': 'path.logs' };
  for (let i = 0; i < argv.length; i += 1) {
    const [flag, ...rest] = argv[i].split('=');
    const name = flags[flag] ?? flag.replace(/^--/, '');
    const value = () => (rest.length ? rest.join('=') : argv[i += 1]);
    if (argv[i] === '-t' || name === 'config.test_and_exit') cli['config.test_and_exit'] = true;
    else if (argv[i] === '-r' || name === 'config.reload.automatic') cli['config.reload.automatic'] = true;
    else if (name === 'path.settings') dir = value();
    else if (argv[i] === '-V' || name === 'version') cli.version = true;
    else if (KNOWN.includes(name)) cli[name] = value();
    else throw new Error(`Unrecognised option '${argv[i]}'`);
  }
  let file = {};
  if (fs.existsSync(path.join(dir, 'logstash.yml'))) file = flatten(read(path.join(dir, 'logstash.yml')));
  // env2yaml: PIPELINE_WORKERS or pipeline.workers.
  for (const [name, value] of Object.entries(env)) {
    const key = KNOWN.find((k) => k === name || k.replaceAll('.', '_').toUpperCase() === name);
    if (key) file[key] = YAML.parse(value);
  }
  const all = { ...substitute(file, env), ...cli };
  for (const key of Object.keys(all)) {
    if (key !== 'version' && !KNOWN.includes(key)) throw new Error(`Setting "${key}" doesn't exist. Please check if you haven't made a typo.`);
  }
  all.dir = dir;
  return all;
}

function sources(where) {
  const stat = fs.statSync(where, { throwIfNoEntry: false });
  const base = stat?.isDirectory() ? where : path.dirname(where);
  const pattern = stat?.isDirectory() ? '*' : path.basename(where);
  const re = new RegExp(`^${pattern.replace(/[.+^$()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.').replace(/\{([^}]*)\}/g, (a, l) => `(?:${l.replaceAll(',', '|')})`)}$`);
  try {
    return fs.readdirSync(base).filter((f) => re.test(f) && !f.startsWith('.') && fs.statSync(path.join(base, f)).isFile()).sort().map((f) => path.join(base, f));
  } catch { return []; }
}

/** The pipelines to run: [{id, text, sources, settings}]. */
function pipelines(all, env) {
  let entries = [{}];
  const list = path.join(all.dir, 'pipelines.yml');
  if (!all['config.string'] && !all['path.config'] && fs.existsSync(list)) {
    entries = read(list);
    if (!Array.isArray(entries) || !entries.length) throw new Error('Pipelines YAML file is empty. Location: ' + list);
    entries = entries.map((e) => substitute(flatten(e), env));
  }
  return entries.map((entry) => {
    const own = { ...all, ...entry };
    const where = own['path.config'];
    const files = own['config.string'] ? ['config string'] : where ? [where].flat().flatMap(sources) : [];
    const text = own['config.string'] ?? files.map((f) => fs.readFileSync(f, 'utf8')).join('\n');
    return { id: own['pipeline.id'] ?? 'main', text, sources: files, settings: own, where };
  });
}

module.exports = { load, pipelines };
