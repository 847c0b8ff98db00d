'use strict';
function register(router, app) {
  router.on('GET', '/login', { open: true }, ({ res }) => { res.writeHead(200, { 'Content-Type': 'text/html; charset=UTF-8' }); res.end('<!DOCTYPE html><title>Grafana</title>Doublure de Grafana'); });
  router.on('GET', '/', {}, ({ res }) => { res.writeHead(200, { 'Content-Type': 'text/html; charset=UTF-8' }); res.end('<!DOCTYPE html><title>Grafana</title>Doublure de Grafana'); });
}
function notFound(app, { res }) { res.writeHead(404, { 'Content-Type': 'text/html; charset=UTF-8' }); res.end('404'); }
module.exports = { register, notFound };
