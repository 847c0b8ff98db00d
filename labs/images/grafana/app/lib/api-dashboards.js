'use strict';
// Dashboards, folders and search. Documentation: "Dashboard HTTP API", "Folder HTTP API", "Folder/Dashboard Search HTTP API".
const path = require('node:path');
const fs = require('node:fs');
const { saveDashboard, saveFolder, fillInputs } = require('./dashboards');
const { Answer, problem, caused, readJson } = require('./http');
const { slugify, isoSeconds } = require('./util');

const VIEW = { role: 'Viewer', permission: 'dashboards:read' };
const EDIT = { role: 'Editor', permission: 'dashboards:write' };
const who = (login) => login || 'Anonymous';

/** Turns a refusal of `saveDashboard` into its answer. */
function answerOf(err) {
  if (!err.code || typeof err.code !== 'number') throw err;
  throw err.status ? problem(err.code, err.message, { status: err.status }) : caused(err.code, err.message);
}

function hit(store, item) {
  const folder = item.folderUid ? store.item({ isFolder: true, uid: item.folderUid }) : null;
  return {
    id: item.id, uid: item.uid, title: item.title, uri: `db/${slugify(item.title)}`, url: store.url(item), slug: '',
    type: item.isFolder ? 'dash-folder' : 'dash-db', tags: item.isFolder ? [] : (Array.isArray(item.json.tags) ? item.json.tags : []),
    isStarred: store.data.stars.includes(item.id),
    ...(folder ? { folderId: folder.id, folderUid: folder.uid, folderTitle: folder.title, folderUrl: store.url(folder) } : {}),
    sortMeta: 0,
  };
}

/** GET /api/search. */
function search(store, params) {
  const all = (name) => params.getAll(name).flatMap((v) => v.split(',')).filter((v) => v !== '');
  const uids = [...all('dashboardUIDs'), ...all('dashboardUID')];
  const ids = all('dashboardIds').map(Number);
  const folderIds = all('folderIds').map(Number);
  const folderUids = all('folderUIDs');
  const tags = params.getAll('tag');
  const text = (params.get('query') ?? '').toLowerCase();
  const type = params.get('type');
  const folderId = (item) => (item.folderUid ? store.item({ isFolder: true, uid: item.folderUid })?.id ?? 0 : 0);
  const hits = store.data.dashboards.filter((item) => (
    (!text || item.title.toLowerCase().includes(text))
    && (!type || (type === 'dash-folder' ? item.isFolder : type === 'dash-db' ? !item.isFolder : true))
    && (!uids.length || uids.includes(item.uid)) && (!ids.length || ids.includes(item.id))
    && (!folderIds.length || (folderIds.includes(folderId(item)) && !(item.isFolder && !folderIds.includes(0))))
    && (!folderUids.length || folderUids.includes(item.folderUid || 'general'))
    && tags.every((t) => !item.isFolder && (item.json.tags ?? []).includes(t))
    && (params.get('starred') !== 'true' || store.data.stars.includes(item.id))
  )).map((item) => hit(store, item));
  hits.sort((a, b) => (a.type === b.type ? a.title.toLowerCase().localeCompare(b.title.toLowerCase()) : a.type === 'dash-folder' ? -1 : 1));
  const limit = Math.min(Number(params.get('limit')) || 1000, 5000);
  const page = Math.max(Number(params.get('page')) || 1, 1);
  return hits.slice((page - 1) * limit, page * limit);
}

function folderDto(store, f) {
  return {
    id: f.id, uid: f.uid, orgId: 1, title: f.title, url: store.url(f), hasAcl: false, canSave: true, canEdit: true, canAdmin: true, canDelete: true,
    createdBy: who(f.createdBy), created: isoSeconds(f.created), updatedBy: who(f.updatedBy), updated: isoSeconds(f.updated), version: f.version,
  };
}

