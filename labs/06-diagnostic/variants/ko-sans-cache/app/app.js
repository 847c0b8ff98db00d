'use strict';

// One program, six applications: APPLICATION says which one it is. Nothing is broken here.

const express = require('express');
const { Pool } = require('pg');
const prom = require('prom-client');
const redis = require('redis');

// Where each application listens, in its container.
const PORTS = { catalogue: 4101, panier: 4102, commandes: 4103, clients: 4104, stocks: 4105, avis: 4106 };
const CACHE_SECONDS = 60;

const { env } = process;
const name = env.APPLICATION;
const port = PORTS[name];
if (!port) {
  console.error(`APPLICATION: "${name}" is not one of ${Object.keys(PORTS).join(', ')}`);
  process.exit(1);
}

const registry = new prom.Registry();
prom.collectDefaultMetrics({ register: registry });
const requests = new prom.Counter({
  name: 'app_requests_total',
  help: 'Requests received, by endpoint and method.',
  labelNames: ['endpoint', 'method'],
  registers: [registry],
});

const pool = new Pool({
  host: env.DB_HOST,
  port: 5432,
  database: env.DB_NAME,
  user: env.DB_USER,
  password: env.DB_PASSWORD,
  max: 4,
  connectionTimeoutMillis: 2000,
  query_timeout: 2000,
});
// Without a listener, a lost idle connection ends the process.
pool.on('error', (error) => console.error(`postgres (${env.DB_HOST}):`, error.message));

const cache = redis.createClient({
  socket: { host: env.REDIS_HOST, port: 6379, connectTimeout: 2000, reconnectStrategy: () => 2000 },
  // A command sent without a connection fails at once.
  disableOfflineQueue: true,
});
let lastTrouble;
cache.on('error', (error) => {
  if (error.message !== lastTrouble) console.error(`redis (${env.REDIS_HOST}):`, error.message);
  lastTrouble = error.message;
});
cache.on('ready', () => {
  lastTrouble = undefined;
  console.log(`redis (${env.REDIS_HOST}): connected`);
});

// The sheet `ref`: from the cache, else from the database, which then fills the cache.
async function read(ref) {
  const key = `${name}:fiche:${ref}`;
  const cached = await cache.get(key).catch((error) => {
    return null;
  });
  if (cached !== null) return { texte: cached, source: 'cache' };
  const { rows } = await pool.query('SELECT texte FROM fiches WHERE ref = $1', [ref]).catch((error) => {
    throw new Error(`postgres (${env.DB_HOST}): ${error.message || error.code}`);
  });
  if (rows.length === 0) return null;
  await cache.set(key, rows[0].texte, { EX: CACHE_SECONDS }).catch(() => {});
  return { texte: rows[0].texte, source: 'base' };
}

const app = express();
app.disable('x-powered-by');

app.get('/sante', (req, res) => {
  requests.inc({ endpoint: '/sante', method: req.method });
  res.json({ application: name, etat: 'en marche' });
});

app.get('/fiches/:ref', async (req, res) => {
  requests.inc({ endpoint: '/fiches', method: req.method });
  try {
    const found = await read(req.params.ref);
    if (found) res.json({ application: name, ref: req.params.ref, ...found });
    else res.status(404).json({ application: name, erreur: 'pas de fiche sous cette référence' });
  } catch (error) {
    // The visitor learns nothing of the inside; the log does.
    console.error(error.message);
    res.status(500).json({ application: name, erreur: 'panne interne' });
  }
});

app.get('/metrics', async (req, res) => {
  res.set('Content-Type', registry.contentType);
  res.end(await registry.metrics());
});

cache.connect().catch(() => {});
pool.query('SELECT 1').then(
  () => console.log(`postgres (${env.DB_HOST}): connected`),
  (error) => console.error(`postgres (${env.DB_HOST}):`, error.message || error.code),
);
const server = app.listen(port, '0.0.0.0', () => console.log(`${name}: listening on ${port}`));

// PID 1 gets no default action for SIGTERM: without this, `docker stop` waits 10 s.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    setTimeout(() => process.exit(0), 2000).unref();
    server.closeIdleConnections();
    server.close(async () => {
      await Promise.allSettled([pool.end(), cache.disconnect()]);
      process.exit(0);
    });
  });
}
