'use strict';
// Configuration: conf/defaults.ini (only what the double uses), then /etc/grafana/grafana.ini,
// then GF_<SECTION>_<KEY>, then "cfg:" arguments. Documentation: "Configure Grafana".
const fs = require('node:fs');
const path = require('node:path');
const os = require('node:os');

const DEFAULTS = {
  '': { app_mode: 'production', instance_name: '${HOSTNAME}' },
  paths: { data: 'data', logs: 'data/log', plugins: 'data/plugins', provisioning: 'conf/provisioning' },
  server: {
    protocol: 'http', http_addr: '', http_port: '3000', domain: 'localhost',
    root_url: '%(protocol)s://%(domain)s:%(http_port)s/', serve_from_sub_path: 'false', router_logging: 'false',
  },
  security: {
    disable_initial_admin_creation: 'false', admin_user: 'admin', admin_password: 'admin', admin_email: 'admin@localhost',
    disable_brute_force_login_protection: 'false', cookie_secure: 'false', cookie_samesite: 'lax', allow_embedding: 'false',
  },
  users: { allow_sign_up: 'false', auto_assign_org_role: 'Viewer', default_theme: 'dark', home_page: '' },
  auth: { login_cookie_name: 'grafana_session', disable_login_form: 'false', disable_signout_menu: 'false', signout_redirect_url: '' },
  'auth.anonymous': { enabled: 'false', org_name: 'Main Org.', org_role: 'Viewer', hide_version: 'false' },
  'auth.basic': { enabled: 'true' },
  dashboards: { min_refresh_interval: '5s', default_home_dashboard_path: '' },
  dataproxy: { timeout: '30' },
  metrics: { enabled: 'true', disable_total_stats: 'false', basic_auth_username: '', basic_auth_password: '' },
  log: { mode: 'console', level: 'info' },
};

/** "auth.anonymous" and "org_role" give GF_AUTH_ANONYMOUS_ORG_ROLE. */
function envName(section, key) {
  const part = (s) => s.toUpperCase().replace(/[.-]/g, '_');
  return section ? `GF_${part(section)}_${part(key)}` : `GF_${part(key)}`;
}

/** Parses an ini file: comments with # or ;, quotes around a value dropped. */
function parseIni(text) {
  const out = {};
  let section = '';
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (!line || line.startsWith('#') || line.startsWith(';')) continue;
    const head = /^\[([^\]]*)\]/.exec(line);
    if (head) {
      section = head[1].trim() === 'DEFAULT' ? '' : head[1].trim();
      continue;
    }
    const eq = line.indexOf('=');
    if (eq < 0) throw new Error(`key-value delimiter not found: ${line}`);
    let value = line.slice(eq + 1).trim();
    const quoted = /^"""([\s\S]*)"""$|^"([^"]*)"$|^'([^']*)'$|^`([^`]*)`$/.exec(value);
    if (quoted) value = quoted.slice(1).find((q) => q !== undefined);
    else value = value.replace(/\s+[;#].*$/, '');
    (out[section] ||= {})[line.slice(0, eq).trim()] = value;
  }
  return out;
}

/** Variable expansion of the configuration: $__env{X}, $__file{path}, ${X}. */
function expandSetting(text, env) {
  return text
    .replace(/\$__env\{([^}]*)\}/g, (_, name) => env[name.trim()] ?? '')
    .replace(/\$__file\{([^}]*)\}/g, (_, file) => fs.readFileSync(file.trim(), 'utf8').trim())
    .replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (all, name) => (name === 'HOSTNAME' ? env.HOSTNAME || os.hostname() : env[name] ?? ''));
}

/**
 * Loads everything.
 * @param {{argv: string[], env: NodeJS.ProcessEnv}} from command line (after the verb) and environment
 */
function load({ argv, env }) {
  const values = structuredClone(DEFAULTS);
  const notes = [];
  const merge = (section, key, value) => { (values[section] ||= {})[key] = value; };
  let home = env.GF_PATHS_HOME || process.cwd();
  let config = '';
  const overrides = [];
  for (let i = 0; i < argv.length; i += 1) {
    const opt = /^--?(homepath|config|packaging|pidfile)(?:=(.*))?$/.exec(argv[i]);
    if (opt) {
      const value = opt[2] ?? argv[(i += 1)];
      if (opt[1] === 'homepath') home = value;
      if (opt[1] === 'config') config = value;
      continue;
    }
    const pair = /^cfg:(default\.)?([^=]*)=(.*)$/s.exec(argv[i]);
    if (pair) overrides.push({ isDefault: Boolean(pair[1]), name: pair[2], value: pair[3] });
  }
  const split = (name) => {
    const dot = name.lastIndexOf('.');
    return dot < 0 ? ['', name] : [name.slice(0, dot), name.slice(dot + 1)];
  };
  // "cfg:default." changes the defaults, before the file and the environment are read.
  for (const o of overrides.filter((x) => x.isDefault)) merge(...split(o.name), o.value);
  notes.push(['Config loaded from', 'file', path.join(home, 'conf/defaults.ini')]);
  config ||= path.join(home, 'conf/custom.ini');
  if (fs.existsSync(config)) {
    let parsed;
    try { parsed = parseIni(fs.readFileSync(config, 'utf8')); } catch (err) { throw new Error(`failed to parse "${config}": ${err.message}`); }
    for (const [section, keys] of Object.entries(parsed)) {
      for (const [key, value] of Object.entries(keys)) if (value !== '') merge(section, key, value);
    }
    notes.push(['Config loaded from', 'file', config]);
  }
  for (const [section, keys] of Object.entries(values)) {
    for (const key of Object.keys(keys)) {
      const name = envName(section, key);
      if (env[name]) {
        values[section][key] = env[name];
        notes.push(['Config overridden from Environment variable', 'var', `${name}=${/PASSWORD|SECRET/.test(name) ? '*********' : env[name]}`]);
      }
    }
  }
  for (const o of overrides.filter((x) => !x.isDefault)) merge(...split(o.name), o.value);
  const get = (section, key) => {
    const raw = expandSetting(String(values[section]?.[key] ?? ''), env);
    return raw.replace(/%\(([a-z_]+)\)s/g, (_, k) => get(section, k));
  };
  const bool = (section, key) => /^(1|t|true|yes|y|on)$/i.test(get(section, key));
  const abs = (p) => (path.isAbsolute(p) ? p : path.join(home, p));
  const rootUrl = get('server', 'root_url').replace(/\/*$/, '/');
  let subPath = '';
  try { subPath = new URL(rootUrl).pathname.replace(/\/+$/, ''); } catch { throw new Error(`invalid root_url: ${rootUrl}`); }
  return {
    get, bool, home, notes,
    dataPath: abs(get('paths', 'data')),
    provisioningPath: abs(get('paths', 'provisioning')),
    port: Number(get('server', 'http_port')),
    address: get('server', 'http_addr'),
    rootUrl, subUrl: subPath, serveFromSubPath: bool('server', 'serve_from_sub_path'),
    cookieName: get('auth', 'login_cookie_name'),
    anonymous: bool('auth.anonymous', 'enabled') && get('auth.anonymous', 'org_name') === 'Main Org.' ? get('auth.anonymous', 'org_role') || 'Viewer' : null,
  };
}

module.exports = { load, parseIni, envName, expandSetting };
