'use strict';
// The server: start-up order, request handling, request log.
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { logger, setLevel } = require('./log');
const { Store } = require('./store');
const { Auth } = require('./auth');
const { Router, Answer, typed, forbidden, send } = require('./http');
const datasources = require('./datasources');
const { DashboardProvisioning } = require('./dashboard-files');
const { VERSION } = require('./prometheus');
const misc = require('./api-misc');

class App {
  constructor(settings, env) {
    this.settings = settings;
    this.env = env;
    this.log = (name, ...context) => logger(name, ...context);
    this.statuses = { api: new Map(), page: new Map() };
    this.logins = 0;
    this.router = new Router();
    setLevel(settings.get('log', 'level'));
  }

  async start() {
    const { settings } = this;
    const log = this.log('settings');
    log.info('Starting Grafana', 'version', VERSION, 'commit', misc.COMMIT, 'branch', 'HEAD', 'compiled', new Date().toISOString().replace(/\.\d+Z/, 'Z'));
    for (const [msg, ...pairs] of settings.notes) log.info(msg, ...pairs);
    log.info('Target', 'target', '[all]');
    log.info('Path Home', 'path', settings.home);
    log.info('Path Data', 'path', settings.dataPath);
    log.info('Path Provisioning', 'path', settings.provisioningPath);
    log.info('App mode production');
    this.log('double').warn('Doublure de Grafana pour travailler hors ligne : ce serveur n\'est pas Grafana');
    this.store = new Store(settings.dataPath);
    this.log('sqlstore').info('Connecting to DB', 'dbtype', 'file');
    if (this.store.fresh) this.createAdmin();
    if (settings.bool('auth.anonymous', 'enabled') && !settings.anonymous) {
      this.log('authn.anonymous').error('Failed to find organization', 'org_name', settings.get('auth.anonymous', 'org_name'), 'error', 'organization not found');
    }
    this.auth = new Auth(this.store, settings, this.log('authn.service'));
    try { this.provisionDatasources(); } catch (err) {
      this.log('provisioning').error('Failed to provision data sources', 'error', err);
      throw err;
    }
    this.store.save();
    misc.register(this.router, this);
    require('./api-datasources').register(this.router, this);
    require('./api-dashboards').register(this.router, this);
    require('./pages').register(this.router, this);
    this.warnIgnored();
    await this.listen();
    this.startDashboards();
  }

  /** Says what the double does not read, so that nobody looks for it in vain. */
  warnIgnored() {
    for (const kind of ['alerting', 'plugins']) {
      const dir = path.join(this.settings.provisioningPath, kind);
      const files = fs.existsSync(dir) ? fs.readdirSync(dir).filter((n) => /\.(ya?ml|json)$/.test(n)) : [];
      if (files.length) this.log('double').warn('La doublure ne lit pas ces fichiers', 'path', dir, 'files', files.join(','));
    }
  }

  createAdmin() {
    const { settings, store } = this;
    if (settings.bool('security', 'disable_initial_admin_creation')) return;
    const login = settings.get('security', 'admin_user');
    store.addUser({ login, email: settings.get('security', 'admin_email'), password: settings.get('security', 'admin_password'), role: 'Admin', admin: true });
    this.log('sqlstore').info('Created default admin', 'user', login);
    this.log('sqlstore').info('Created default organization');
  }

  provisionDatasources() {
    const dir = path.join(this.settings.provisioningPath, 'datasources');
    try {
      datasources.provision(dir, this.store, this.env, this.log('provisioning.datasources'));
    } catch (err) {
      throw new Error(`Datasource provisioning error: ${err.message}`);
    }
    this.store.save();
  }

  /** A bad provider ends the real server once it has started: the same here. */
  startDashboards() {
    try { this.reloadDashboards(); } catch (err) {
      this.log('provisioning').error('Failed to provision dashboard', 'error', err);
      this.log('server').error('Stopped background service', 'service', '*provisioning.ProvisioningServiceImpl', 'reason', err);
      this.stop();
      throw new Error(`*provisioning.ProvisioningServiceImpl run error: ${err.message}`);
    }
  }

  reloadDashboards() {
    const next = new DashboardProvisioning({
      dir: path.join(this.settings.provisioningPath, 'dashboards'), store: this.store, env: this.env, log: this.log('provisioning.dashboard'),
    });
    this.files?.stop();
    this.files = next;
    next.start();
  }

