#!/usr/bin/env node
'use strict';
// Double of Kibana for offline practice: status, data views, saved objects, simple pages.
const { load } = require('./lib/settings');
const { App, log } = require('./lib/app');

async function main() {
  if (process.argv.includes('--version')) { console.log('8.10.3'); return; }
  let app;
  try {
    app = new App(load(process.argv.slice(2), process.env));
    const stop = () => { log('INFO', 'root', 'SIGTERM received - initiating shutdown'); app.stop(); process.exit(0); };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    await app.start();
  } catch (err) {
    log('FATAL', 'root', `Reason: ${err.message}`);
    console.error(`\n FATAL  Error: ${err.message}\n`);
    process.exit(err.code === 64 || err.code === 78 ? err.code : 1);
  }
}

main();
