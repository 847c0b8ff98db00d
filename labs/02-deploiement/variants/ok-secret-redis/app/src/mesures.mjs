import prom from 'prom-client';
export const registre = prom.register;
export const requetes = new prom.Counter({ name: 'app_requests_total', help: 'Requêtes reçues', labelNames: ['endpoint', 'method', 'version'] });
export const duree = new prom.Histogram({ name: 'app_request_latency_seconds', help: 'Durée', labelNames: ['endpoint', 'code'], buckets: prom.exponentialBuckets(0.001, 2, 12) });