/** GET /api/dashboards/uid/:uid. */
function full(app, item, identity) {
  const { store } = app;
  const folder = item.folderUid ? store.item({ isFolder: true, uid: item.folderUid }) : null;
  const can = app.auth.hasRole(identity, 'Editor');
  const reader = item.provider && !item.provider.orphan ? app.files?.provider(item.provider.name) : null;
  const rights = { canAdd: can, canEdit: can, canDelete: can };
  const starred = store.data.stars.includes(item.id);
  return {
    meta: {
      ...(starred ? { isStarred: true } : {}),
      type: 'db', canSave: can, canEdit: can, canAdmin: app.auth.hasRole(identity, 'Admin'), canStar: Boolean(identity.user), canDelete: can,
      slug: slugify(item.title), url: store.url(item), expires: '0001-01-01T00:00:00Z', created: isoSeconds(item.created), updated: isoSeconds(item.updated),
      updatedBy: who(item.updatedBy), createdBy: who(item.createdBy), version: item.version, hasAcl: false, isFolder: false,
      folderId: folder?.id ?? 0, folderUid: folder?.uid ?? '', folderTitle: folder?.title ?? 'General', folderUrl: folder ? store.url(folder) : '',
      provisioned: Boolean(reader && !reader.config.allowUiUpdates),
      provisionedExternalId: reader ? path.relative(reader.root(), item.provider.file) : '',
      annotationsPermissions: { dashboard: rights, organization: rights },
    },
    dashboard: item.json,
  };
}

