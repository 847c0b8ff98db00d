'use strict';
// Inputs: each gives `start({emit, full, log})` and `stop()`; `full()` says whether the queue is full.
const net = require('node:net');
const dgram = require('node:dgram');
const http = require('node:http');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { decode, LINES } = require('./codecs');
const { list } = require('./filters');

/** Cuts a stream into lines; the rest is given at the end. */
function lines(onLine) {
  let rest = '';
  return {
    push(text) {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      for (const part of parts) { const line = part.replace(/\r$/, ''); if (line !== '') onLine(line); }
    },
    end() { if (rest.trim() !== '') onLine(rest); rest = ''; },
  };
}

const listening = (server, port, host, where) => new Promise((resolve, reject) => {
  server.once('error', (err) => reject(Object.assign(new Error(`${err.code === 'EADDRINUSE' ? 'Address already in use' : err.message} - bind - ${where}`), { code: err.code })));
  if (server.bind) server.bind(port, host, resolve); else server.listen(port, host, resolve);
});

function tcp(o, codec) {
  if (codec.name === 'json') codec.name = 'json_lines';
  const sockets = new Set();
  const server = net.createServer();
  return {
    async start({ emit, full, log }) {
      if (o.mode === 'client') throw new Error('this double has no client mode for the tcp input');
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.setEncoding('utf8');
        const add = (line) => {
          for (const event of decode(codec, line)) {
            event.set('[@metadata][input][tcp][source][ip]', socket.remoteAddress?.replace(/^::ffff:/, ''));
            event.set('[@metadata][input][tcp][source][port]', socket.remotePort);
            emit(event);
          }
        };
        const cut = lines(add);
        socket.on('data', (text) => {
          if (LINES.has(codec.name)) cut.push(text); else add(text);
          if (full()) { socket.pause(); const t = setInterval(() => { if (!full()) { clearInterval(t); socket.resume(); } }, 100); }
        });
        socket.on('end', () => cut.end());
        socket.on('error', () => {});
        socket.on('close', () => sockets.delete(socket));
      });
      log('logstash.inputs.tcp').info('Starting tcp input listener', { address: `${o.host ?? '0.0.0.0'}:${o.port}`, ssl_enabled: false });
      await listening(server, Number(o.port), o.host ?? '0.0.0.0', `${o.host ?? '0.0.0.0'}:${o.port}`);
    },
    stop() { server.close(); for (const s of sockets) s.destroy(); },
  };
}

function udp(o, codec) {
  const server = dgram.createSocket('udp4');
  return {
    async start({ emit, log }) {
      server.on('message', (data, from) => {
        for (const event of decode(codec, data.toString('utf8').replace(/\r?\n$/, ''))) { event.set('[host][ip]', from.address); emit(event); }
      });
      log('logstash.inputs.udp').info('Starting UDP listener', { address: `${o.host ?? '0.0.0.0'}:${o.port}` });
      await listening(server, Number(o.port), o.host ?? '0.0.0.0', `${o.host ?? '0.0.0.0'}:${o.port}`);
    },
    stop() { server.close(); },
  };
}

function httpInput(o, codec) {
  const basic = o.user ? `Basic ${Buffer.from(`${o.user}:${o.password}`).toString('base64')}` : null;
  const server = http.createServer((req, res) => {
    if (basic && req.headers.authorization !== basic) return res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="Logstash"' }).end();
    if (server.full()) return res.writeHead(429).end();
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const type = (req.headers['content-type'] ?? '').split(';')[0].trim();
      const name = type === 'application/json' ? 'json' : codec.name;
      for (const event of decode({ ...codec, name }, Buffer.concat(chunks).toString('utf8'))) {
        event.set('[host][ip]', req.socket.remoteAddress?.replace(/^::ffff:/, ''));
        event.set('[http][method]', req.method);
        event.set('[url][path]', req.url);
        if (req.headers['user-agent']) event.set('[user_agent][original]', req.headers['user-agent']);
        server.emitEvent(event);
      }
      res.writeHead(Number(o.response_code ?? 200), { 'Content-Type': 'text/plain', ...o.response_headers }).end('ok');
    });
    return undefined;
  });
  return {
    async start({ emit, full, log }) {
      server.emitEvent = emit; server.full = full;
      log('logstash.inputs.http').info('Starting http input listener', { address: `${o.host ?? '0.0.0.0'}:${o.port ?? 8080}`, ssl: 'false' });
      await listening(server, Number(o.port ?? 8080), o.host ?? '0.0.0.0', `${o.host ?? '0.0.0.0'}:${o.port ?? 8080}`);
    },
    stop() { server.close(); server.closeAllConnections(); },
  };
}

