#!/usr/bin/env node
'use strict';
// Double of Logstash for offline practice: reads the real pipeline language and the real settings files.
const { load, pipelines } = require('./lib/settings');
const { Pipeline, ConfigurationError } = require('./lib/pipeline');
const { logger, bare } = require('./lib/log');
const api = require('./lib/api');
const os = require('node:os');

const runner = logger('logstash.runner');
const agent = logger('logstash.agent');

function give_up() {
  logger('org.logstash.Logstash').fatal('Logstash stopped processing because of an error: (SystemExit) exit');
  process.exit(1);
}

async function main() {
  let settings;
  let found;
  try {
    settings = load(process.argv.slice(2), process.env);
    if (settings.version) { console.log(`logstash ${api.VERSION}`); return; }
    runner.info('Starting Logstash', { 'logstash.version': api.VERSION, 'jruby.version': 'double Node.js (image hors ligne de TP Docker)' });
    found = pipelines(settings, process.env);
  } catch (err) {
    if (/^Unrecognised option/.test(err.message)) { console.error(`ERROR: ${err.message}\n\nSee: 'bin/logstash --help'`); process.exit(1); }
    runner.fatal('An unexpected error occurred!', { error: bare(`#<ArgumentError: ${err.message}>`) });
    return give_up();
  }
  const running = [];
  const server = api.create(settings, running, logger);
  const test = settings['config.test_and_exit'] === true || settings['config.test_and_exit'] === 'true';
  if (!test && settings['api.enabled'] !== false) await server.start();
  let failed = false;
  for (const one of found) {
    if (one.text.trim() === '') {
      logger('logstash.config.sourceloader').error('No configuration found in the configured sources.', { 'path.config': String(one.where) });
      failed = true;
      continue;
    }
    try {
      const p = new Pipeline({ id: one.id, text: one.text, sources: one.sources, env: process.env, log: logger, workers: Number(one.settings['pipeline.workers'] ?? os.cpus().length), batch: Number(one.settings['pipeline.batch.size'] ?? 125), delay: Number(one.settings['pipeline.batch.delay'] ?? 50) });
      if (test) continue;
      await p.start();
      running.push(p);
    } catch (err) {
      failed = true;
      const syntax = err instanceof ConfigurationError;
      if (test) runner.fatal(`The given configuration is invalid. Reason: ${err.message}`);
      else agent.error('Failed to execute action', { action: bare(`LogStash::PipelineAction::Create/pipeline_id:${one.id}`), exception: syntax ? 'LogStash::ConfigurationError' : err.type ?? err.constructor.name, message: err.message });
    }
  }
  if (test) {
    if (failed) give_up();
    console.log('Configuration OK');
    runner.info('Using config.test_and_exit mode. Config Validation Result: OK. Exiting Logstash');
    process.exit(0);
  }
  const stop = async (signal) => {
    if (signal) runner.warn(`${signal} received. Shutting down.`);
    server.stop();
    await Promise.all(running.map((p) => p.stop()));
    runner.info('Logstash shut down.');
    process.exit(failed && !signal ? 1 : 0);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // As the real one without automatic reload: nothing left to run, or one pipeline of several refused.
  if (!running.length) {
    server.stop();
    runner.info('Logstash shut down.');
    return give_up();
  }
  agent.info('Pipelines running', { count: running.length, running_pipelines: running.map((p) => bare(`:${p.o.id}`)), non_running_pipelines: [] });
  Promise.all(running.map((p) => p.done)).then(() => { if (!running.some((p) => p.stopping)) stop(); });
}

main();
