'use strict';

const express = require('express');
const { Pool } = require('pg');
const prom = require('prom-client');
const redis = require('redis');

const { env } = process;
const PORT = Number(env.PORT ?? 5000);
const CACHE_KEY = 'api:data';
const CACHE_SECONDS = 60;
const CACHE_PATIENCE_MS = 500;

// --- Metrics -----------------------------------------------------------------

const registry = new prom.Registry();
prom.collectDefaultMetrics({ register: registry });

const requests = new prom.Counter({
  name: 'app_requests_total',
  help: 'Requests received, by endpoint and method.',
  labelNames: ['endpoint', 'method'],
  registers: [registry],
});

const latency = new prom.Histogram({
  name: 'app_request_latency_seconds',
  help: 'Time taken to answer, in seconds.',
  labelNames: ['endpoint'],
  buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5],
  registers: [registry],
});

// --- Stores ------------------------------------------------------------------

const pool = new Pool({
  host: env.DB_HOST ?? 'postgres',
  port: Number(env.DB_PORT ?? 5432),
  database: env.DB_NAME ?? 'tp',
  user: env.DB_USER ?? 'tp',
  password: env.DB_PASSWORD,
  connectionTimeoutMillis: 2000,
  query_timeout: 2000,
});
// Without a listener, a lost idle connection ends the process.
pool.on('error', (error) => console.error('postgres:', error.message));

const cache = redis.createClient({
  socket: { host: env.REDIS_HOST ?? 'redis', port: Number(env.REDIS_PORT ?? 6379) },
  commandsQueueMaxLength: 100,
});
cache.on('error', (error) => console.error('redis:', error.message));

function withinPatience(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), CACHE_PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function readDatabase() {
  const { rows } = await pool.query('SELECT now() AS now');
  return rows[0].now.toISOString();
}

async function readData() {
  let cached;
  try {
    cached = await withinPatience(cache.get(CACHE_KEY));
  } catch (error) {
    // A cache is a comfort: without it, the database still knows.
    console.error('redis:', error.message);
    return { data: await readDatabase(), source: 'database' };
  }
  if (cached !== null) {
    // Busy pages stay warm.
    if (await withinPatience(cache.ttl(CACHE_KEY)) < 10) await cache.expire(CACHE_KEY, CACHE_SECONDS);
    return { data: cached, source: 'cache' };
  }

  const data = await readDatabase();
  await withinPatience(cache.set(CACHE_KEY, data, { EX: CACHE_SECONDS })).catch((error) => {
    console.error('redis:', error.message);
  });
  return { data, source: 'database' };
}

// --- HTTP --------------------------------------------------------------------

const app = express();
app.disable('x-powered-by');

app.get('/health', (req, res) => {
  requests.inc({ endpoint: '/health', method: req.method });
  res.json({ status: 'healthy' });
});

app.get('/api/data', async (req, res) => {
  requests.inc({ endpoint: '/api/data', method: req.method });
  const stop = latency.startTimer({ endpoint: '/api/data' });
  try {
    const answer = await readData();
    stop();
    res.json(answer);
  } catch (error) {
    console.error('data:', error.message);
    stop();
    res.status(503).json({ error: 'data unavailable' });
  }
});

app.get('/metrics', async (req, res) => {
  res.set('Content-Type', registry.contentType);
  res.end(await registry.metrics());
});

cache.connect().catch((error) => console.error('redis:', error.message));
const server = app.listen(PORT, '0.0.0.0', () => console.log(`listening on ${PORT}`));

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