function beats(o) {
  const server = net.createServer((socket) => { socket.on('error', () => {}); socket.destroy(); });
  return {
    async start({ log }) {
      log('logstash.inputs.beats').warn('This double of Logstash listens on the port of Beats but does not speak its protocol: every connection is closed', { port: Number(o.port) });
      await listening(server, Number(o.port), o.host ?? '0.0.0.0', `${o.host ?? '0.0.0.0'}:${o.port}`);
    },
    stop() { server.close(); },
  };
}

function stdin(o, codec) {
  return {
    async start({ emit }) {
      const cut = lines((line) => { for (const e of decode(codec, line)) { e.set('[host][hostname]', os.hostname()); emit(e); } });
      process.stdin.setEncoding('utf8');
      process.stdin.on('data', (text) => cut.push(text));
      process.stdin.on('end', () => { cut.end(); this.onEnd?.(); });
    },
    stop() { process.stdin.pause(); },
  };
}

/** Files matching a path whose last part may hold stars. */
function glob(pattern) {
  const dir = path.dirname(pattern);
  const re = new RegExp(`^${path.basename(pattern).replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')}$`);
  try { return fs.readdirSync(dir).filter((f) => re.test(f)).sort().map((f) => path.join(dir, f)); } catch { return []; }
}

function file(o, codec) {
  const at = new Map();
  let timer;
  return {
    async start({ emit, full }) {
      const first = o.start_position === 'beginning' || o.mode === 'read';
      let begun = false;
      const look = () => {
        if (full()) return;
        for (const name of list(o.path).flatMap(glob)) {
          let stat;
          try { stat = fs.statSync(name); } catch { continue; }
          if (!stat.isFile()) continue;
          let state = at.get(name);
          if (!state || state.ino !== stat.ino || stat.size < state.pos) {
            state = { ino: stat.ino, pos: !state && !begun && !first ? stat.size : 0 };
            state.cut = lines((line) => { for (const e of decode(codec, line)) { e.set('[log][file][path]', name); e.set('[host][name]', os.hostname()); emit(e); } });
            at.set(name, state);
          }
          if (stat.size > state.pos) {
            const fd = fs.openSync(name, 'r');
            const buffer = Buffer.alloc(Math.min(stat.size - state.pos, 1 << 20));
            state.pos += fs.readSync(fd, buffer, 0, buffer.length, state.pos);
            fs.closeSync(fd);
            state.cut.push(buffer.toString('utf8'));
          }
        }
        begun = true;
      };
      look();
      timer = setInterval(look, 1000);
    },
    stop() { clearInterval(timer); },
  };
}

function generator(o) {
  let timer;
  return {
    async start({ emit, full }) {
      let n = 0;
      const all = list(o.lines ?? o.message ?? 'Hello world!');
      timer = setInterval(() => {
        for (let i = 0; i < 10 && !full() && (!o.count || n < o.count * all.length); i += 1, n += 1) {
          for (const e of decode({ name: 'plain', options: {} }, all[n % all.length])) { e.set('[host][name]', os.hostname()); e.set('[event][sequence]', Math.floor(n / all.length)); emit(e); }
        }
      }, 20);
    },
    stop() { clearInterval(timer); },
  };
}

/** name: [function, own settings, required ones, default codec]. */
const INPUTS = {
  tcp: [tcp, ['host', 'port', 'mode', 'ssl_enable', 'ssl_enabled', 'ssl_verify', 'tcp_keep_alive', 'dns_reverse_lookup_enabled', 'proxy_protocol', 'ecs_compatibility'], ['port'], 'line'],
  udp: [udp, ['host', 'port', 'buffer_size', 'queue_size', 'workers', 'receive_buffer_bytes', 'source_ip_fieldname', 'ecs_compatibility'], ['port'], 'plain'],
  http: [httpInput, ['host', 'port', 'user', 'password', 'response_code', 'response_headers', 'additional_codecs', 'threads', 'ssl', 'ssl_enabled', 'ecs_compatibility', 'max_content_length', 'max_pending_requests', 'remote_host_target_field', 'request_headers_target_field'], [], 'plain'],
  beats: [beats, ['host', 'port', 'ssl', 'ssl_enabled', 'include_codec_tag', 'client_inactivity_timeout', 'ecs_compatibility'], ['port'], 'plain'],
  stdin: [stdin, ['ecs_compatibility'], [], 'line'],
  file: [file, ['path', 'start_position', 'sincedb_path', 'mode', 'exclude', 'stat_interval', 'discover_interval', 'delimiter', 'ignore_older', 'close_older', 'file_completed_action', 'file_completed_log_path', 'sincedb_write_interval', 'ecs_compatibility', 'max_open_files', 'exit_after_read'], ['path'], 'plain'],
  generator: [generator, ['lines', 'message', 'count', 'threads', 'ecs_compatibility'], [], 'plain'],
};

module.exports = { INPUTS };
