import { createServer } from 'node:http';
import express from 'express';

import { measure, register } from './metrics.js';
import { cached, connect } from './stores.js';

const app = express().use(measure);

app.route('/health').get((_req, res) => res.json({ status: 'healthy' }));

app.route('/api/data').get(async (_req, res, next) => {
  try {
    res.json(await cached('data', 60, 'SELECT CURRENT_TIMESTAMP AS value'));
  } catch (error) {
    next(error);
  }
});

app.route('/metrics').get(async (_req, res) => {
  res.type(register.contentType).send(await register.metrics());
});

app.use((error, _req, res, _next) => {
  console.error(error);
  res.status(502).json({ error: 'upstream' });
});

await connect();
createServer(app).listen({ port: 5000, host: '::' });
