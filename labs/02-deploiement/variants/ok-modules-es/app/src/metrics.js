import { Counter, Histogram, Registry } from 'prom-client';

export const register = new Registry();
register.setDefaultLabels({ app: 'api' });

const total = new Counter({
  name: 'app_requests_total', help: 'Requests', labelNames: ['endpoint', 'method'], registers: [register],
});
const seconds = new Histogram({
  name: 'app_request_latency_seconds', help: 'Latency', labelNames: ['endpoint'],
  buckets: [0.01, 0.1, 1], registers: [register],
});

export function measure(req, res, next) {
  const start = process.hrtime.bigint();
  const endpoint = req.path;
  res.on('finish', () => {
    total.inc({ endpoint, method: req.method });
    seconds.observe({ endpoint }, Number(process.hrtime.bigint() - start) / 1e9);
  });
  next();
}
