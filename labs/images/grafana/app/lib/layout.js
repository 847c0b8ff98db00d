'use strict';
// Frame of every page: banner, menu, style. No request goes elsewhere: no font, no script file, no image.
const crypto = require('node:crypto');
const { escape } = require('./svg');

const BANNER = 'Doublure de Grafana pour travailler hors ligne&nbsp;: ce n’est pas Grafana. Les données sont vraies, les pages sont simplifiées.';

const STYLE = `
:root{color-scheme:dark}*{box-sizing:border-box}
body{margin:0;background:#111217;color:#d8d9da;font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
a{color:#6e9fff;text-decoration:none}a:hover,a:focus{text-decoration:underline}
.banner{margin:0;padding:7px 16px;background:#f2cc0c;color:#111217;font-weight:600}
nav{display:flex;flex-wrap:wrap;gap:6px 18px;align-items:center;padding:10px 16px;background:#181b1f;border-bottom:1px solid #2c3235}
nav b{color:#ff9830;font-size:16px}nav .who{margin-left:auto}
main{padding:16px;max-width:1500px;margin:auto}h1{font-size:20px;font-weight:500;margin:4px 0 14px}
h2{font-size:14px;font-weight:500;margin:0 0 6px}
.tools{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center;margin:0 0 12px}.tools .on{color:#fff;font-weight:600}
.list{list-style:none;margin:0 0 20px;padding:0}.list li{padding:9px 12px;background:#181b1f;border:1px solid #2c3235;margin-bottom:-1px}
.tag{background:#22426b;border-radius:3px;padding:0 6px;margin-left:6px;font-size:12px}.soft{color:#9a9da3}
.grid-page{display:grid;grid-template-columns:repeat(24,minmax(0,1fr));gap:8px;align-items:stretch}
.panel{background:#181b1f;border:1px solid #2c3235;border-radius:2px;padding:8px 10px;min-height:120px;overflow:hidden}
.panel.failed{border-color:#a1393f}.row{padding:8px 2px 0;margin:0;border-bottom:1px solid #2c3235;grid-column:1/-1!important}
.panel svg{width:100%;height:auto;display:block}.grid{stroke:#2c3235;stroke-width:1}
.axis{fill:#9a9da3;font-size:11px}.end{text-anchor:end;text-align:right}.mid{text-anchor:middle}
.legend{list-style:none;margin:6px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 14px;font-size:12px}
.legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:5px;vertical-align:middle}.legend b{color:#fff;font-weight:500}
.stats{display:flex;flex-wrap:wrap;gap:8px 22px;justify-content:space-around;align-items:center;min-height:90px;text-align:center}
.stats strong{display:block;font-size:30px;font-weight:500}.stats small{color:#9a9da3}
.bars div{display:grid;grid-template-columns:minmax(80px,30%) 1fr auto;gap:8px;align-items:center;margin:4px 0;font-size:12px}
.bars small{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.bars span{background:#22252b;height:14px}.bars span i{display:block;height:14px}
.pie{display:flex;flex-wrap:wrap;gap:14px;align-items:center}.pie svg{width:190px}.pie .legend{display:block}
.scroll{overflow:auto;max-height:320px}table{border-collapse:collapse;width:100%;font-size:13px}td,th{border-bottom:1px solid #2c3235;padding:4px 8px;text-align:left}
.error{color:#ff7383;overflow-wrap:anywhere;margin:4px 0}.note{color:#9a9da3;text-align:center;padding:24px 0;margin:0}.good{color:#73bf69}.text{white-space:pre-wrap;font:inherit;margin:0}
form{max-width:560px;display:grid;gap:10px}label{display:grid;gap:4px}
input,textarea,select,button{font:inherit;color:#d8d9da;background:#0b0c0e;border:1px solid #3a3f45;border-radius:2px;padding:7px 9px}
button{background:#3d71d9;border-color:#3d71d9;color:#fff;cursor:pointer;justify-self:start}:focus-visible{outline:2px solid #6e9fff;outline-offset:1px}
textarea{min-height:220px;font-family:ui-monospace,monospace;font-size:12px}
.login{max-width:360px;margin:8vh auto}.login h1{color:#ff9830}
@media(max-width:800px){.grid-page>*{grid-column:1/-1!important}}
`.trim();

/**
 * Sends one page.
 * @param {object} app server
 * @param {{res: object, identity: object|null}} ctx request
 * @param {{title: string, body: string, script?: string, status?: number, refresh?: number, bare?: boolean}} page
 *   `refresh` is in seconds; `script` is inline and gets a nonce
 */
function page(app, { res, identity }, { title, body, script = '', status = 200, refresh = 0, bare = false }) {
  const root = escape(app.settings.subUrl);
  const nonce = crypto.randomBytes(12).toString('base64');
  const user = identity?.user
    ? `<span class="who soft">${escape(identity.login)} · <a href="${root}/logout">Se déconnecter</a></span>`
    : `<span class="who"><a href="${root}/login">Se connecter</a></span>`;
  const nav = bare ? '' : `<nav><b>Grafana</b><a href="${root}/dashboards">Tableaux de bord</a><a href="${root}/connections/datasources">Sources de données</a><a href="${root}/alerting/list">Alertes</a>${user}</nav>`;
  const html = `<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">${refresh ? `<meta http-equiv="refresh" content="${refresh}">` : ''}
<title>${escape(title)} - Grafana</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><p class="banner" role="note">${BANNER}</p>${nav}<main>${body}</main>${script ? `<script nonce="${nonce}">${script}</script>` : ''}</body></html>
`;
  res.writeHead(status, {
    'Content-Type': 'text/html; charset=UTF-8', 'Cache-Control': 'no-store', 'Content-Length': Buffer.byteLength(html),
    'Content-Security-Policy': `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'nonce-${nonce}'; connect-src 'self'; form-action 'self'; base-uri 'none'`,
    'X-Content-Type-Options': 'nosniff', ...(app.settings.bool('security', 'allow_embedding') ? {} : { 'X-Frame-Options': 'deny' }), 'X-Xss-Protection': '1; mode=block',
  });
  res.end(html);
}

module.exports = { page };
