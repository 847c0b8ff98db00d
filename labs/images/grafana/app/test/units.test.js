'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { stepOf, fill, parseTime, formatInterval, goDuration } = require('../lib/interval');
const { GoYaml, interpolate } = require('../lib/yamlgo');
const { slugify, uidFromName } = require('../lib/util');
const { format } = require('../lib/format');
const { legend } = require('../lib/query');

test('steps follow the plugin: minimum, rounding, 11 000 points at most', () => {
  assert.equal(stepOf({ range: 3600e3, maxDataPoints: 1000, intervalMs: 15000, scrape: '' }), 15000);
  assert.equal(stepOf({ range: 3600e3, maxDataPoints: 100, intervalMs: 15000, scrape: '' }), 30000);
  assert.equal(stepOf({ range: 3600e3, maxDataPoints: 100, interval: '1m', scrape: '' }), 60000);
  assert.equal(stepOf({ range: 864e6 * 10, maxDataPoints: 1e6, intervalMs: 1000, scrape: '' }), 900000);
});

test('built-in variables', () => {
  const at = { step: 30000, intervalMs: 15000, scrape: '', range: 3600e3 };
  assert.equal(fill('rate(a[$__rate_interval]) / ${__interval_ms} + $__range_s [$__range] ${__interval}', at), 'rate(a[1m0s]) / 30000 + 3600 [3600s] 30s');
  assert.equal(fill('a[$__rate_interval]', { ...at, intervalMs: 120000 }), 'a[2m15s]');
  assert.deepEqual([formatInterval(90000), goDuration(60000), goDuration(5400000)], ['1m', '1m0s', '1h30m0s']);
});

test('times', () => {
  assert.equal(parseTime('now-5m', 1e12), 1e12 - 300e3);
  assert.equal(parseTime('1700000000000', 0), 1.7e12);
  assert.throws(() => parseTime('hier', 0));
});

test('provisioning values', () => {
  const env = { A: 'x', B: '' };
  assert.equal(interpolate('$A-${A}-$$A-$B-$MISSING', env), 'x-x-$A--');
  const y = new GoYaml('a: 12\nb: ~\nc: {d: "$A", e: [1, $A]}\n', env);
  assert.deepEqual([y.string(y.root, 'a'), y.string(y.root, 'b'), y.json(y.root, 'c')], ['12', '', { d: 'x', e: [1, 'x'] }]);
});

test('names, slugs, units, legends', () => {
  assert.equal(uidFromName('Prometheus'), 'PBFA97CFB590B2093');
  assert.deepEqual([slugify('Requêtes par seconde !'), slugify('API')], ['requetes-par-seconde', 'api']);
  assert.deepEqual([format(0.25, 's'), format(1536, 'bytes'), format(0.5, 'percentunit'), format(NaN, 's')], ['250\u202fms', '1,5\u202fKio', '50\u202f%', '–']);
  const labels = { __name__: 'up', job: 'a' };
  assert.deepEqual([legend({}, 'up', labels), legend({ legendFormat: '{{ job }}!' }, 'up', labels), legend({ legendFormat: '__auto' }, 'up', labels), legend({}, '1+1', {})], ['up{job="a"}', 'a!', '', '1+1']);
});
