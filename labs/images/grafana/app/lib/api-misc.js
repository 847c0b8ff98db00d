'use strict';
// Health, sessions, users, organisation, settings, alerting stubs and metrics.
// Documentation: "Other HTTP API", "Authentication API", "User HTTP API", "Organization HTTP API", "Admin HTTP API".
const { Answer, problem, caused, typed, readJson, cookies, send } = require('./http');
const { listItem } = require('./datasources');
const { isoSeconds } = require('./util');
const { VERSION } = require('./prometheus');

const COMMIT = '5b85c4c2fcf5d32d4f68aaef345c53096359b2f1';
const STARTED = Date.now();
const OPEN = { open: true };
const USER = { role: 'None' };
const ADMIN = { role: 'Admin', permission: 'users:read' };

const profile = (u) => ({
  id: u.id, uid: '', email: u.email, name: u.name, login: u.login, theme: '', orgId: 1, isGrafanaAdmin: u.admin, isDisabled: false, isExternal: false,
  isExternallySynced: false, isGrafanaAdminExternallySynced: false, authLabels: [], updatedAt: isoSeconds(u.updated), createdAt: isoSeconds(u.created), avatarUrl: '',
});

const escapeLabel = (v) => String(v).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

/** GET /metrics: a few of Grafana's own series. */
function metricsText(app) {
  const { store } = app;
  const out = [];
  const series = (name, type, help, rows) => {
    out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of rows) {
      const inner = Object.entries(labels).map(([k, v]) => `${k}="${escapeLabel(v)}"`).join(',');
      out.push(`${name}${inner ? `{${inner}}` : ''} ${value}`);
    }
  };
  series('grafana_build_info', 'gauge', "A metric with a constant '1' value labeled by version, revision, branch, and goversion from which Grafana was built", [
    [{ branch: 'HEAD', edition: 'oss', goversion: 'go1.22.4', revision: COMMIT.slice(0, 10), version: VERSION }, 1]]);
  series('grafana_instance_start_total', 'counter', 'counter for started instances', [[{}, 1]]);
  series('grafana_api_response_status_total', 'counter', 'api http response status', [...app.statuses.api].sort().map(([code, n]) => [{ code }, n]));
  series('grafana_page_response_status_total', 'counter', 'page http response status', [...app.statuses.page].sort().map(([code, n]) => [{ code }, n]));
  series('grafana_api_login_post_total', 'counter', 'api login post counter', [[{}, app.logins]]);
  series('grafana_stat_totals_dashboard', 'gauge', 'total amount of dashboards', [[{}, store.dashboards().length]]);
  series('grafana_stat_totals_folder', 'gauge', 'total amount of folders', [[{}, store.folders().length]]);
  series('grafana_stat_total_users', 'gauge', 'total amount of users', [[{}, store.data.users.length]]);
  series('grafana_stat_total_orgs', 'gauge', 'total amount of orgs', [[{}, 1]]);
  const types = new Map();
  for (const ds of store.data.datasources) types.set(ds.type, (types.get(ds.type) ?? 0) + 1);
  series('grafana_stat_totals_datasource', 'gauge', 'total number of defined datasources, labeled by pluginId', [...types].map(([plugin_id, n]) => [{ plugin_id }, n]));
  series('process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.', [[{}, STARTED / 1000]]);
  series('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', [[{}, process.memoryUsage.rss()]]);
  return `${out.join('\n')}\n`;
}

