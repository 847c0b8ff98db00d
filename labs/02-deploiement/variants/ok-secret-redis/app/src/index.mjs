import Fastify from 'fastify';
import { requetes, duree, registre } from './mesures.mjs';
import { lire } from './donnees.mjs';

const app = Fastify({ logger: false });
app.addHook('onRequest', async (req) => {
  const endpoint = req.routeOptions.url ?? 'autre';
  if (endpoint !== 'autre') requetes.labels(endpoint, req.method, 'v1').inc();
});
app.get('/health', async () => ({ status: 'healthy', uptime: process.uptime() }));
app.get('/api/data', async (req, rep) => {
  const fin = duree.startTimer({ endpoint: '/api/data' });
  try { const r = await lire(); fin({ code: '200' }); return r; }
  catch (e) { fin({ code: '503' }); console.error(e.message); return rep.code(503).send({ erreur: 'indisponible' }); }
});
app.get('/metrics', async (req, rep) => rep.type(registre.contentType).send(await registre.metrics()));
await app.listen({ port: 5000, host: '::' });
