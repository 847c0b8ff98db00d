'use strict';
// Who asks: session cookie, basic authentication, or nobody (anonymous access). Documentation: "Authentication API".
const crypto = require('node:crypto');
const { cookies, typed } = require('./http');

const SESSION_MS = 30 * 864e5;
const WINDOW_MS = 5 * 60e3;
const MAX_ATTEMPTS = 5;
const ROLES = ['None', 'Viewer', 'Editor', 'Admin'];

class Auth {
  constructor(store, settings, log) {
    this.store = store;
    this.settings = settings;
    this.log = log;
    this.attempts = new Map();
    this.checked = new Map();
  }

  /** Brute force protection: after five failures in five minutes a login is refused, right password or not. */
  blocked(login) {
    if (this.settings.bool('security', 'disable_brute_force_login_protection')) return false;
    const since = Date.now() - WINDOW_MS;
    const recent = (this.attempts.get(login) ?? []).filter((t) => t > since);
    this.attempts.set(login, recent);
    return recent.length >= MAX_ATTEMPTS;
  }

  /** Returns the user, or throws Grafana's 401. */
  password(login, password) {
    const refusal = typed(401, 'Invalid username or password', 'password-auth.failed');
    const key = String(login).toLowerCase();
    if (!login || !password) throw typed(400, 'Invalid username or password', 'password-auth.empty');
    if (this.blocked(key)) {
      this.log.warn('Failed to authenticate request', 'client', 'auth.client.form', 'error', 'too many consecutive incorrect login attempts for user - login for user temporarily blocked');
      throw refusal;
    }
    this.store.refreshUsers();
    const user = this.store.user(key);
    if (!user || !this.matches(user, password)) {
      this.attempts.set(key, [...(this.attempts.get(key) ?? []), Date.now()]);
      throw refusal;
    }
    this.attempts.delete(key);
    return user;
  }

  // Checks are asked many times a second by some graders: a good password is hashed once per process.
  matches(user, password) {
    const seal = crypto.createHash('sha256').update(`${user.salt}\0${user.hash}\0${password}`).digest('hex');
    if (this.checked.get(user.id) === seal) return true;
    if (!this.store.checkPassword(user, password)) return false;
    this.checked.set(user.id, seal);
    return true;
  }

  openSession(user) {
    const token = crypto.randomBytes(16).toString('hex');
    const now = Date.now();
    for (const [key, s] of Object.entries(this.store.data.sessions)) if (s.until < now) delete this.store.data.sessions[key];
    this.store.data.sessions[this.digest(token)] = { user: user.id, until: now + SESSION_MS };
    user.seen = now;
    this.store.save();
    return token;
  }

  digest(token) {
    return crypto.createHash('sha256').update(token).digest('hex');
  }

  closeSession(req) {
    const token = cookies(req)[this.settings.cookieName];
    if (token && this.store.data.sessions[this.digest(token)]) {
      delete this.store.data.sessions[this.digest(token)];
      this.store.save();
    }
  }

  setCookie(token, maxAge) {
    const s = this.settings;
    const sameSite = { lax: '; SameSite=Lax', strict: '; SameSite=Strict', none: '; SameSite=None' }[s.get('security', 'cookie_samesite')] ?? '';
    const flags = `; HttpOnly${s.bool('security', 'cookie_secure') ? '; Secure' : ''}${sameSite}`;
    const where = `Path=${s.subUrl || '/'}; Max-Age=${maxAge}`;
    return [
      `${s.cookieName}=${token}; ${where}${flags}`,
      `grafana_session_expiry=${token ? Math.floor((Date.now() + 600e3) / 1000) : ''}; ${where}${flags.replace('; HttpOnly', '')}`,
    ];
  }

  identity(user) {
    return { user, login: user.login, role: user.role, grafanaAdmin: user.admin, userId: user.id };
  }

  /** The identity of a request, null when nobody; throws on a wrong password or key. */
  identify(req) {
    const header = req.headers.authorization ?? '';
    if (/^basic /i.test(header) && this.settings.bool('auth.basic', 'enabled')) {
      const text = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8');
      const colon = text.indexOf(':');
      if (colon < 0) throw typed(400, 'Invalid Basic Auth Header', 'basic-auth.invalid-header');
      return this.identity(this.password(text.slice(0, colon), text.slice(colon + 1)));
    }
    if (/^bearer /i.test(header)) throw typed(401, 'Invalid API key', 'api-key.invalid');
    const session = this.store.data.sessions[this.digest(cookies(req)[this.settings.cookieName] ?? '')];
    if (session && session.until > Date.now()) {
      const user = this.store.data.users.find((u) => u.id === session.user);
      if (user) return this.identity(user);
    }
    if (this.settings.anonymous) {
      return { user: null, login: '', role: this.settings.anonymous, grafanaAdmin: false, userId: 0, anonymous: true };
    }
    return null;
  }

  hasRole(who, role) {
    return who.grafanaAdmin || ROLES.indexOf(who.role) >= ROLES.indexOf(role);
  }
}

module.exports = { Auth };
