'use strict';
// HTTP client of a Prometheus data source, with errors worded as Go's net/http.
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const dns = require('node:dns');

const VERSION = '11.1.0';

/** url.ParseRequestURI as the plugin uses it: what has no scheme, or no slash, is refused. */
function parseUrl(raw) {
  const text = String(raw ?? '').trim();
  if (!text) throw new Error('parse "": empty url');
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/.exec(text);
  if (!scheme) throw new Error(`parse ${JSON.stringify(text)}: ${/^[0-9.]+:\d/.test(text) ? 'first path segment in URL cannot contain colon' : 'invalid URI for request'}`);
  if (!/^https?$/i.test(scheme[1])) throw Object.assign(new Error(`unsupported protocol scheme ${JSON.stringify(scheme[1].toLowerCase())}`), { request: text });
  try { return new URL(text); } catch { throw new Error(`parse ${JSON.stringify(text)}: invalid URI for request`); }
}

/** " on 127.0.0.11:53": Go names the server it asked. */
function server() {
  const [first] = dns.getServers();
  return first ? ` on ${first.includes(':') ? first : `${first}:53`}` : '';
}

function dialError(err, url) {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port || (url.protocol === 'https:' ? 443 : 80);
  const address = err.address ? `${err.address.includes(':') ? `[${err.address}]` : err.address}:${err.port}` : `${host}:${port}`;
  switch (err.code) {
    case 'ENOTFOUND': return `dial tcp: lookup ${host}${server()}: no such host`;
    case 'EAI_AGAIN': return `dial tcp: lookup ${host}${server()}: server misbehaving`;
    case 'ECONNREFUSED': return `dial tcp ${address}: connect: connection refused`;
    case 'EHOSTUNREACH': return `dial tcp ${address}: connect: no route to host`;
    case 'ENETUNREACH': return `dial tcp ${address}: connect: network is unreachable`;
    case 'ECONNRESET': return /socket hang up/.test(err.message) ? 'EOF' : 'read: connection reset by peer';
    case 'TIMEOUT': return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
    default: return err.message;
  }
}

/** Headers that the data source's settings add: basic authentication and custom headers. */
function settingsHeaders(ds) {
  const out = {};
  if (ds.basicAuth) {
    out.authorization = `Basic ${Buffer.from(`${ds.basicAuthUser ?? ''}:${ds.secure?.basicAuthPassword ?? ''}`).toString('base64')}`;
  }
  for (const [key, name] of Object.entries(ds.jsonData ?? {})) {
    const n = /^httpHeaderName(\d+)$/.exec(key)?.[1];
    const value = n && ds.secure?.[`httpHeaderValue${n}`];
    if (value) out[String(name).toLowerCase()] = value;
  }
  return out;
}

/**
 * Sends one request below the data source's URL.
 * @returns {Promise<{status: number, statusText: string, headers: object, body: Buffer}>}
 * @throws {Error} worded as Go's: `Post "http://…": dial tcp …`
 */
function send(ds, { method, endpoint, query = '', body = null, headers = {}, timeoutMs = 30000 }) {
  const verb = method[0] + method.slice(1).toLowerCase();
  return new Promise((resolve, reject) => {
    let url;
    try { url = parseUrl(ds.url); } catch (err) {
      reject(err.request ? new Error(`${verb} ${JSON.stringify(err.request)}: ${err.message}`) : err);
      return;
    }
    const base = new URLSearchParams(ds.jsonData?.customQueryParameters ?? '');
    url.pathname = path.posix.join(url.pathname, endpoint);
    const params = [query, base.toString()].filter(Boolean).join('&');
    const target = `${url.origin}${url.pathname}${params ? `?${params}` : ''}`;
    const fail = (err) => reject(new Error(`${verb} ${JSON.stringify(target)}: ${dialError(err, url)}`));
    const lib = url.protocol === 'https:' ? https : http;
    const request = lib.request(target, {
      method, agent: false, timeout: timeoutMs, rejectUnauthorized: !ds.jsonData?.tlsSkipVerify,
      headers: { 'user-agent': `Grafana/${VERSION}`, ...headers, ...settingsHeaders(ds), ...(body === null ? {} : { 'content-length': Buffer.byteLength(body) }) },
    }, (response) => {
      const chunks = [];
      response.on('data', (c) => chunks.push(c));
      response.on('error', fail);
      response.on('end', () => resolve({ status: response.statusCode, statusText: response.statusMessage, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'TIMEOUT' })));
    request.on('error', (err) => fail(err.errors?.[0] ?? err));
    request.end(body ?? undefined);
  });
}

/** A query call: POST with a form by default, GET when the data source says so. */
function call(ds, endpoint, values, timeoutMs) {
  const form = new URLSearchParams(values).toString();
  const method = String(ds.jsonData?.httpMethod || 'POST').toUpperCase();
  if (method === 'GET') return send(ds, { method, endpoint, query: form, timeoutMs });
  return send(ds, { method: 'POST', endpoint, body: form, headers: { 'content-type': 'application/x-www-form-urlencoded' }, timeoutMs });
}

module.exports = { send, call, VERSION };