  listen() {
    const { settings } = this;
    this.server = http.createServer((req, res) => this.handle(req, res));
    this.server.keepAliveTimeout = 65000;
    return new Promise((resolve, reject) => {
      this.server.once('error', (err) => reject(new Error(`*api.HTTPServer run error: failed to open listener on address ${settings.address || '0.0.0.0'}:${settings.port}: ${err.message}`)));
      this.server.listen({ port: settings.port, host: settings.address || undefined }, () => {
        const { port } = this.server.address();
        this.log('http.server').info('HTTP Server Listen', 'address', `[::]:${port}`, 'protocol', 'http', 'subUrl', settings.subUrl, 'socket', '');
        resolve();
      });
    });
  }

  stop() {
    this.files?.stop();
    this.server?.close();
    this.server?.closeAllConnections?.();
  }

  async handle(req, res) {
    const started = process.hrtime.bigint();
    const ctx = { req, res, identity: null };
    let isApi = true;
    try {
      try { ctx.url = new URL(`http://localhost${req.url}`); } catch { throw new Answer(400, { message: 'Bad request' }); }
      const prefix = this.settings.serveFromSubPath ? this.settings.subUrl : '';
      let { pathname } = ctx.url;
      if (prefix && (pathname === prefix || pathname.startsWith(`${prefix}/`))) pathname = pathname.slice(prefix.length) || '/';
      pathname = pathname.replace(/\/{2,}/g, '/');
      isApi = pathname.startsWith('/api/') || pathname === '/login' && req.method === 'POST';
      const route = this.router.match(req.method, pathname);
      if (!route) {
        if (isApi) throw new Answer(404, { message: 'Not found' });
        if (this.authorize(ctx, {}, pathname, isApi)) require('./pages').notFound(this, ctx);
        return;
      }
      ctx.params = route.params;
      if (!this.authorize(ctx, route.options, pathname, isApi)) return;
      const out = await route.handler(ctx);
      if (out instanceof Answer) this.reply(ctx, out.status, out.body);
      else if (out !== undefined && !res.headersSent) this.reply(ctx, 200, out);
    } catch (err) {
      if (!(err instanceof Answer)) this.log('context').error('Internal server error', 'error', err.stack ?? err);
      if (!res.headersSent) this.reply(ctx, err instanceof Answer ? err.status : 500, err instanceof Answer ? err.body : { message: 'Internal Server Error' });
    } finally {
      this.account(ctx, isApi, started);
    }
  }

  reply(ctx, status, body) {
    if (typeof body === 'string') send(ctx.res, status, body, { 'Content-Type': 'text/plain; charset=utf-8' });
    else send(ctx.res, status, body);
  }

  /** Fills `ctx.identity`; false when the answer has been given (a page sends to /login). */
  authorize(ctx, options, pathname, isApi) {
    if (options.open) return true;
    const forced = /[?&]forceLogin=true/.test(ctx.url.search);
    try {
      ctx.identity = this.auth.identify(ctx.req);
    } catch (err) {
      if (isApi) throw err;
    }
    if (!ctx.identity || (forced && ctx.identity.anonymous)) {
      if (isApi) throw typed(401, 'Unauthorized', 'auth.unauthorized');
      const back = encodeURIComponent(ctx.req.url.replace(/[?&]forceLogin=true/, ''));
      ctx.res.writeHead(302, {
        Location: `${this.settings.subUrl}/login`, 'Cache-Control': 'no-store', 'Set-Cookie': `redirect_to=${back}; Path=${this.settings.subUrl || '/'}; HttpOnly; SameSite=Lax`,
      });
      ctx.res.end();
      return false;
    }
    if (options.role && !this.auth.hasRole(ctx.identity, options.role)) throw forbidden(options.permission);
    return true;
  }

  account(ctx, isApi, started) {
    const status = ctx.res.statusCode;
    const counts = this.statuses[isApi ? 'api' : 'page'];
    const bucket = [200, 404, 500].includes(status) ? String(status) : 'unknown';
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    if (status < 400 && !this.settings.bool('server', 'router_logging')) return;
    const who = ctx.identity;
    const level = status >= 500 ? 'error' : 'info';
    const ms = Number((process.hrtime.bigint() - started) / 1000000n);
    this.log('context', 'userId', who?.userId ?? 0, 'orgId', who ? 1 : 0, 'uname', who?.login ?? '')[level](
      'Request Completed', 'method', ctx.req.method, 'path', (ctx.req.url ?? '').split('?')[0], 'status', status,
      'remote_addr', (ctx.req.socket.remoteAddress ?? '').replace(/^::ffff:/, ''), 'time_ms', ms, 'duration', `${ms}ms`, 'size', ctx.res.getHeader('Content-Length') ?? 0, 'referer', '',
    );
  }
}

module.exports = { App };