function register(router, app) {
  const { store } = app;
  const find = (by) => {
    const item = store.item({ isFolder: false, ...by });
    if (!item) throw caused(404, 'Dashboard not found');
    return item;
  };
  const findFolder = (by) => {
    const item = store.item({ isFolder: true, ...by });
    if (!item) throw caused(404, 'folder not found');
    return item;
  };
  const target = (body) => {
    if (body.folderUid) return store.item({ isFolder: true, uid: body.folderUid }) ?? answerOf({ code: 400, message: 'folder not found', status: 'not-found' });
    if (Number(body.folderId) > 0) return store.item({ isFolder: true, id: Number(body.folderId) }) ?? answerOf({ code: 400, message: 'folder not found', status: 'not-found' });
    return null;
  };
  const locked = (item) => item?.provider && !item.provider.orphan && !app.files?.provider(item.provider.name)?.config.allowUiUpdates;
  const write = (json, body, identity) => {
    const { id, ...rest } = json;
    const existing = (Number(id) && store.item({ id: Number(id) })) || (rest.uid && store.item({ uid: rest.uid }));
    if (locked(existing)) throw caused(400, 'Cannot save provisioned dashboard');
    try {
      const item = saveDashboard(store, { json: rest, id: Number(id) || 0, folder: target(body), overwrite: Boolean(body.overwrite), by: identity.login });
      store.save();
      return item;
    } catch (err) { return answerOf(err); }
  };

  router.on('GET', '/api/search', VIEW, ({ url }) => search(store, url.searchParams));
  router.on('GET', '/api/dashboards/uid/:uid', VIEW, ({ params, identity }) => full(app, find({ uid: params.uid }), identity));
  router.on('DELETE', '/api/dashboards/uid/:uid', { ...EDIT, permission: 'dashboards:delete' }, ({ params }) => {
    const item = find({ uid: params.uid });
    if (locked(item)) throw caused(400, 'provisioned dashboard cannot be deleted');
    store.remove([item]);
    store.save();
    return { id: item.id, message: `Dashboard ${item.title} deleted`, title: item.title };
  });
  router.on('POST', '/api/dashboards/db', EDIT, async ({ req, identity }) => {
    const body = await readJson(req);
    if (!body.dashboard || typeof body.dashboard !== 'object') throw caused(400, 'bad request data');
    const item = write(body.dashboard, body, identity);
    return { folderUid: item.folderUid, id: item.id, slug: slugify(item.title), status: 'success', uid: item.uid, url: store.url(item), version: item.version };
  });
  router.on('POST', '/api/dashboards/import', EDIT, async ({ req, identity }) => {
    const body = await readJson(req);
    if (!body.dashboard) throw problem(422, 'Dashboard must be set');
    let json;
    try { json = fillInputs(body.dashboard, Array.isArray(body.inputs) ? body.inputs : []); } catch (err) { return answerOf(err); }
    const item = write(json, body, identity);
    const folder = item.folderUid ? findFolder({ uid: item.folderUid }) : null;
    return {
      uid: item.uid, pluginId: '', title: item.title, imported: true, importedUri: `db/${slugify(item.title)}`, importedUrl: store.url(item),
      slug: slugify(item.title), dashboardId: item.id, folderId: folder?.id ?? 0, folderUid: item.folderUid, description: '', path: '', removed: false,
    };
  });
  router.on('GET', '/api/dashboards/home', VIEW, ({ identity }) => {
    const file = app.settings.get('dashboards', 'default_home_dashboard_path');
    let dashboard = { editable: true, panels: [], tags: [], templating: { list: [] }, time: { from: 'now-6h', to: 'now' }, timezone: 'browser', title: 'Home', version: 0 };
    if (file) {
      try { dashboard = JSON.parse(fs.readFileSync(file, 'utf8')); } catch { throw caused(500, 'Failed to load home dashboard'); }
    }
    return {
      meta: {
        isHome: true, canSave: false, canEdit: app.auth.hasRole(identity, 'Editor'), canAdmin: false, canStar: false, canDelete: false, slug: '', url: '',
        expires: '0001-01-01T00:00:00Z', created: '0001-01-01T00:00:00Z', updated: '0001-01-01T00:00:00Z', updatedBy: '', createdBy: '', version: 0,
        hasAcl: false, isFolder: false, folderId: 0, folderUid: '', folderTitle: 'General', folderUrl: '', provisioned: false, provisionedExternalId: '', annotationsPermissions: null,
      },
      dashboard,
    };
  });
  router.on('GET', '/api/dashboards/tags', VIEW, () => {
    const count = new Map();
    for (const tag of store.dashboards().flatMap((d) => d.json.tags ?? [])) count.set(tag, (count.get(tag) ?? 0) + 1);
    return [...count].sort().map(([term, n]) => ({ term, count: n }));
  });
  for (const [method, done] of [['POST', 'Dashboard starred!'], ['DELETE', 'Dashboard unstarred']]) {
    router.on(method, '/api/user/stars/dashboard/uid/:uid', VIEW, ({ params }) => {
      const { id } = find({ uid: params.uid });
      store.data.stars = store.data.stars.filter((s) => s !== id);
      if (method === 'POST') store.data.stars.push(id);
      store.save();
      return { message: done };
    });
  }

  // --- folders -------------------------------------------------------------
  const READ = { role: 'Viewer', permission: 'folders:read' };
  const CHANGE = { role: 'Editor', permission: 'folders:write' };
  router.on('GET', '/api/folders', READ, () => store.folders().sort((a, b) => a.title.localeCompare(b.title)).map(({ id, uid, title }) => ({ id, uid, title })));
  router.on('GET', '/api/folders/id/:id', READ, ({ params }) => folderDto(store, findFolder({ id: Number(params.id) })));
  router.on('GET', '/api/folders/:uid', READ, ({ params }) => folderDto(store, findFolder({ uid: params.uid })));
  router.on('POST', '/api/folders', { ...CHANGE, permission: 'folders:create' }, async ({ req, identity }) => {
    const body = await readJson(req);
    try {
      const folder = saveFolder(store, { title: body.title, uid: body.uid ?? '', by: identity.login });
      store.save();
      return folderDto(store, folder);
    } catch (err) { return answerOf(err); }
  });
  router.on('PUT', '/api/folders/:uid', CHANGE, async ({ req, params, identity }) => {
    const body = await readJson(req);
    const folder = findFolder({ uid: params.uid });
    if (!body.overwrite && body.version !== folder.version) throw problem(412, 'the folder has been changed by someone else', { status: 'version-mismatch' });
    if (!body.title) throw caused(400, 'folder title cannot be empty');
    Object.assign(folder, { title: body.title, version: folder.version + 1, updated: Date.now(), updatedBy: identity.login });
    store.save();
    return folderDto(store, folder);
  });
  router.on('DELETE', '/api/folders/:uid', { ...CHANGE, permission: 'folders:delete' }, ({ params }) => {
    const folder = findFolder({ uid: params.uid });
    const inside = store.dashboards().filter((d) => d.folderUid === folder.uid);
    if (inside.some(locked)) throw caused(400, 'provisioned dashboard cannot be deleted');
    store.remove([folder, ...inside]);
    store.save();
    return new Answer(200, { message: 'Folder deleted' });
  });
}

module.exports = { register, search };
