'use strict';
// Saving of dashboards and folders: rules shared by file provisioning and the HTTP API.
// Documentation: "Dashboard HTTP API", "Folder HTTP API".
const { slugify, shortUid, validUid } = require('./util');

/** An error with the status code and the `status` word of Grafana's DashboardErr. */
function refuse(code, message, status) {
  return Object.assign(new Error(message), { code, status });
}

/**
 * Saves one dashboard.
 * @param {import('./store').Store} store data base
 * @param {{json: object, folder?: object|null, overwrite?: boolean, provider?: object, by?: string, id?: number}} wanted
 *   `json` is stored without its numeric id; `provider` marks a provisioned one: {name, file, stamp}
 */
function saveDashboard(store, { json, folder = null, overwrite = false, provider = null, by = '', id = 0 }) {
  const title = typeof json.title === 'string' ? json.title.trim() : '';
  if (!title) throw refuse(400, 'Dashboard title cannot be empty', 'empty-name');
  const uid = typeof json.uid === 'string' ? json.uid.trim() : '';
  if (!validUid(uid)) throw refuse(400, 'uid contains illegal characters');
  if (uid.length > 40) throw refuse(400, 'uid too long, max 40 characters');
  const byId = id ? store.item({ id }) : undefined;
  if (id && !byId) throw refuse(404, 'Dashboard not found', 'not-found');
  const byUid = uid ? store.item({ uid }) : undefined;
  if (byId && byUid && byId !== byUid) throw refuse(400, 'A dashboard with the same uid already exists');
  const existing = byId ?? byUid;
  if (existing?.isFolder) throw refuse(400, 'Dashboard cannot be changed to a folder');
  if (existing && !overwrite && (json.version ?? 0) !== existing.version) {
    throw refuse(412, 'The dashboard has been changed by someone else', 'version-mismatch');
  }
  const now = Date.now();
  const item = existing ?? { id: store.id('dashboard'), isFolder: false, version: 0, created: now, createdBy: by };
  item.uid = uid || item.uid || shortUid();
  item.title = title;
  item.folderUid = folder ? folder.uid : '';
  item.version += 1;
  item.updated = now;
  item.updatedBy = by;
  if (provider) item.provider = provider;
  item.json = { ...json, id: item.id, uid: item.uid, title, version: item.version };
  if (!existing) store.data.dashboards.push(item);
  return item;
}

/** Creates a folder, or returns the one of that title when `reuse` is set. */
function saveFolder(store, { title, uid = '', by = '', reuse = false }) {
  const name = String(title ?? '').trim();
  if (!name) throw refuse(400, 'folder title cannot be empty');
  if (!validUid(uid) || uid.length > 40 || uid === 'general') throw refuse(400, 'invalid uid for folder provided');
  if (reuse) {
    const same = uid ? store.item({ isFolder: true, uid }) : store.folders().find((f) => f.title === name);
    if (same) {
      same.title = name;
      return same;
    }
  }
  if (uid && store.item({ uid })) throw refuse(409, 'a folder/dashboard with the same uid already exists');
  const now = Date.now();
  const item = { id: store.id('dashboard'), uid: uid || shortUid(), isFolder: true, title: name, version: 1, created: now, updated: now, createdBy: by, updatedBy: by };
  store.data.dashboards.push(item);
  return item;
}

/** Every panel of a dashboard, those of collapsed rows and of the old `rows` layout included. */
function panelsOf(json) {
  const list = Array.isArray(json.panels) ? json.panels : (Array.isArray(json.rows) ? json.rows : []).flatMap((r) => r?.panels ?? []);
  return list.filter((p) => p && typeof p === 'object').flatMap((p) => (p.type === 'row' ? [p, ...(p.panels ?? [])] : [p]));
}

/** Fills `${INPUT}` from the `inputs` of POST /api/dashboards/import; throws when one is missing. */
function fillInputs(json, inputs) {
  const values = new Map();
  for (const def of Array.isArray(json.__inputs) ? json.__inputs : []) {
    const given = inputs.find((i) => i.type === def.type && (i.name === def.name || i.name === '*'));
    if (def.pluginId === '__expr__') values.set(`\${${def.name}}`, '__expr__');
    else if (given) values.set(`\${${def.name}}`, given.value);
    else throw refuse(400, `Dashboard input variable: ${def.name} missing from import command`);
  }
  const walk = (v) => {
    if (typeof v === 'string') return v.replace(/\$\{.+?\}/g, (m) => values.get(m) ?? m);
    if (Array.isArray(v)) return v.map(walk);
    if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)]));
    return v;
  };
  const out = walk(json);
  for (const key of ['__inputs', '__elements', '__requires']) delete out[key];
  return out;
}

module.exports = { saveDashboard, saveFolder, panelsOf, fillInputs, refuse, slugify };
