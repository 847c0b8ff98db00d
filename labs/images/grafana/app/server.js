#!/usr/bin/env node
'use strict';
// Double of Grafana for offline practice: `grafana server …`, `grafana cli …`, `grafana -v`.
// It knows what a student's stack and its checks ask; the rest answers 404, as an unknown path does.
const { App } = require('./lib/app');
const { cli } = require('./lib/cli');
const { load } = require('./lib/settings');
const { VERSION } = require('./lib/prometheus');
const { COMMIT } = require('./lib/api-misc');

async function main(argv) {
  const [verb, ...rest] = argv;
  if (verb === '-v' || verb === '--version' || verb === 'version') {
    console.log(`grafana version ${VERSION}`);
    return;
  }
  if (verb === 'cli') {
    process.exitCode = cli(rest, process.env);
    return;
  }
  if (verb !== 'server') {
    console.log('NAME:\n   grafana - Grafana server and command line interface\n\nUSAGE:\n   grafana [global options] command [command options]\n\nCOMMANDS:\n   cli      run the grafana cli\n   server   run the grafana server');
    process.exitCode = verb && verb !== 'help' && verb !== '--help' && verb !== '-h' ? 3 : 0;
    return;
  }
  if (rest.some((a) => a === '-v' || a === '--version')) {
    console.log(`Version ${VERSION} (commit: ${COMMIT}, branch: HEAD)`);
    return;
  }
  let app;
  try {
    app = new App(load({ argv: rest, env: process.env }), process.env);
    const stop = (signal) => {
      app.log('server').info('Shutdown started', 'reason', `System signal: ${signal === 'SIGTERM' ? 'terminated' : 'interrupt'}`);
      app.stop();
      process.exit(0);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    await app.start();
  } catch (err) {
    console.error(`Error: ✗ ${err.message}`);
    process.exit(1);
  }
}

main(process.argv.slice(2));
