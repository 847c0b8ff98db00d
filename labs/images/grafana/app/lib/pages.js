'use strict';
// Pages for people: login, lists, dashboards, and the two forms the labs speak of (add a data source, import).
const fs = require('node:fs');
const { page } = require('./layout');
const { escape } = require('./svg');
const { render } = require('./panels');
const { resolve } = require('./variables');
const { panelsOf } = require('./dashboards');
const { parseTime, parseDuration } = require('./interval');
const query = require('./query');

const RANGES = [['now-5m', '5 min'], ['now-15m', '15 min'], ['now-1h', '1 h'], ['now-6h', '6 h'], ['now-24h', '24 h'], ['now-7d', '7 j']];

// Sends a form as JSON, as Grafana's own page does; `data-to` is the path, `data-next` where to go then.
const SEND = `
const form=document.querySelector('form[data-to]'),out=document.querySelector('output');
form.addEventListener('submit',async(e)=>{e.preventDefault();out.textContent='';
 let body;try{body=build(new FormData(form));}catch(x){out.textContent=x.message;return;}
 const r=await fetch(form.dataset.to,{method:'POST',headers:{'Content-Type':'application/json'},body:JSON.stringify(body)});
 const j=await r.json().catch(()=>({}));
 if(r.ok)location.href=form.dataset.next||j.redirectUrl||j.importedUrl||'/';
 else out.textContent=form.dataset.error||j.message||('Erreur '+r.status);});`;

function loginPage(app, ctx) {
  const root = escape(app.settings.subUrl);
  const form = app.settings.bool('auth', 'disable_login_form') ? '<p class="note">Le formulaire de connexion est désactivé.</p>' : `
<form data-to="${root}/login" data-error="Nom d’utilisateur ou mot de passe invalide">
<label>Nom d’utilisateur<input name="user" autocomplete="username" required autofocus></label>
<label>Mot de passe<input name="password" type="password" autocomplete="current-password" required></label>
<button>Se connecter</button><output class="error" aria-live="polite"></output></form>`;
  page(app, ctx, { title: 'Connexion', bare: true, body: `<div class="login"><h1>Bienvenue dans Grafana</h1>${form}</div>`, script: form.includes('data-to') ? `const build=(f)=>({user:f.get('user'),password:f.get('password')});${SEND}` : '' });
}

const entry = (root, store, d) => `<li><a href="${root}${escape(store.url(d))}">${escape(d.title)}</a>${(Array.isArray(d.json.tags) ? d.json.tags : []).map((t) => `<span class="tag">${escape(t)}</span>`).join('')}${d.provider && !d.provider.orphan ? ' <span class="soft">fichier</span>' : ''}</li>`;

function listPage(app, ctx, only = null) {
  const { store } = app;
  const root = escape(app.settings.subUrl);
  const sorted = (list) => list.sort((a, b) => a.title.localeCompare(b.title, 'fr'));
  const folders = only ? [only] : [...sorted(store.folders()), null];
  const parts = folders.map((f) => {
    const inside = sorted(store.dashboards().filter((d) => (d.folderUid || '') === (f?.uid ?? '')));
    if (!f && !inside.length) return '';
    return `<h2>${f ? `<a href="${root}${escape(store.url(f))}">${escape(f.title)}</a>` : 'Sans dossier'}</h2><ul class="list">${inside.map((d) => entry(root, store, d)).join('') || '<li class="soft">Dossier vide</li>'}</ul>`;
  }).join('');
  const actions = app.auth.hasRole(ctx.identity, 'Editor') ? `<p class="tools"><a href="${root}/dashboard/import">Importer un tableau de bord</a></p>` : '';
  page(app, ctx, { title: only ? only.title : 'Tableaux de bord', body: `<h1>Tableaux de bord</h1>${actions}${parts || '<p class="note">Aucun tableau de bord.</p>'}` });
}

function rangeOf(json, params) {
  const now = Date.now();
  const words = { from: params.get('from') || json.time?.from || 'now-6h', to: params.get('to') || json.time?.to || 'now' };
  try {
    const range = { from: parseTime(words.from, now), to: parseTime(words.to, now, true) };
    if (range.to > range.from) return { range, words };
  } catch { /* the default below */ }
  return { range: { from: now - 216e5, to: now }, words: { from: 'now-6h', to: 'now' } };
}

