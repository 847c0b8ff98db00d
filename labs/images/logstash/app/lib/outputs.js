'use strict';
// Outputs: each gives `write(events)` (a promise that holds back the queue until it is done) and `stop()`.
const fs = require('node:fs');
const path = require('node:path');
const http = require('node:http');
const https = require('node:https');
const { encode } = require('./codecs');
const { list } = require('./filters');
const { bare } = require('./log');

const pause = (ms, state) => new Promise((resolve) => { state.wake = resolve; setTimeout(resolve, ms); });

function ask(url, method, body, o) {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const headers = { 'Content-Type': 'application/x-ndjson', ...(o.user ? { Authorization: `Basic ${Buffer.from(`${o.user}:${o.password}`).toString('base64')}` } : {}), ...(o.api_key ? { Authorization: `ApiKey ${Buffer.from(o.api_key).toString('base64')}` } : {}) };
    const trust = list(o.ssl_certificate_authorities ?? o.cacert).map((f) => fs.readFileSync(f));
    const lax = o.ssl_certificate_verification === false || o.ssl_verification_mode === 'none';
    const req = (secure ? https : http).request(url, { method, headers, timeout: 60000, ...(secure ? { rejectUnauthorized: !lax, ...(trust.length ? { ca: trust } : {}) } : {}) }, (res) => {
      const chunks = [];
      res.on('data', (c) => chunks.push(c));
      res.on('end', () => resolve({ status: res.statusCode, text: Buffer.concat(chunks).toString('utf8') }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timeout')));
    req.on('error', reject);
    req.end(body);
  });
}

function elasticsearch(o, codec, { log }) {
  const logs = log('logstash.outputs.elasticsearch');
  const hosts = list(o.hosts ?? 'http://localhost:9200').map((h) => {
    const url = new URL(/^https?:\/\//.test(h) ? h : `${o.ssl || o.ssl_enabled ? 'https' : 'http'}://${h}`);
    if (!url.port && !/:\d+$/.test(String(h))) url.port = '9200';
    return url;
  });
  const stream = o.data_stream === true || o.data_stream === 'true' || (!o.index && !o.ilm_enabled && !o.document_id && !o.action && o.data_stream !== 'false' && o.data_stream !== false);
  const state = { stopped: false, turn: 0 };
  const shown = (url) => `${url.protocol}//${o.user ? `${o.user}:xxxxxx@` : ''}${url.host}/`;
  const target = (event) => {
    if (stream) return [o.data_stream_type ?? 'logs', o.data_stream_dataset ?? 'generic', o.data_stream_namespace ?? 'default'].join('-');
    return event.text(o.index ?? 'logstash-%{+YYYY.MM.dd}');
  };
  const line = (event) => {
    const action = stream ? 'create' : event.text(o.action ?? 'index');
    const meta = { _index: target(event) };
    if (o.document_id) meta._id = event.text(o.document_id);
    if (o.routing) meta.routing = event.text(o.routing);
    if (o.pipeline) meta.pipeline = event.text(o.pipeline);
    const head = JSON.stringify({ [action]: meta });
    if (action === 'delete') return `${head}\n`;
    if (action === 'update') return `${head}\n${JSON.stringify({ doc: event, doc_as_upsert: o.doc_as_upsert === true })}\n`;
    return `${head}\n${JSON.stringify(event)}\n`;
  };
  const url = (where) => { const base = hosts[state.turn % hosts.length]; return new URL(`${base.pathname.replace(/\/$/, '')}${o.path ? `/${String(o.path).replace(/^\/|\/$/g, '')}` : ''}${where}`, base); };

  /** Sends until Elasticsearch has answered for every line. */
  async function write(events) {
    let left = events;
    for (let wait = 2000; left.length && !state.stopped;) {
      let answer;
      try {
        answer = await ask(url('/_bulk'), 'POST', left.map(line).join(''), o);
        if (answer.status >= 400) throw new Error(`Got response code '${answer.status}' contacting Elasticsearch at URL '${url('/_bulk')}'`);
        if (state.down) { state.down = false; logs.warn('Restored connection to ES instance', { url: shown(hosts[0]) }); }
      } catch (err) {
        state.down = true;
        logs.error('Attempted to send a bulk request but Elasticsearch appears to be unreachable or down', { message: err.message || err.code, exception: bare(answer ? 'LogStash::Outputs::ElasticSearch::HttpClient::Pool::BadResponseCodeError' : 'Manticore::SocketException'), will_retry_in_seconds: wait / 1000 });
        state.turn += 1;
        await pause(wait, state);
        wait = Math.min(wait * 2, 64000);
        continue;
      }
      const { items = [], errors } = JSON.parse(answer.text);
      if (!errors) return;
      const again = [];
      items.forEach((item, i) => {
        const [action, result] = Object.entries(item)[0];
        if (result.status < 300) return;
        if (result.status === 429 || result.status === 503) again.push(left[i]);
        else if (result.status !== 409) logs.warn('Could not index event to Elasticsearch.', { status: result.status, action: [action, { _index: result._index }], response: { [action]: { status: result.status, error: { type: result.error?.type, reason: result.error?.reason } } } });
      });
      left = again;
      if (left.length) { await pause(wait, state); wait = Math.min(wait * 2, 64000); }
    }
  }

  async function hello() {
    logs.info('New Elasticsearch output', { class: 'LogStash::Outputs::ElasticSearch', hosts: hosts.map((h) => bare(`"//${h.host}"`)) });
    try {
      const answer = await ask(url('/'), 'GET', undefined, o);
      if (answer.status >= 400) throw new Error(`Got response code '${answer.status}' contacting Elasticsearch at URL '${url('/')}'`);
      const { version } = JSON.parse(answer.text);
      logs.info('Elasticsearch version determined (%s)'.replace('%s', version?.number), { es_version: Number(version?.number?.split('.')[0]) });
    } catch (err) {
      state.down = true;
      logs.warn('Attempted to resurrect connection to dead ES instance, but got an error', { url: shown(hosts[0]), message: err.message || err.code });
    }
  }
  return { start: hello, write, stop() { state.stopped = true; state.wake?.(); } };
}

const stdout = (o, codec) => ({ async write(events) { process.stdout.write(events.map((e) => encode(codec, e)).join('')); }, stop() {} });

function file(o, codec) {
  return {
    async write(events) {
      for (const event of events) {
        const name = event.text(o.path);
        fs.mkdirSync(path.dirname(name), { recursive: true });
        const text = encode(codec, event);
        fs.appendFileSync(name, text.endsWith('\n') ? text : `${text}\n`);
      }
    },
    stop() {},
  };
}

/** name: [function, own settings, required ones, default codec]. */
const OUTPUTS = {
  elasticsearch: [elasticsearch, ['hosts', 'index', 'user', 'password', 'api_key', 'document_id', 'action', 'routing', 'pipeline', 'path', 'ssl', 'ssl_enabled', 'cacert', 'ssl_certificate_authorities', 'ssl_certificate_verification', 'ssl_verification_mode', 'doc_as_upsert', 'data_stream', 'data_stream_type', 'data_stream_dataset', 'data_stream_namespace', 'data_stream_auto_routing', 'data_stream_sync_fields', 'ilm_enabled', 'ilm_policy', 'ilm_pattern', 'ilm_rollover_alias', 'manage_template', 'template', 'template_name', 'template_overwrite', 'template_api', 'retry_initial_interval', 'retry_max_interval', 'retry_on_conflict', 'timeout', 'pool_max', 'sniffing', 'http_compression', 'compression_level', 'ecs_compatibility', 'healthcheck_path', 'resurrect_delay', 'validate_after_inactivity', 'custom_headers', 'silence_errors_in_log'], [], 'plain'],
  stdout: [stdout, [], [], 'rubydebug'],
  file: [file, ['path', 'flush_interval', 'gzip', 'create_if_deleted', 'dir_mode', 'file_mode', 'filename_failure', 'write_behavior', 'stale_cleanup_interval'], ['path'], 'json_lines'],
  null: [() => ({ async write() {}, stop() {} }), [], [], 'plain'],
};

module.exports = { OUTPUTS };
