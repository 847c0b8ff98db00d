'use strict';
// A pipeline: compiled from its tree, then inputs → queue → filters → outputs.
const crypto = require('node:crypto');
const { parse, ConfigurationError } = require('./parser');
const { holds } = require('./conditions');
const { FILTERS, COMMON, decorate } = require('./filters');
const { INPUTS } = require('./inputs');
const { OUTPUTS } = require('./outputs');
const codecs = require('./codecs');
const { isHash } = require('./event');

/** A fault of the configuration, with the class that the real one names. */
class PluginError extends Error {
  constructor(message, type = 'LogStash::ConfigurationError') { super(message); this.type = type; }
}

const ALWAYS = { input: ['add_field', 'tags', 'type', 'codec', 'id', 'enable_metric'], filter: COMMON, output: ['codec', 'id', 'enable_metric', 'workers'] };
const TABLES = { input: INPUTS, filter: FILTERS, output: OUTPUTS };
/** Plugins of the real image that this double does not have. */
const ABSENT = new Set(('azure_event_hubs cloudwatch couchdb_changes dead_letter_queue elastic_agent elastic_serverless_forwarder elasticsearch exec ganglia gelf generator graphite heartbeat http_poller imap jdbc jms kafka pipe '
  + 'rabbitmq redis s3 snmp snmptrap sqs syslog twitter unix aggregate anonymize cidr clone csv de_dot dissect dns fingerprint geoip http jdbc_static jdbc_streaming memcached metrics prune ruby sleep split syslog_pri '
  + 'throttle translate truncate urldecode useragent uuid xml csv email graphite http lumberjack nagios null pipe sns tcp udp webhdfs').split(' '));

/** Replaces ${VAR} and ${VAR:default}. */
function substitute(value, env) {
  if (typeof value === 'string') {
    return value.replace(/\$\{([a-zA-Z_.][a-zA-Z0-9_.]*)(:([^}]*))?\}/g, (all, name, has, fallback) => {
      if (env[name] !== undefined) return env[name];
      if (has) return fallback;
      throw new PluginError(`Cannot evaluate \`${all}\`. Replacement variable \`${name}\` is not defined in a Logstash secret store or an Environment entry and there is no default value given.`);
    });
  }
  if (Array.isArray(value)) return value.map((v) => substitute(v, env));
  if (isHash(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, substitute(v, env)]));
  return value;
}

