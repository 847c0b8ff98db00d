const Koa = require('koa');
const Router = require('@koa/router');
const { Pool } = require('pg');
const { createClient } = require('redis');
const client = require('prom-client');
const compteur = new client.Counter({ name: 'app_requests_total', help: 'x', labelNames: ['method', 'endpoint'] });
const histo = new client.Histogram({ name: 'app_request_latency_seconds', help: 'y', labelNames: ['endpoint'] });
const pool = new Pool({ connectionString: process.env.DB, connectionTimeoutMillis: 1500, query_timeout: 1500 });
pool.on('error', () => {});
const r = createClient({ url: process.env.REDIS, disableOfflineQueue: true, socket: { reconnectStrategy: 400, connectTimeout: 1000 } });
r.on('error', () => {}); r.connect().catch(() => {});
const borne = (p) => Promise.race([p, new Promise((_, ko) => setTimeout(ko, 800, new Error('redis muet')))]);
const router = new Router();
router.get('/health', (ctx) => { ctx.body = { status: 'healthy' }; });
router.get('/api/data', async (ctx) => {
  const t0 = process.hrtime.bigint();
  let h;
  try { h = await borne(r.hGetAll('instant')); } catch { ctx.throw(503, 'cache'); }
  if (h.ms) ctx.body = { data: Number(h.ms), source: 'cache' };
  else {
    const { rows: [l] } = await pool.query("select floor(extract(epoch from now())*1000)::bigint as ms").catch(() => ctx.throw(503, 'base'));
    await borne(r.multi().hSet('instant', { ms: l.ms, origine: 'postgres' }).expire('instant', 60).exec()).catch(() => {});
    ctx.body = { data: Number(l.ms), source: 'database' };
  }
  histo.observe({ endpoint: '/api/data' }, Number(process.hrtime.bigint() - t0) / 1e9);
});
router.get('/metrics', async (ctx) => { ctx.type = client.register.contentType; ctx.body = await client.register.metrics(); });
const app = new Koa(); app.silent = true;
app.use(async (ctx, next) => { compteur.inc({ method: ctx.method, endpoint: ctx.path.replace(/\/+$/, '') || '/' }); await next(); });
app.use(router.routes());
app.listen(5000);
process.on('SIGTERM', () => process.exit(0));