function refreshOf(json, params) {
  try { return Math.max(5, Math.round(parseDuration(params.get('refresh') ?? json.refresh) / 1000)); } catch { return 0; }
}

async function dashboardPage(app, ctx, item) {
  const { json } = item;
  const params = ctx.url.searchParams;
  const { range, words } = rangeOf(json, params);
  const values = await resolve(json, { store: app.store, range, params });
  const context = { store: app.store, range, values };
  const panels = panelsOf(json).slice(0, 60);
  const drawn = await Promise.all(panels.map((p) => render(p, context).catch((err) => `<section class="panel failed"><p class="error">${escape(err.message)}</p></section>`)));
  const link = (from) => {
    const next = new URLSearchParams(params);
    next.set('from', from);
    next.set('to', 'now');
    return `?${escape(next.toString())}`;
  };
  const ranges = RANGES.map(([from, text]) => `<a href="${link(from)}"${words.from === from && words.to === 'now' ? ' class="on"' : ''}>${text}</a>`).join('');
  const selects = [...values].filter(([, v]) => v.hide !== 2 && v.options.length > 1).map(([name, v]) => `<label class="soft">${escape(v.label)} <select name="var-${escape(name)}"><option value="">–</option>${[...(v.multi || v.all ? ['$__all'] : []), ...v.options].slice(0, 300).map((o) => `<option value="${escape(o)}"${(o === '$__all' ? v.all : !v.all && v.list.includes(o)) ? ' selected' : ''}>${o === '$__all' ? 'All' : escape(o)}</option>`).join('')}</select></label>`).join('');
  const folder = item.folderUid ? app.store.item({ isFolder: true, uid: item.folderUid }) : null;
  const refresh = refreshOf(json, params);
  page(app, ctx, {
    title: item.title, refresh,
    body: `<h1>${folder ? `<span class="soft">${escape(folder.title)} / </span>` : ''}${escape(item.title)}</h1>
<div class="tools"><span class="soft">Période (UTC)&nbsp;:</span>${ranges}${refresh ? `<span class="soft">actualisation&nbsp;: ${refresh}&nbsp;s</span>` : ''}</div>
${selects ? `<form class="tools" method="get" data-vars>${selects}</form>` : ''}<div class="grid-page">${drawn.join('') || '<p class="note">Ce tableau de bord est vide.</p>'}</div>`,
    script: selects ? "const f=document.querySelector('[data-vars]');f.addEventListener('change',()=>f.submit());" : '',
  });
}

async function sourcesPage(app, ctx) {
  const root = escape(app.settings.subUrl);
  const states = await Promise.all(app.store.sortedDatasources().map(async (d) => {
    if (d.type !== 'prometheus') return [d, null, 'type que la doublure n’interroge pas'];
    const { ok, payload } = await query.health(d);
    return [d, ok, payload.message];
  }));
  const rows = states.map(([d, ok, text]) => `<li><b>${escape(d.name)}</b> <span class="soft">${escape(d.type)} · ${escape(d.url)} · uid ${escape(d.uid)}</span>${d.isDefault ? '<span class="tag">par défaut</span>' : ''}${d.readOnly ? ' <span class="soft">fichier</span>' : ''}<br><span class="${ok ? 'good' : ok === null ? 'soft' : 'error'}">${escape(text)}</span></li>`).join('');
  page(app, ctx, { title: 'Sources de données', body: `<h1>Sources de données</h1><p class="tools"><a href="${root}/connections/datasources/new">Ajouter une source Prometheus</a></p><ul class="list">${rows || '<li class="soft">Aucune source de données.</li>'}</ul>` });
}

function newSourcePage(app, ctx) {
  const root = escape(app.settings.subUrl);
  const first = app.store.data.datasources.length === 0;
  page(app, ctx, {
    title: 'Ajouter une source', script: `const build=(f)=>({name:f.get('name'),type:'prometheus',access:'proxy',url:f.get('url'),isDefault:f.get('default')==='on',jsonData:{httpMethod:'POST'}});${SEND}`,
    body: `<h1>Ajouter une source Prometheus</h1><form data-to="${root}/api/datasources" data-next="${root}/connections/datasources">
<label>Nom<input name="name" value="Prometheus" required></label><label>URL du serveur Prometheus<input name="url" placeholder="http://hote:port" required></label>
<label><span><input type="checkbox" name="default"${first ? ' checked' : ''}> Source par défaut</span></label><button>Enregistrer et tester</button><output class="error" aria-live="polite"></output></form>`,
  });
}