/** Plain values: words are true, false or text; a codec stays a plugin. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (!isHash(value)) return value;
  if (value.hash) return Object.fromEntries(Object.entries(value.hash).map(([k, v]) => [k, plain(v)]));
  if (value.word !== undefined) return value.word === 'true' ? true : value.word === 'false' ? false : value.word;
  return value;
}

function settings(node, env) {
  const out = {};
  for (const [key, raw] of node.options) {
    const value = raw && raw.plugin ? raw : substitute(plain(raw), env);
    // Given twice: lists and hashes are joined, as in the real one.
    if (isHash(out[key]) && isHash(value) && !value.plugin) Object.assign(out[key], value);
    else out[key] = out[key] === undefined ? value : [out[key], value].flat();
  }
  return out;
}

class Pipeline {
  /** `o`: {id, text, env, log, workers, batch, delay, configHash}. */
  constructor(o) {
    Object.assign(this, { queue: [], stats: { in: 0, filtered: 0, out: 0, duration_in_millis: 0, queue_push_duration_in_millis: 0 }, plugins: { inputs: [], codecs: [], filters: [], outputs: [] }, stopping: false });
    this.o = o;
    this.log = (name) => o.log(name, o.id);
    this.hash = crypto.createHash('sha256').update(o.text).digest('hex');
    const tree = parse(o.text);
    this.inputs = tree.input.map((n) => this.plugin('input', n));
    this.filters = this.compile('filter', tree.filter);
    this.outputs = this.compile('output', tree.output);
  }

  compile(kind, nodes) {
    return nodes.map((n) => (n.if
      ? { if: n.if.map((c) => ({ test: c.test && this.variables(c.test), body: this.compile(kind, c.body) })) }
      : this.plugin(kind, n)));
  }

  variables(test) {
    if (test === null || typeof test !== 'object') return test;
    const out = Array.isArray(test) ? [] : {};
    for (const [k, v] of Object.entries(test)) out[k] = k === 'value' ? substitute(plain(v), this.o.env) : this.variables(v);
    return out;
  }

  codec(value, fallback) {
    const name = value?.plugin ?? value ?? fallback;
    if (!codecs.NAMES.includes(name)) throw this.missing('codec', name);
    if (name === 'multiline') throw new PluginError('This double of Logstash has no « multiline » codec', 'PluginLoadingError');
    const one = { name, options: value?.plugin ? settings(value, this.o.env) : {} };
    this.plugins.codecs.push({ id: `${name}_${crypto.randomUUID()}`, name, decode: { writes_in: 0, out: 0, duration_in_millis: 0 }, encode: { writes_in: 0, duration_in_millis: 0 } });
    return one;
  }

  missing(kind, name) {
    const log = this.o.log('logstash.plugins.registry', this.o.id);
    if (ABSENT.has(name)) {
      const text = `This double of Logstash has no ${kind} plugin named '${name}' (the real image has it); it has: ${Object.keys(TABLES[kind] ?? {}).join(', ') || codecs.NAMES.join(', ')}`;
      log.error(text);
      return new PluginError(`Unable to configure plugins: (PluginLoadingError) ${text}`, 'Java::JavaLang::IllegalStateException');
    }
    log.error(`Tried to load a plugin's code, but failed.`, { exception: `no such file to load -- logstash/${kind}s/${name}`, path: `logstash/${kind}s/${name}`, type: kind, name });
    return new PluginError(`Unable to configure plugins: (PluginLoadingError) Couldn't find any ${kind} plugin named '${name}'. Are you sure this is correct? Trying to load the ${name} ${kind} plugin resulted in this error: Unable to load the requested plugin named ${name} of type ${kind}. The plugin is not installed.`, 'Java::JavaLang::IllegalStateException');
  }

  plugin(kind, node) {
    const name = node.plugin;
    if (!Object.hasOwn(TABLES[kind], name)) throw this.missing(kind, name);
    const [make, own, required, fallback] = TABLES[kind][name];
    const log = this.o.log(`logstash.${kind}s.${name}`, this.o.id);
    const o = settings(node, this.o.env);
    const wrong = (text) => {
      log.error(text);
      return new PluginError('Unable to configure plugins: (ConfigurationError) Something is wrong with your configuration.', 'Java::JavaLang::IllegalStateException');
    };
    for (const key of Object.keys(o)) if (!own.includes(key) && !ALWAYS[kind].includes(key)) throw wrong(`Unknown setting '${key}' for ${name}`);
    for (const key of required) if (o[key] === undefined) throw wrong(`Missing a required setting for the ${name} ${kind} plugin:\n\n  ${kind} {\n    ${name} {\n      ${key} => # SETTING MISSING\n      ...\n    }\n  }`);
    if (o.port !== undefined && !/^\d+$/.test(String(o.port))) throw wrong(`Invalid setting for ${name} ${kind} plugin:\n\n  ${kind} {\n    ${name} {\n      # This setting must be a number\n      # Expected number, got ${JSON.stringify(o.port)} (type ${typeof o.port})\n      port => ${JSON.stringify(o.port)}\n      ...\n    }\n  }`);
    const codec = kind === 'filter' ? null : this.codec(o.codec, fallback);
    const events = { in: 0, out: 0, duration_in_millis: 0 };
    this.plugins[`${kind}s`].push({ id: o.id ?? crypto.createHash('sha256').update(`${this.hash}${kind}${this.plugins[`${kind}s`].length}`).digest('hex'), name, events });
    const bad = (message, type = 'LogStash::ConfigurationError') => new PluginError(`Unable to configure plugins: (${type.split('::').pop()}) ${message}`, type);
    let run;
    try {
      run = kind === 'filter' ? make(o, bad) : make(o, codec, { log: this.log });
    } catch (err) {
      throw err instanceof PluginError ? err : wrong(`Invalid setting for ${name} ${kind} plugin: ${err.message}`);
    }
    return { kind, name, o, run, events, codec };
  }

  async start() {
    const log = this.log('logstash.javapipeline');
    const batch = this.o.batch;
    log.info('Starting pipeline', { pipeline_id: this.o.id, 'pipeline.workers': this.o.workers, 'pipeline.batch.size': batch, 'pipeline.batch.delay': this.o.delay, 'pipeline.max_inflight': batch * this.o.workers, 'pipeline.sources': this.o.sources });
    await Promise.all(this.all(this.outputs).map((p) => p.run.start?.()));
    const full = () => this.queue.length >= 2000;
    for (const input of this.inputs) {
      const emit = (event) => {
        if (input.o.type !== undefined && event.data.type === undefined) event.data.type = input.o.type;
        for (const tag of [input.o.tags ?? []].flat()) event.tag(tag);
        if (input.o.add_field) decorate({ add_field: input.o.add_field }, event);
        this.stats.in += 1;
        input.events.out += 1;
        this.queue.push(event);
        this.wake?.();
      };
      if (input.name === 'stdin') input.run.onEnd = () => { this.ended = true; this.wake?.(); };
      await input.run.start({ emit, full, log: this.log });
    }
    log.info('Pipeline started', { 'pipeline.id': this.o.id });
    this.done = this.loop();
  }

  all(nodes) { return nodes.flatMap((n) => (n.if ? n.if.flatMap((c) => this.all(c.body)) : [n])); }

  async loop() {
    while (!this.stopping) {
      if (!this.queue.length) {
        if (this.ended && this.inputs.length === 1) return;
        await new Promise((resolve) => { this.wake = resolve; });
        continue;
      }
      await this.batch(this.queue.splice(0, this.o.batch));
    }
    if (this.queue.length) await this.batch(this.queue.splice(0));
  }

  async batch(events) {
    const begun = Date.now();
    const left = events.filter((e) => { this.filter(this.filters, e); return !e.cancelled; });
    this.stats.filtered += events.length;
    const groups = new Map();
    for (const event of left) this.route(this.outputs, event, groups);
    for (const [output, some] of groups) {
      output.events.in += some.length;
      await output.run.write(some);
      output.events.out += some.length;
    }
    this.stats.out += left.length;
    this.stats.duration_in_millis += Date.now() - begun;
  }

  filter(nodes, event) {
    for (const n of nodes) {
      if (event.cancelled) return;
      if (n.if) {
        const branch = n.if.find((c) => !c.test || holds(event, c.test));
        if (branch) this.filter(branch.body, event);
        continue;
      }
      n.events.in += 1;
      try {
        if (n.run(event) && !event.cancelled) decorate(n.o, event);
      } catch (err) {
        event.tag(`_${n.name}_error`);
        this.log(`logstash.filters.${n.name}`).warn('Exception caught while applying filter', { exception: err.message });
      }
      if (!event.cancelled) n.events.out += 1;
    }
  }

  route(nodes, event, groups) {
    for (const n of nodes) {
      if (n.if) {
        const branch = n.if.find((c) => !c.test || holds(event, c.test));
        if (branch) this.route(branch.body, event, groups);
      } else if (groups.has(n)) groups.get(n).push(event);
      else groups.set(n, [event]);
    }
  }

  async stop() {
    for (const input of this.inputs) input.run.stop();
    this.stopping = true;
    this.wake?.();
    // What is under way is given five seconds.
    const late = setTimeout(() => this.all(this.outputs).forEach((p) => p.run.stop()), 5000);
    await this.done;
    clearTimeout(late);
    this.log('logstash.javapipeline').info('Pipeline terminated', { 'pipeline.id': this.o.id });
  }
}

module.exports = { Pipeline, PluginError, ConfigurationError, substitute };
