'use strict';
// The HTTP server: base path, headers, protection against forged requests, authentication, then the routes.
const http = require('node:http');
const crypto = require('node:crypto');
const { Elastic } = require('./elastic');
const { Objects, Answer } = require('./objects');
const { status, api, page, VERSION } = require('./routes');

const log = (level, name, text) => process.stdout.write(`[${new Date().toISOString().replace('Z', '+00:00')}][${level.padEnd(5)}][${name}] ${text}\n`);
const notFound = { statusCode: 404, error: 'Not Found', message: 'Not Found' };

function readBody(req) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    req.on('data', (c) => { size += c.length; if (size > 1048576) { reject(new Answer(413, 'Request Entity Too Large', 'Payload content length greater than maximum allowed: 1048576')); req.destroy(); } else chunks.push(c); });
    req.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    req.on('error', reject);
  });
}

class App {
  constructor(settings) {
    this.settings = settings;
    this.base = settings['server.basePath'] ?? '';
    this.rewrite = settings['server.rewriteBasePath'] === true;
    this.uuid = settings['server.uuid'] ?? crypto.randomUUID();
    this.elastic = new Elastic(settings);
    this.objects = new Objects(this.elastic);
    this.ready = false;
    this.requests = 0;
    this.extra = Object.fromEntries(Object.entries(settings).filter(([k]) => k.startsWith('server.customResponseHeaders.')).map(([k, v]) => [k.slice(29), v]));
    this.server = http.createServer((req, res) => {
      this.requests += 1;
      this.handle(req, res).catch((err) => {
        if (err instanceof Answer) this.send(res, err.status, err.body);
        else { log('ERROR', 'http', err.message); this.send(res, 503, { statusCode: 503, error: 'Service Unavailable', message: err.message || 'connection error' }); }
      });
    });
  }

  async start() {
    const { 'server.host': host, 'server.port': port } = this.settings;
    await new Promise((resolve, reject) => { this.server.once('error', reject); this.server.listen(Number(port), host === 'localhost' ? '127.0.0.1' : host, resolve); });
    log('INFO', 'http.server.Preboot', `http server running at http://${host}:${this.server.address().port}${this.rewrite ? this.base : ''}`);
    let last;
    this.elastic.watch(async (state) => {
      if (state.summary !== last && !state.up) log('ERROR', 'elasticsearch-service', state.summary);
      if (state.up && !this.ready) {
        try {
          await this.objects.prepare();
          this.ready = true;
          log('INFO', 'status', 'Kibana is now available');
        } catch (err) { log('WARN', 'savedobjects-service', err.message); }
      } else if (state.up !== this.up && this.ready && this.up !== undefined) log(state.up ? 'INFO' : 'ERROR', 'status', `Kibana is now ${state.up ? 'available (was critical)' : 'critical (was available)'}`);
      last = state.summary;
      this.up = state.up;
    });
  }

  stop() { this.elastic.stop(); this.server.close(); this.server.closeAllConnections(); }

  send(res, code, body, headers = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    res.writeHead(code, {
      'x-content-type-options': 'nosniff', 'referrer-policy': 'strict-origin-when-cross-origin', 'kbn-name': this.settings['server.name'], 'cache-control': 'private, no-cache, no-store, must-revalidate',
      'content-type': typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8', ...this.extra, ...headers, 'content-length': Buffer.byteLength(text),
    });
    res.end(res.req.method === 'HEAD' ? undefined : text);
  }

  redirect(res, where) { this.send(res, 302, '', { location: this.base + where }); }

  async handle(req, res) {
    let { pathname } = new URL(req.url, 'http://x');
    const url = new URL(req.url, 'http://x');
    if (this.rewrite) {
      if (pathname !== this.base && !pathname.startsWith(`${this.base}/`)) return this.send(res, 404, notFound);
      pathname = pathname.slice(this.base.length) || '/';
      url.pathname = pathname;
    }
    if (!this.ready) {
      if (pathname === '/api/status') return this.send(res, 503, status(this, true));
      return this.send(res, 503, 'Kibana server is not ready yet.', { 'retry-after': '30', 'content-type': 'text/plain; charset=utf-8' });
    }
    const write = !['GET', 'HEAD', 'OPTIONS'].includes(req.method);
    if (write && req.headers['kbn-xsrf'] === undefined && req.headers['kbn-version'] === undefined && this.settings['server.xsrf.disableProtection'] !== true) {
      throw new Answer(400, 'Bad Request', 'Request must contain a kbn-xsrf header.');
    }
    const version = req.headers['kbn-version'];
    if (version !== undefined && version !== VERSION) throw new Answer(400, 'Bad Request', `Browser client is out of date, please refresh the page ("kbn-version" header was "${version}" but should be "${VERSION}")`);
    const as = req.headers.authorization ?? null;
    let known = !this.elastic.state.secured;
    if (!known && as && this.elastic.state.up) known = (await this.elastic.ask('GET', '/_security/_authenticate', undefined, as)).status === 200;
    if (pathname === '/api/status') {
      return this.send(res, this.elastic.state.up ? 200 : 503, status(this, known || this.settings['status.allowAnonymous'] === true));
    }
    if (pathname === '/login') return known ? this.redirect(res, '/app/home') : this.send(res, 200, '<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8"><title>Elastic</title></head><body><h1>Kibana</h1><p>Doublure de Kibana (image hors ligne) : donnez vos identifiants par l’authentification HTTP « Basic ».</p></body></html>');
    if (!known) {
      if (pathname.startsWith('/api/')) throw new Answer(401, 'Unauthorized', 'Unauthorized');
      return this.redirect(res, `/login?next=${encodeURIComponent(this.base + pathname)}`);
    }
    if (pathname === '/') return this.redirect(res, '/spaces/enter');
    if (pathname === '/spaces/enter') return this.redirect(res, '/app/home');
    if (pathname === '/app' || pathname === '/app/kibana' || pathname === '/app/') return this.redirect(res, '/app/home');
    if (pathname.startsWith('/app/') && !write) return this.send(res, 200, await page(this, pathname.split('/')[2]));
    if (pathname.startsWith('/api/') || pathname.startsWith('/s/default/api/')) {
      url.pathname = pathname.replace(/^\/s\/default/, '');
      const text = write ? await readBody(req) : '';
      let body;
      if (text !== '') {
        try { body = JSON.parse(text); } catch { throw new Answer(400, 'Bad Request', 'Invalid request payload JSON format'); }
      }
      const answer = await api(this, req.method === 'HEAD' ? 'GET' : req.method, url, body, as);
      if (answer) return this.send(res, ...answer);
    }
    return this.send(res, 404, notFound);
  }
}

module.exports = { App, log };