function importPage(app, ctx) {
  const root = escape(app.settings.subUrl);
  const options = app.store.sortedDatasources().map((d) => `<option value="${escape(d.uid)}">${escape(d.name)}</option>`).join('');
  page(app, ctx, {
    title: 'Importer', script: `const build=(f)=>{const d=JSON.parse(f.get('json'));const inputs=(d.__inputs||[]).map((i)=>({name:i.name,type:i.type,pluginId:i.pluginId,value:i.type==='datasource'?f.get('source'):String(i.value??'')}));return{dashboard:{...d,id:null},overwrite:true,inputs};};${SEND}`,
    body: `<h1>Importer un tableau de bord</h1><p class="soft">Hors ligne, un numéro de tableau de bord ne peut pas être téléchargé&nbsp;: collez ici son fichier JSON.</p>
<form data-to="${root}/api/dashboards/import"><label>JSON du tableau de bord<textarea name="json" required spellcheck="false"></textarea></label>
<label>Source de données<select name="source">${options}</select></label><button>Importer</button><output class="error" aria-live="polite"></output></form>`,
  });
}

function register(router, app) {
  const signedIn = { role: 'Viewer', permission: 'dashboards:read' };
  const at = (pattern, options, show) => router.on('GET', pattern, options, async (ctx) => { await show(ctx); });
  at('/login', { open: true }, (ctx) => {
    let who = null;
    try { who = app.auth.identify(ctx.req); } catch { /* a wrong header does not hide the form */ }
    if (!who?.user) return loginPage(app, ctx);
    ctx.res.writeHead(302, { Location: `${app.settings.subUrl}/`, 'Cache-Control': 'no-store' });
    return ctx.res.end();
  });
  at('/', signedIn, (ctx) => {
    const file = app.settings.get('dashboards', 'default_home_dashboard_path');
    let json = null;
    try { json = file ? JSON.parse(fs.readFileSync(file, 'utf8')) : null; } catch { /* the list then */ }
    return json ? dashboardPage(app, ctx, { json, title: String(json.title ?? 'Accueil'), folderUid: '' }) : listPage(app, ctx);
  });
  at('/dashboards', signedIn, (ctx) => listPage(app, ctx));
  for (const tail of ['', '/:slug']) {
    at(`/dashboards/f/:uid${tail}`, signedIn, (ctx) => {
      const folder = app.store.item({ isFolder: true, uid: ctx.params.uid });
      return folder ? listPage(app, ctx, folder) : notFound(app, ctx);
    });
    at(`/d/:uid${tail}`, signedIn, (ctx) => {
      const item = app.store.item({ isFolder: false, uid: ctx.params.uid });
      return item ? dashboardPage(app, ctx, item) : notFound(app, ctx);
    });
  }
  const admin = { role: 'Admin', permission: 'datasources:read' };
  for (const path of ['/connections/datasources', '/datasources']) at(path, admin, (ctx) => sourcesPage(app, ctx));
  at('/connections/datasources/new', admin, (ctx) => newSourcePage(app, ctx));
  at('/dashboard/import', { role: 'Editor', permission: 'dashboards:create' }, (ctx) => importPage(app, ctx));
  const plain = (path, title, text) => at(path, signedIn, (ctx) => page(app, ctx, { title, body: `<h1>${title}</h1><p>${text}</p>` }));
  plain('/alerting/list', 'Alertes', 'La doublure ne gère aucune règle d’alerte&nbsp;: celles de Prometheus se lisent dans Prometheus, page «&nbsp;Alerts&nbsp;».');
  plain('/explore', 'Explorer', 'La doublure n’a pas d’explorateur&nbsp;: essayez vos requêtes dans Prometheus, page «&nbsp;Graph&nbsp;».');
}

function notFound(app, ctx) {
  page(app, ctx, { title: 'Page introuvable', status: 404, body: '<h1>Page introuvable</h1><p>Cette page n’existe pas, ou pas dans la doublure.</p>' });
}

module.exports = { register, notFound };
