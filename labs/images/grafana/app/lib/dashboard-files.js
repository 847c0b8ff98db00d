'use strict';
// File provisioning of dashboards: <provisioning>/dashboards/*.yaml and the JSON files they point to.
// Documentation: "Provision Grafana", section "Dashboards".
const fs = require('node:fs');
const path = require('node:path');
const { GoYaml } = require('./yamlgo');
const { fileError } = require('./util');
const { saveDashboard, saveFolder } = require('./dashboards');

function readProvider(y, node) {
  const m = y.map(node, 'dashboards.configs');
  if (!m) return null;
  const options = y.json(m, 'options');
  return {
    name: y.string(m, 'name'), type: y.string(m, 'type'), orgId: y.int(m, 'orgId'), folder: y.string(m, 'folder'),
    folderUid: y.string(m, 'folderUid'), disableDeletion: y.bool(m, 'disableDeletion'),
    interval: y.int(m, 'updateIntervalSeconds'), allowUiUpdates: y.bool(m, 'allowUiUpdates'), options,
  };
}

function readConfigFile(file, env) {
  let text;
  try { text = fs.readFileSync(file, 'utf8'); } catch (err) { throw fileError(err, 'open', file); }
  const y = new GoYaml(text, env);
  const root = y.resolve(y.root);
  if (y.isNull(root)) return [];
  let version = 0;
  try { version = y.version(y.map(root, 'dashboards.configVersion')); } catch { /* the old format: a list */ }
  if (version > 0) {
    return y.list(y.get(root, 'providers'), '[]*dashboards.configs').map((n) => readProvider(y, n)).filter(Boolean);
  }
  // Without apiVersion, the old format: a plain list.
  return y.list(root, '[]*dashboards.configV0').map((n) => readProvider(y, n)).filter(Boolean);
}

/** Reads the providers; throws the message that ends Grafana. */
function readConfigs(dir, env, log) {
  let names;
  try { names = fs.readdirSync(dir).sort(); } catch (err) {
    log.error("can't read dashboard provisioning files from directory", 'path', dir, 'error', fileError(err, 'open', dir));
    return [];
  }
  const out = [];
  for (const name of names.filter((n) => /\.ya?ml$/.test(n))) {
    try { out.push(...readConfigFile(path.join(dir, name), env)); } catch (err) {
      throw new Error(`Failed to read dashboards config: could not parse provisioning config file: ${name} error: ${err.message}`);
    }
  }
  for (const c of out) {
    if (c.orgId > 1) throw new Error(`Failed to read dashboards config: failed to provision dashboards with ${JSON.stringify(c.name)} reader: org not found`);
    c.type ||= 'file';
    c.interval ||= 10;
    const fail = (why) => new Error(`Failed to initialize file readers: ${why}`);
    if (c.type !== 'file') throw fail(`type ${c.type} is not supported`);
    c.path = typeof c.options.path === 'string' ? c.options.path : c.options.folder;
    if (typeof c.path !== 'string') throw fail(`Failed to create file reader for config ${c.name}: failed to load dashboards, path param is not a string`);
    c.tree = c.options.foldersFromFilesStructure === true;
    if (c.tree && c.folder && c.folderUid) {
      throw fail(`Failed to create file reader for config ${c.name}: 'folder' and 'folderUID' should be empty using 'foldersFromFilesStructure' option`);
    }
  }
  return out;
}

/** Files below `dir` named *.json, hidden directories left out, links followed (ConfigMaps are made of links). */
function jsonFiles(dir) {
  const out = [];
  for (const entry of fs.readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) {
      if (!entry.name.startsWith('.')) out.push(...jsonFiles(full));
    } else if (entry.name.endsWith('.json')) out.push(full);
  }
  return out;
}

class Provider {
  constructor(config, store, log) {
    this.config = config;
    this.store = store;
    this.log = log.with('type', config.type, 'name', config.name);
    this.uids = [];
    this.titles = [];
  }

  root() {
    try { return fs.realpathSync(this.config.path); } catch { return path.resolve(this.config.path); }
  }

  folderFor(file) {
    const { config, store } = this;
    if (config.tree) {
      const parent = path.dirname(path.relative(this.root(), file));
      // Grafana without nested folders: the last directory gives the folder's title.
      return parent === '.' ? null : saveFolder(store, { title: path.basename(parent), reuse: true });
    }
    return config.folder ? saveFolder(store, { title: config.folder, uid: config.folderUid, reuse: true }) : null;
  }

