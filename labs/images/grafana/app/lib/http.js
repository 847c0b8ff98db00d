'use strict';
// A small router and the answer shapes of Grafana.

/** An answer given up on the way: status, body. */
class Answer extends Error {
  constructor(status, body) {
    super(body?.message ?? String(status));
    this.status = status;
    this.body = body;
  }
}

/** Plain error body: {"message": …}. */
const problem = (status, message, extra = {}) => new Answer(status, { message, ...extra });

/** The same for an error that has a cause: Grafana adds its trace id, empty without tracing. */
const caused = (status, message) => problem(status, message, { traceID: '' });

/** Body of Grafana's typed errors (errutil): {extra, message, messageId, statusCode, traceID}. */
const typed = (status, message, messageId) => new Answer(status, { extra: null, message, messageId, statusCode: status, traceID: '' });

/** Access control refusal. */
const forbidden = (permission) => new Answer(403, {
  accessErrorId: `ACE${String(Math.floor(Math.random() * 1e10)).padStart(10, '0')}`,
  message: `You'll need additional permissions to perform this action. Permissions needed: ${permission}`,
  title: 'Access denied',
});

class Router {
  constructor() {
    this.routes = [];
  }

  /** `pattern`: /api/datasources/uid/:uid/*; `options`: {open: no login needed, role, permission}. */
  on(method, pattern, options, handler) {
    const names = [];
    const source = pattern.replace(/[.]/g, '\\.').replace(/:([a-zA-Z]+)|\*/g, (all, name) => {
      names.push(name ?? 'rest');
      return name ? '([^/]+)' : '(.*)';
    });
    this.routes.push({ method, regexp: new RegExp(`^${source}/?$`), names, options, handler });
  }

  match(method, pathname) {
    for (const r of this.routes) {
      if (r.method !== method && !(method === 'HEAD' && r.method === 'GET')) continue;
      const m = r.regexp.exec(pathname);
      if (!m) continue;
      const params = {};
      r.names.forEach((n, i) => {
        try { params[n] = n === 'rest' ? m[i + 1] : decodeURIComponent(m[i + 1]); } catch { params[n] = m[i + 1]; }
      });
      return { ...r, params };
    }
    return null;
  }
}

/** Reads the body, at most 10 MiB. */
function readBody(req) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    req.on('data', (c) => {
      size += c.length;
      if (size > 10 * 1024 * 1024) {
        reject(problem(413, 'request body too large'));
        req.destroy();
      } else chunks.push(c);
    });
    req.on('end', () => resolve(Buffer.concat(chunks)));
    req.on('error', reject);
  });
}

/** The body as a JSON object, or Grafana's 400. */
async function readJson(req) {
  const text = (await readBody(req)).toString('utf8');
  try {
    const value = JSON.parse(text);
    if (value && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch { /* answered below */ }
  throw caused(400, 'bad request data');
}

function cookies(req) {
  const out = {};
  for (const part of (req.headers.cookie ?? '').split(';')) {
    const eq = part.indexOf('=');
    if (eq > 0) out[part.slice(0, eq).trim()] = part.slice(eq + 1).trim();
  }
  return out;
}

const SECURITY = { 'X-Content-Type-Options': 'nosniff', 'X-Frame-Options': 'deny', 'X-Xss-Protection': '1; mode=block' };

function send(res, status, body, headers = {}) {
  const isText = typeof body === 'string' || Buffer.isBuffer(body);
  const payload = isText ? body : `${JSON.stringify(body)}\n`;
  res.writeHead(status, {
    'Cache-Control': 'no-store', 'Content-Type': 'application/json', ...SECURITY, 'Content-Length': Buffer.byteLength(payload), ...headers,
  });
  res.end(payload);
}

module.exports = { Answer, problem, caused, typed, forbidden, Router, readBody, readJson, cookies, send };