function register(router, app) {
  const { store, settings, auth } = app;
  const health = () => {
    const hide = settings.anonymous && settings.bool('auth.anonymous', 'hide_version');
    const body = hide ? { database: 'ok' } : { commit: COMMIT, database: 'ok', version: VERSION };
    return new Answer(200, `${JSON.stringify(body, null, 2)}`);
  };
  router.on('GET', '/api/health', OPEN, ({ res }) => send(res, 200, health().body, { 'Content-Type': 'application/json; charset=UTF-8' }));
  router.on('GET', '/healthz', OPEN, ({ res }) => send(res, 200, 'Ok', { 'Content-Type': 'text/plain; charset=utf-8' }));
  router.on('GET', '/robots.txt', OPEN, ({ res }) => send(res, 200, 'User-agent: *\nDisallow: /\n', { 'Content-Type': 'text/plain; charset=utf-8' }));
  router.on('GET', '/metrics', OPEN, ({ req, res }) => {
    if (!settings.bool('metrics', 'enabled')) return new Answer(404, { message: 'Not found' });
    const user = settings.get('metrics', 'basic_auth_username');
    const wanted = `Basic ${Buffer.from(`${user}:${settings.get('metrics', 'basic_auth_password')}`).toString('base64')}`;
    if (user && req.headers.authorization !== wanted) return new Answer(401, '');
    return send(res, 200, metricsText(app), { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
  });

  // --- sessions ------------------------------------------------------------
  router.on('POST', '/login', OPEN, async ({ req, res }) => {
    if (settings.bool('auth', 'disable_login_form')) throw typed(401, 'Login is disabled', 'password-auth.disabled');
    const body = await readJson(req);
    if (!body.user || !body.password) throw typed(400, 'bad login data', 'form-auth.invalid');
    let user;
    try { user = auth.password(String(body.user ?? ''), String(body.password ?? '')); } catch (err) {
      if (!(err instanceof Answer)) throw err;
      app.log('context').info('Invalid username or password', 'userId', 0, 'orgId', 0, 'uname', '');
      throw err;
    }
    app.logins += 1;
    app.log('http.server').info('Successful Login', 'User', user.email);
    const after = cookies(req).redirect_to ? decodeURIComponent(cookies(req).redirect_to) : `${settings.subUrl}/`;
    const safe = /^\/(?!\/)/.test(after) ? after : `${settings.subUrl}/`;
    send(res, 200, { message: 'Logged in', redirectUrl: safe }, {
      'Set-Cookie': [...auth.setCookie(auth.openSession(user), 2592000), `redirect_to=; Path=${settings.subUrl || '/'}; Max-Age=0; HttpOnly; SameSite=Lax`],
    });
  });
  router.on('GET', '/logout', OPEN, ({ req, res }) => {
    auth.closeSession(req);
    const where = settings.get('auth', 'signout_redirect_url') || `${settings.subUrl}/login`;
    res.writeHead(302, { Location: where, 'Set-Cookie': auth.setCookie('', 0), 'Cache-Control': 'no-store' });
    res.end();
  });
  router.on('GET', '/api/login/ping', USER, () => ({ message: 'Logged in' }));

  // --- the signed-in user --------------------------------------------------
  const real = (identity) => {
    if (!identity.user) throw typed(401, 'Unauthorized', 'auth.unauthorized');
    return identity.user;
  };
  const orgs = (u) => [{ orgId: 1, name: 'Main Org.', role: u.role }];
  router.on('GET', '/api/user', USER, ({ identity }) => profile(real(identity)));
  router.on('GET', '/api/user/orgs', USER, ({ identity }) => orgs(real(identity)));
  router.on('GET', '/api/user/preferences', USER, () => ({ theme: '', homeDashboardUID: '', timezone: '', weekStart: '' }));
  router.on('PUT', '/api/user/password', USER, async ({ req, identity }) => {
    const user = real(identity);
    const body = await readJson(req);
    if (!store.checkPassword(user, String(body.oldPassword ?? ''))) throw caused(401, 'Invalid old password');
    if (String(body.newPassword ?? '').length < 4) throw caused(400, 'New password is too short');
    store.setPassword(user, String(body.newPassword));
    store.save();
    return { message: 'User password changed' };
  });

  // --- organisation and users ----------------------------------------------
  const address = { address1: '', address2: '', city: '', zipCode: '', state: '', country: '' };
  router.on('GET', '/api/org', { role: 'Viewer', permission: 'orgs:read' }, () => ({ id: 1, name: 'Main Org.', address }));
  router.on('GET', '/api/orgs', ADMIN, () => [{ id: 1, name: 'Main Org.' }]);
  router.on('GET', '/api/orgs/1', ADMIN, () => ({ id: 1, name: 'Main Org.', address }));
  const member = (u) => ({ orgId: 1, userId: u.id, email: u.email, name: u.name, avatarUrl: '', login: u.login, role: u.role, lastSeenAt: isoSeconds(u.seen), lastSeenAtAge: '< 1 minute', isDisabled: false });
  router.on('GET', '/api/org/users', ADMIN, () => store.data.users.map(member));
  const listed = (u) => ({ id: u.id, name: u.name, login: u.login, email: u.email, avatarUrl: '', isAdmin: u.admin, isDisabled: false, lastSeenAt: isoSeconds(u.seen), lastSeenAtAge: '< 1 minute', authLabels: [] });
  router.on('GET', '/api/users', ADMIN, () => store.data.users.map(listed));
  router.on('GET', '/api/users/search', ADMIN, () => ({ totalCount: store.data.users.length, users: store.data.users.map(listed), page: 1, perPage: 1000 }));
  const oneUser = (u) => {
    if (!u) throw caused(404, 'user not found');
    return u;
  };
  router.on('GET', '/api/users/lookup', ADMIN, ({ url }) => profile(oneUser(store.user(url.searchParams.get('loginOrEmail') ?? ''))));
  router.on('GET', '/api/users/:id', ADMIN, ({ params }) => profile(oneUser(store.data.users.find((u) => u.id === Number(params.id)))));
  router.on('POST', '/api/admin/users', { ...ADMIN, permission: 'users:create' }, async ({ req }) => {
    const body = await readJson(req);
    const login = body.login || body.email;
    if (!login) throw caused(400, 'Validation error, need specify either username or email');
    if (String(body.password ?? '').length < 4) throw caused(400, 'Password is missing or too short');
    if (store.user(login)) throw caused(412, `User with email '${body.email ?? ''}' or username '${login}' already exists`);
    const user = store.addUser({ login, email: body.email ?? '', name: body.name ?? '', password: String(body.password), role: settings.get('users', 'auto_assign_org_role') });
    store.save();
    return { id: user.id, uid: '', message: 'User created' };
  });
  router.on('PUT', '/api/admin/users/:id/password', { ...ADMIN, permission: 'users.password:write' }, async ({ req, params }) => {
    const user = oneUser(store.data.users.find((u) => u.id === Number(params.id)));
    const body = await readJson(req);
    if (String(body.password ?? '').length < 4) throw caused(400, 'New password too short');
    store.setPassword(user, String(body.password));
    store.save();
    return { message: 'User password updated' };
  });
  for (const [kind, message, act] of [
    ['dashboards', 'Dashboards config reloaded', () => app.reloadDashboards()], ['datasources', 'Datasources config reloaded', () => app.provisionDatasources()],
    ['plugins', 'Plugins config reloaded', () => {}], ['alerting', 'Alerting config reloaded', () => {}],
  ]) {
    router.on('POST', `/api/admin/provisioning/${kind}/reload`, { role: 'Admin', permission: 'provisioning:reload' }, () => {
      try { act(); } catch (err) { throw caused(500, ''); }
      return { message };
    });
  }

  // --- settings, alerting (nothing is managed by Grafana here), annotations --
  router.on('GET', '/api/frontend/settings', { role: 'Viewer', permission: '' }, () => {
    const list = store.sortedDatasources();
    return {
      appSubUrl: settings.subUrl, appUrl: settings.rootUrl, anonymousEnabled: Boolean(settings.anonymous), authProxyEnabled: false,
      buildInfo: { hideVersion: false, version: VERSION, versionString: `Grafana v${VERSION} (${COMMIT.slice(0, 10)})`, commit: COMMIT.slice(0, 10), buildstamp: Math.floor(STARTED / 1000), edition: 'Open Source', latestVersion: '', hasUpdate: false, env: 'production' },
      datasources: Object.fromEntries(list.map((d) => [d.name, { ...listItem(d), url: `/api/datasources/proxy/uid/${d.uid}` }])),
      defaultDatasource: list.find((d) => d.isDefault)?.name ?? '-- Grafana --',
      disableUserSignUp: !settings.bool('users', 'allow_sign_up'), disableLoginForm: settings.bool('auth', 'disable_login_form'),
    };
  });
  const view = { role: 'Viewer', permission: 'alert.rules:read' };
  router.on('GET', '/api/prometheus/grafana/api/v1/rules', view, () => ({ status: 'success', data: { groups: [] } }));
  router.on('GET', '/api/prometheus/grafana/api/v1/alerts', view, () => ({ status: 'success', data: { alerts: [] } }));
  router.on('GET', '/api/ruler/grafana/api/v1/rules', view, () => ({}));
  router.on('GET', '/api/v1/provisioning/alert-rules', view, () => []);
  router.on('GET', '/api/annotations', { role: 'Viewer', permission: 'annotations:read' }, () => []);
}

module.exports = { register, COMMIT, problem };