  /** One pass over the disk. Returns true when something changed; throws when the directory is missing. */
  walk() {
    const root = this.root();
    try { fs.statSync(root); } catch (err) { throw fileError(err, 'stat', root); }
    const files = jsonFiles(root);
    this.uids = [];
    this.titles = [];
    const mine = this.store.dashboards().filter((d) => d.provider?.name === this.config.name);
    let changed = this.forget(mine.filter((d) => !files.includes(d.provider.file)));
    for (const file of files) changed = this.load(file, mine) || changed;
    return changed;
  }

  forget(gone) {
    if (!gone.length) return false;
    if (this.config.disableDeletion) {
      const kept = gone.filter((d) => !d.provider.orphan);
      for (const d of kept) d.provider = { name: '', file: '', stamp: 0, orphan: true };
      return kept.length > 0;
    }
    this.store.remove(gone);
    return true;
  }

  load(file, mine) {
    let stamp;
    let json;
    try {
      stamp = Math.floor(fs.statSync(file).mtimeMs / 1000);
      json = JSON.parse(fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
      if (!json || typeof json !== 'object' || Array.isArray(json)) throw new Error('json: cannot unmarshal into a dashboard');
      if (typeof json.title !== 'string' || !json.title.trim()) throw new Error('Dashboard title cannot be empty');
    } catch (err) {
      this.log.error('failed to load dashboard from ', 'file', file, 'error', fileError(err, 'open', file));
      return false;
    }
    this.titles.push(json.title);
    if (json.uid) this.uids.push(json.uid);
    const known = mine.find((d) => d.provider.file === file);
    if (known && known.provider.stamp === stamp) return false;
    try {
      const { id, ...rest } = json;
      saveDashboard(this.store, {
        json: rest, folder: this.folderFor(file), overwrite: true, id: known?.id ?? 0, by: '',
        provider: { name: this.config.name, file, stamp },
      });
      return true;
    } catch (err) {
      this.log.error('failed to save dashboard', 'file', file, 'error', err);
      return false;
    }
  }
}

/** All providers: first pass, then polling; `allowUiUpdates` and the resolved path are asked by the API. */
class DashboardProvisioning {
  constructor({ dir, store, env, log }) {
    this.store = store;
    this.log = log;
    this.providers = readConfigs(dir, env, log).map((c) => new Provider(c, store, log));
    this.timers = [];
  }

  start() {
    this.log.info('starting to provision dashboards');
    const names = this.providers.map((p) => p.config.name);
    const orphans = this.store.dashboards().filter((d) => d.provider && !d.provider.orphan && !names.includes(d.provider.name));
    this.store.remove(orphans);
    for (const p of this.providers) {
      if (!fs.existsSync(p.config.path)) p.log.error('Cannot read directory', 'error', `stat ${p.config.path}: no such file or directory`);
      try { p.walk(); } catch (err) {
        if (err.code !== 'ENOENT') throw new Error(`Failed to provision dashboards: Failed to provision config ${p.config.name}: ${err.message}`);
        this.log.warn('Failed to provision config', 'name', p.config.name, 'error', err);
        break; // The real one leaves the remaining providers to the polling as well.
      }
    }
    this.warnDuplicates();
    this.store.save();
    this.log.info('finished to provision dashboards');
    for (const p of this.providers) {
      const timer = setInterval(() => this.poll(p), p.config.interval * 1000);
      this.timers.push(timer);
    }
  }

  poll(p) {
    try { if (p.walk()) this.store.save(); } catch (err) { p.log.error('failed to search for dashboards', 'error', err); }
  }

  warnDuplicates() {
    const count = (list) => Object.entries(list.reduce((n, x) => ({ ...n, [x]: (n[x] ?? 0) + 1 }), {})).filter(([, n]) => n > 1);
    const named = (key, x) => this.providers.filter((p) => p[key].includes(x)).map((p) => p.config.name);
    for (const [uid, times] of count(this.providers.flatMap((p) => p.uids))) {
      this.log.warn('the same UID is used more than once', 'uid', uid, 'times', times, 'providers', `[${named('uids', uid)}]`);
    }
    for (const [title, times] of count(this.providers.flatMap((p) => p.titles))) {
      this.log.warn('dashboard title is not unique in folder', 'title', title, 'times', times, 'providers', `[${named('titles', title)}]`);
    }
  }

  provider(name) {
    return this.providers.find((p) => p.config.name === name);
  }

  stop() {
    this.timers.forEach(clearInterval);
  }
}

module.exports = { DashboardProvisioning };
