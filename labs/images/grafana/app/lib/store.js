'use strict';
// The data base: one JSON file in paths.data, replaced atomically at every change.
// Its name is not grafana.db on purpose: that one is SQLite in the real Grafana.
const fs = require('node:fs');
const path = require('node:path');
const crypto = require('node:crypto');
const { slugify } = require('./util');

const FILE = 'doublure-grafana.json';

class Store {
  constructor(dir) {
    this.file = path.join(dir, FILE);
    this.fresh = false;
    fs.mkdirSync(dir, { recursive: true });
    if (fs.existsSync(this.file)) {
      this.data = JSON.parse(fs.readFileSync(this.file, 'utf8'));
    } else {
      this.fresh = true;
      this.data = { next: { datasource: 1, dashboard: 1, user: 1 }, users: [], datasources: [], dashboards: [], sessions: {}, stars: [] };
    }
  }

  save() {
    const temporary = `${this.file}.new`;
    fs.writeFileSync(temporary, JSON.stringify(this.data), { mode: 0o640 });
    fs.renameSync(temporary, this.file);
    this.seen = fs.statSync(this.file).mtimeMs;
  }

  /** Takes over the passwords that `grafana cli` has changed meanwhile. */
  refreshUsers() {
    try {
      const { mtimeMs } = fs.statSync(this.file);
      if (mtimeMs === this.seen) return;
      this.seen = mtimeMs;
      this.data.users = JSON.parse(fs.readFileSync(this.file, 'utf8')).users;
    } catch { /* the file in memory stays */ }
  }

  id(kind) {
    const n = this.data.next[kind];
    this.data.next[kind] += 1;
    return n;
  }

  // --- users -------------------------------------------------------------
  setPassword(user, password) {
    user.salt = crypto.randomBytes(12).toString('hex');
    user.hash = crypto.scryptSync(password, user.salt, 32, { N: 1024 }).toString('hex');
  }

  checkPassword(user, password) {
    const given = crypto.scryptSync(password, user.salt, 32, { N: 1024 });
    return crypto.timingSafeEqual(given, Buffer.from(user.hash, 'hex'));
  }

  addUser({ login, email = '', name = '', password, role = 'Viewer', admin = false }) {
    const now = Date.now();
    const user = { id: this.id('user'), login, email, name, role, admin, created: now, updated: now, seen: now };
    this.setPassword(user, password);
    this.data.users.push(user);
    return user;
  }

  user(loginOrEmail) {
    const key = String(loginOrEmail).toLowerCase();
    return this.data.users.find((u) => u.login.toLowerCase() === key || (u.email && u.email.toLowerCase() === key));
  }

  // --- data sources ------------------------------------------------------
  datasource(by) {
    return this.data.datasources.find((d) => Object.entries(by).every(([k, v]) => d[k] === v));
  }

  sortedDatasources() {
    return [...this.data.datasources].sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  }

  // --- dashboards and folders (one table, as in Grafana) -----------------
  item(by) {
    return this.data.dashboards.find((d) => Object.entries(by).every(([k, v]) => d[k] === v));
  }

  folders() {
    return this.data.dashboards.filter((d) => d.isFolder);
  }

  dashboards() {
    return this.data.dashboards.filter((d) => !d.isFolder);
  }

  url(item) {
    return item.isFolder ? `/dashboards/f/${item.uid}/${slugify(item.title)}` : `/d/${item.uid}/${slugify(item.title)}`;
  }

  remove(items) {
    const gone = new Set(items.map((i) => i.id));
    this.data.dashboards = this.data.dashboards.filter((d) => !gone.has(d.id));
  }
}

module.exports = { Store, FILE };
