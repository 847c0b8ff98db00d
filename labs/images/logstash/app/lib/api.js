'use strict';
// The monitoring API, on port 9600.
const http = require('node:http');
const os = require('node:os');
const crypto = require('node:crypto');

const VERSION = '8.10.3';
const id = crypto.randomUUID();
const started = Date.now();

function create(settings, pipelines, log) {
  const host = settings['api.http.host'] ?? settings['http.host'] ?? '127.0.0.1';
  const range = String(settings['api.http.port'] ?? settings['http.port'] ?? '9600-9700');
  const port = Number(range.split('-')[0]);
  const node = settings['node.name'] ?? os.hostname();
  const workers = Number(settings['pipeline.workers'] ?? os.cpus().length);
  const base = () => ({
    host: os.hostname(), version: VERSION, http_address: `${host}:${port}`, id, name: node, ephemeral_id: id, status: 'green', snapshot: false,
    pipeline: { workers, batch_size: Number(settings['pipeline.batch.size'] ?? 125), batch_delay: Number(settings['pipeline.batch.delay'] ?? 50) },
  });
  const sum = () => {
    const out = { in: 0, filtered: 0, out: 0, duration_in_millis: 0, queue_push_duration_in_millis: 0 };
    for (const p of pipelines) for (const key of Object.keys(out)) out[key] += p.stats[key];
    return out;
  };
  const stats = (p) => ({ events: p.stats, flow: {}, plugins: p.plugins, reloads: { successes: 0, failures: 0, last_error: null, last_success_timestamp: null, last_failure_timestamp: null }, queue: { type: 'memory', events_count: p.queue.length, queue_size_in_bytes: 0, max_queue_size_in_bytes: 0 }, hash: p.hash, ephemeral_id: id });
  const info = (p) => ({ ephemeral_id: id, hash: p.hash, workers: p.o.workers, batch_size: p.o.batch, batch_delay: p.o.delay, config_reload_automatic: settings['config.reload.automatic'] === true, config_reload_interval: 3000000000, dead_letter_queue_enabled: false });
  const parts = {
    jvm: () => ({ threads: { count: 1, peak_count: 1 }, mem: { heap_used_in_bytes: process.memoryUsage().heapUsed, heap_max_in_bytes: process.memoryUsage().heapTotal, heap_used_percent: 0 }, uptime_in_millis: Date.now() - started }),
    process: () => ({ open_file_descriptors: 0, peak_open_file_descriptors: 0, max_file_descriptors: 0, mem: { total_virtual_in_bytes: process.memoryUsage().rss }, cpu: { total_in_millis: Math.round(process.cpuUsage().user / 1000), percent: 0, load_average: { '1m': os.loadavg()[0] } } }),
    events: sum,
    pipelines: () => Object.fromEntries(pipelines.map((p) => [p.o.id, stats(p)])),
    reloads: () => ({ successes: 0, failures: 0 }),
    os: () => ({}),
    queue: () => ({ events_count: pipelines.reduce((n, p) => n + p.queue.length, 0) }),
  };
  const answer = (where) => {
    const [a, b, c, d] = where.split('/').filter(Boolean);
    if (!a) return { ...base(), build_date: '2023-10-05T10:16:03+00:00', build_sha: 'offline', build_snapshot: false };
    if (a !== '_node') return null;
    if (!b) return { ...base(), pipelines: Object.fromEntries(pipelines.map((p) => [p.o.id, info(p)])), os: { name: 'Linux', arch: os.arch(), version: os.release(), available_processors: os.cpus().length }, jvm: { pid: process.pid, version: 'none' } };
    if (b === 'pipelines') {
      const one = c ? pipelines.filter((p) => p.o.id === c) : pipelines;
      return one.length || !c ? { ...base(), pipelines: Object.fromEntries(one.map((p) => [p.o.id, info(p)])) } : null;
    }
    if (b === 'plugins') return { ...base(), total: 0, plugins: [] };
    if (b === 'hot_threads') return { ...base(), hot_threads: { time: new Date().toISOString(), busiest_threads: 0, threads: [] } };
    if (b !== 'stats') return null;
    if (!c) return { ...base(), ...Object.fromEntries(Object.entries(parts).map(([k, f]) => [k, f()])) };
    if (c === 'pipelines' && d) {
      const one = pipelines.find((p) => p.o.id === d);
      return one ? { ...base(), pipelines: { [d]: stats(one) } } : null;
    }
    return parts[c] ? { ...base(), [c]: parts[c]() } : null;
  };
  const basic = settings['api.auth.type'] === 'basic' ? `Basic ${Buffer.from(`${settings['api.auth.basic.username']}:${settings['api.auth.basic.password']}`).toString('base64')}` : null;
  const server = http.createServer((req, res) => {
    const url = new URL(req.url, 'http://x');
    const send = (status, body) => {
      const text = JSON.stringify(body, null, url.searchParams.has('pretty') ? 2 : 0);
      res.writeHead(status, { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff', 'Content-Length': Buffer.byteLength(text) });
      res.end(req.method === 'HEAD' ? undefined : text);
    };
    if (basic && req.headers.authorization !== basic) { res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="logstash-api"' }); return res.end(); }
    const body = answer(url.pathname);
    return body ? send(200, body) : send(404, { path: url.pathname, status: 404, error: { message: 'Not Found' } });
  });
  return {
    start: () => new Promise((resolve) => {
      server.once('error', (err) => { log('logstash.agent').error('Could not start the API', { message: err.message }); resolve(); });
      server.listen(port, host, () => { log('logstash.agent').info('Successfully started Logstash API endpoint', { port, ssl_enabled: false }); resolve(); });
    }),
    stop() { server.close(); server.closeAllConnections(); },
  };
}

module.exports = { create, VERSION };
