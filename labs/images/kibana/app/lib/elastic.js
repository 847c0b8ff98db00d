'use strict';
// Elasticsearch as Kibana sees it: requests, and the state found by asking again and again.
const http = require('node:http');
const https = require('node:https');
const fs = require('node:fs');

class Elastic {
  constructor(settings) {
    this.hosts = settings['elasticsearch.hosts'].map((h) => { const url = new URL(h); if (!url.port && !/:\d+/.test(h.replace(/^https?:/, ''))) url.port = '9200'; return url; });
    this.turn = 0;
    this.state = { up: false, summary: 'Waiting for Elasticsearch' };
    this.delay = Number.parseInt(settings['elasticsearch.healthCheck.delay'] ?? '2500', 10) || 2500;
    const { 'elasticsearch.username': user, 'elasticsearch.password': password, 'elasticsearch.serviceAccountToken': token } = settings;
    this.own = token ? `Bearer ${token}` : user ? `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}` : null;
    const trust = [settings['elasticsearch.ssl.certificateAuthorities'] ?? []].flat().map((f) => fs.readFileSync(f));
    this.tls = { rejectUnauthorized: settings['elasticsearch.ssl.verificationMode'] !== 'none', ...(trust.length ? { ca: trust } : {}), ...(settings['elasticsearch.ssl.verificationMode'] === 'certificate' ? { checkServerIdentity: () => undefined } : {}) };
  }

  /** One request: {status, json, text}. `as`: the Authorization to use, null for none. */
  ask(method, where, body, as = this.own) {
    const base = this.hosts[this.turn % this.hosts.length];
    const url = new URL(base.pathname.replace(/\/$/, '') + where, base);
    const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const req = (secure ? https : http).request(url, {
        method, timeout: 5000, ...(secure ? this.tls : {}), headers: { ...(as ? { authorization: as } : {}), ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) },
      }, (res) => {
        const chunks = [];
        res.on('data', (c) => chunks.push(c));
        res.on('error', reject);
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          let json;
          try { json = JSON.parse(text); } catch { /* text only */ }
          resolve({ status: res.statusCode, json, text, type: res.headers['content-type'] });
        });
      });
      req.on('timeout', () => req.destroy(new Error('Request timed out')));
      req.on('error', reject);
      req.end(payload);
    });
  }

  async look() {
    try {
      const root = await this.ask('GET', '/');
      if (root.status === 401 || root.status === 403) throw new Error(root.json?.error?.reason ? `security_exception: ${root.json.error.reason}` : 'security_exception');
      if (root.status !== 200 || !root.json?.version) throw new Error('Response Error');
      const { number } = root.json.version;
      if (Number(number.split('.')[0]) !== 8) throw new Error(`This version of Kibana (v8.10.3) is incompatible with the following Elasticsearch nodes in your cluster: v${number}`);
      const open = await this.ask('GET', '/', undefined, null);
      this.state = { up: true, secured: open.status === 401, summary: 'Elasticsearch is available' };
    } catch (err) {
      this.turn += 1;
      this.state = { up: false, secured: this.state.secured, summary: `Unable to retrieve version information from Elasticsearch nodes. ${err.message || err.code}` };
    }
    return this.state;
  }

  /** Calls `on(state)` after each look, for ever. */
  watch(on) {
    const round = async () => {
      on(await this.look());
      if (!this.stopped) this.timer = setTimeout(round, this.delay);
    };
    return round();
  }

  stop() { this.stopped = true; clearTimeout(this.timer); }
}

module.exports = { Elastic };
