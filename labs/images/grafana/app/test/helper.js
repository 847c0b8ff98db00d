'use strict';
// A Grafana double in its own process and a fake Prometheus, both on loopback.
const http = require('node:http');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { after } = require('node:test');

const SERVER = path.join(__dirname, '..', 'server.js');

// A failed test leaves its servers behind: nothing may outlive the file.
const alive = new Set();
after(() => {
  for (const stop of alive) stop();
});

/** A small Prometheus: knows `1+1`, `up`, counts what it is asked. */
function fakePrometheus() {
  const asked = [];
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const url = new URL(req.url, 'http://x');
    const params = new URLSearchParams(req.method === 'POST' ? Buffer.concat(chunks).toString() : url.search);
    asked.push({ method: req.method, path: url.pathname, params: Object.fromEntries(params), headers: req.headers });
    const answer = (status, body) => {
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(body));
    };
    const ok = (data) => answer(200, { status: 'success', data });
    const query = params.get('query') ?? '';
    if (/\($/.test(query)) return answer(400, { status: 'error', errorType: 'bad_data', error: 'invalid parameter "query": 1:6: parse error: unclosed left parenthesis' });
    const metric = { __name__: 'up', job: 'express-api', instance: 'api:5000' };
    if (url.pathname === '/api/v1/query') {
      const t = Number(params.get('time'));
      if (query === '1+1') return ok({ resultType: 'scalar', result: [t, '2'] });
      if (query === 'absent') return ok({ resultType: 'vector', result: [] });
      return ok({ resultType: 'vector', result: [{ metric, value: [t, query === 'nan' ? 'NaN' : '1'] }] });
    }
    if (url.pathname === '/api/v1/query_range') {
      const values = [];
      for (let t = Number(params.get('start')); t <= Number(params.get('end')); t += Number(params.get('step'))) values.push([t, '0.5']);
      return ok({ resultType: 'matrix', result: [{ metric, values }] });
    }
    if (url.pathname === '/api/v1/status/buildinfo') return ok({ version: '2.53.0' });
    if (url.pathname === '/api/v1/label/job/values') return ok(['express-api', 'prometheus']);
    return answer(404, { status: 'error', errorType: 'not_found', error: 'no' });
  });
  const close = () => { server.closeAllConnections(); server.close(); };
  alive.add(close);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}`, asked, close }));
  });
}

/** A temporary directory with these files. */
function tree(files) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'grafana-double-'));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
  return root;
}

const DIRECTORIES = { 'provisioning/datasources/.keep': '', 'provisioning/dashboards/.keep': '', 'dashboards/.keep': '' };

/** Starts the double; resolves once it listens, or with `exit` when it ends first. */
function grafana({ files = {}, env = {}, root = tree({ ...DIRECTORIES, ...files }), args = [] } = {}) {
  const child = spawn(process.execPath, [SERVER, 'server', ...args], {
    env: {
      PATH: process.env.PATH, NODE_PATH: process.env.NODE_PATH ?? '', GF_PATHS_DATA: path.join(root, 'data'),
      GF_PATHS_PROVISIONING: path.join(root, 'provisioning'), GF_SERVER_HTTP_PORT: '0', ROOT: root, ...env,
    },
  });
  alive.add(() => child.kill('SIGKILL'));
  const self = { root, log: '', exit: null, url: '', started: Date.now() };
  const ended = new Promise((resolve) => { child.on('exit', (code, signal) => { self.exit = code ?? signal; resolve(); }); });
  self.stop = async () => { child.kill('SIGTERM'); await ended; };
  self.ended = ended;
  self.get = (where, options = {}) => request(self.url, where, options);
  return new Promise((resolve) => {
    const look = (chunk) => {
      self.log += chunk;
      const port = /HTTP Server Listen" address=\[::\]:(\d+)/.exec(self.log)?.[1];
      if (port && !self.url) {
        self.url = `http://127.0.0.1:${port}`;
        self.ready = Date.now() - self.started;
      }
      if (/finished to provision dashboards/.test(self.log)) resolve(self);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', (c) => { self.log += c; });
    ended.then(() => setTimeout(() => resolve(self), 20));
  });
}

/** One request; `auth` defaults to admin:admin, null sends none. */
async function request(base, where, { method = 'GET', auth = 'admin:admin', body, headers = {} } = {}) {
  const response = await fetch(base + where, {
    method, redirect: 'manual', body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    headers: { ...(auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}), ...(body !== undefined ? { 'content-type': 'application/json' } : {}), ...headers },
  });
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { /* a page */ }
  return { status: response.status, headers: response.headers, text, json };
}

const datasource = (url, more = '') => `apiVersion: 1\ndatasources:\n  - name: Prometheus\n    type: prometheus\n    uid: prom\n    access: proxy\n    url: ${url}\n    isDefault: true\n${more}`;
const provider = (more = '', folder = 'TP') => `apiVersion: 1\nproviders:\n  - name: tp\n    folder: ${folder}\n    type: file\n    updateIntervalSeconds: 1\n    options:\n      path: $ROOT/dashboards\n${more}`;

/** Waits until `probe` gives something true, five seconds at most. */
async function until(probe) {
  const end = Date.now() + 5000;
  for (;;) {
    const value = await probe();
    if (value || Date.now() > end) return value;
    await new Promise((r) => { setTimeout(r, 50); });
  }
}

module.exports = { fakePrometheus, grafana, tree, datasource, provider, until, DIRECTORIES, SERVER };
