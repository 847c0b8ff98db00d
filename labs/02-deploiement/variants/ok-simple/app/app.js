const express = require('express');
const { createClient } = require('redis');
const { Pool } = require('pg');
const { Counter, Histogram, collectDefaultMetrics, register } = require('prom-client');

collectDefaultMetrics();
const counter = new Counter({ name: 'app_requests_total', help: 'Requests', labelNames: ['endpoint', 'method'] });
const histogram = new Histogram({ name: 'app_request_latency_seconds', help: 'Latency', labelNames: ['endpoint'] });

const pool = new Pool({ host: process.env.DB_HOST, user: process.env.DB_USER, password: process.env.DB_PASSWORD, database: process.env.DB_NAME });
const store = createClient({ url: `redis://${process.env.REDIS_HOST}:6379` });
store.on('error', (e) => console.error(e));
store.connect();

const app = express();

app.get('/health', (req, res) => {
  counter.inc({ endpoint: '/health', method: 'GET' });
  res.json({ status: 'healthy' });
});

app.get('/api/data', async (req, res) => {
  const begin = Date.now();
  counter.inc({ endpoint: '/api/data', method: 'GET' });
  const done = (data, source) => {
    histogram.observe({ endpoint: '/api/data' }, (Date.now() - begin) / 1000);
    res.json({ data, source });
  };
  try {
    const known = await store.get('now');
    if (known) return done(known, 'cache');
    const answer = await pool.query('SELECT NOW()');
    const data = answer.rows[0].now.toString();
    await store.setEx('now', 60, data);
    done(data, 'database');
  } catch (e) {
    console.error(e);
    res.status(500).json({ error: e.message });
  }
});

app.get('/metrics', async (req, res) => res.type('text/plain').send(await register.metrics()));

app.listen(5000, () => console.log('ready'));
