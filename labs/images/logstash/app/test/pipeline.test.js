'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { parse, ConfigurationError } = require('../lib/parser');
const { Pipeline } = require('../lib/pipeline');
const { LogEvent } = require('../lib/event');
const { decode } = require('../lib/codecs');
const { reader } = require('../lib/dates');

const quiet = () => ({ info() {}, warn() {}, error() {}, fatal() {} });
const make = (text, env = {}) => new Pipeline({ id: 'main', text, env, log: quiet, workers: 1, batch: 125, delay: 50, sources: [] });
/** The event after these filters. */
function through(filters, data, env) {
  const p = make(`input { stdin {} } filter { ${filters} } output { stdout {} }`, env);
  const event = data instanceof LogEvent ? data : new LogEvent(data);
  p.filter(p.filters, event);
  return event;
}

test('the language: comments, nested values, codecs, conditions', () => {
  const tree = parse(`# hello
input { tcp { port => 5000 codec => json_lines { target => "x" } tags => ["a", 'b'] } }
filter { if [a][b] == "x" and !([c] in ["1", "2"]) or [d] =~ /^\\d+\\/x$/ { mutate { add_field => { "x" => "y" "z" => 3 } } } else if "t" not in [tags] { drop {} } else { json { source => message } } }
output { stdout { codec => rubydebug } }`);
  assert.equal(tree.input[0].options[1][1].plugin, 'json_lines');
  assert.equal(tree.filter[0].if.length, 3);
  assert.deepEqual(tree.filter[0].if[0].body[0].options[0][1].hash, { x: 'y', z: 3 });
});

for (const [what, text, message] of [
  ['a missing arrow', 'input { tcp { port 5000 } }', /^Expected one of \[ \\t\\r\\n\], "#", "=>" at line 1, column 20 \(byte 20\) after input \{ tcp \{ port/],
  ['a missing brace', 'input { tcp { port => 5000 }\nfilter {', /Expected one of .* at line 2, column 9/s],
  ['a comma between options', 'input { tcp { port => 5000, codec => json } }', /Expected one of .* at line 1, column 27/],
  ['an unknown section', 'inputs { }', /Expected one of .* line 1, column 6/],
  ['commas in a hash', 'filter { mutate { add_field => { "a" => "b", "c" => "d" } } }', /Expected one of/],
]) {
  test(`syntax error: ${what}`, () => {
    assert.throws(() => parse(text), (err) => err instanceof ConfigurationError && message.test(err.message));
  });
}

test('unknown plugins, settings and variables are refused as by the real one', () => {
  assert.throws(() => make('input { tcpp { port => 1 } } output { stdout {} }'), /Couldn't find any input plugin named 'tcpp'/);
  assert.throws(() => make('input { stdin {} } filter { geoip { source => "a" } } output { stdout {} }'), /This double of Logstash has no filter plugin named 'geoip'/);
  assert.throws(() => make('input { tcp { prot => 1 } } output { stdout {} }'), /Something is wrong with your configuration/);
  assert.throws(() => make('input { tcp { } } output { stdout {} }'), /Something is wrong/);
  assert.throws(() => make('input { tcp { port => "${NOPE}" } } output { stdout {} }'), /Replacement variable `NOPE` is not defined/);
  assert.throws(() => make('input { stdin {} } filter { grok { match => { "message" => "%{NOPE:x}" } } } output { stdout {} }'), /pattern %\{NOPE:x\} not defined/);
  assert.equal(make('input { tcp { port => "${PORT:5000}" } } output { stdout {} }').inputs[0].o.port, '5000');
  assert.equal(make('input { tcp { port => "${PORT:5000}" } } output { stdout {} }', { PORT: '6000' }).inputs[0].o.port, '6000');
});

test('grok: types, several patterns, failure tag, overwrite, a web server line', () => {
  const e = through('grok { match => { "message" => ["^nothing", "%{TIMESTAMP_ISO8601:time} \\[%{LOGLEVEL:level}\\] %{WORD:[svc][name]} took %{NUMBER:ms:int} %{GREEDYDATA:message}"] } overwrite => ["message"] remove_field => ["time"] }', { message: '2026-01-02T03:04:05.678Z [ERROR] api took 12 all gone' });
  assert.deepEqual([e.get('level'), e.get('[svc][name]'), e.get('ms'), e.get('message'), e.get('time')], ['ERROR', 'api', 12, 'all gone', undefined]);
  assert.deepEqual(through('grok { match => { "message" => "%{IP:ip}" } add_tag => ["x"] }', { message: 'none' }).get('tags'), ['_grokparsefailure']);
  const web = through('grok { match => { "message" => "%{COMBINEDAPACHELOG}" } }', { message: '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif?x=1 HTTP/1.0" 200 2326 "http://e/" "Mozilla/4.08"' });
  assert.deepEqual([web.get('[http][response][status_code]'), web.get('[url][original]'), web.get('[user][name]'), web.get('timestamp')], [200, '/a.gif?x=1', 'frank', '10/Oct/2000:13:55:36 -0700']);
});

test('date: formats, zones, failure', () => {
  assert.equal(through('date { match => ["t", "dd/MMM/yyyy:HH:mm:ss Z"] }', { t: '10/Oct/2000:13:55:36 -0700' }).get('@timestamp').toISOString(), '2000-10-10T20:55:36.000Z');
  assert.equal(through('date { match => ["t", "UNIX_MS", "ISO8601"] target => "u" }', { t: '2026-01-02 03:04:05,5' }).get('u').toISOString(), '2026-01-02T03:04:05.500Z');
  assert.equal(new Date(reader('yyyy-MM-dd HH:mm:ss', 'Europe/Paris')('2026-07-01 12:00:00')).toISOString(), '2026-07-01T10:00:00.000Z');
  assert.deepEqual(through('date { match => ["t", "ISO8601"] }', { t: 'hier' }).get('tags'), ['_dateparsefailure']);
});

test('mutate: order of operations and common options', () => {
  const e = through('mutate { convert => { "n" => "integer" "ok" => "boolean" } rename => { "old" => "[a][new]" } gsub => ["m", "/", "_"] uppercase => ["m"] split => { "l" => "," } strip => ["s"] add_field => { "f" => "%{n}-%{[a][new]}-%{absent}" } remove_field => ["gone"] add_tag => ["%{n}"] }', { n: '12', ok: 'true', old: 1, m: 'a/b', l: '1,2', s: '  x ', gone: 1 });
  assert.deepEqual([e.get('n'), e.get('ok'), e.get('[a][new]'), e.get('m'), e.get('l'), e.get('s'), e.get('f'), e.get('gone'), e.get('tags')], [12, true, 1, 'A_B', ['1', '2'], 'x', '12-1-%{absent}', undefined, ['12']]);
});

test('json filter, drop, conditions', () => {
  const e = through('json { source => "message" target => "doc" } if [doc][level] == "debug" { drop {} } else if [doc][code] >= 500 { mutate { add_tag => ["bad"] } }', { message: '{"level":"x","code":503}' });
  assert.deepEqual([e.get('[doc][code]'), e.get('tags')], [503, ['bad']]);
  assert.equal(through('if [m] in ["a", "b"] { drop {} }', { m: 'b' }).cancelled, true);
  assert.deepEqual(through('json { source => "message" }', { message: 'no' }).get('tags'), ['_jsonparsefailure']);
  assert.deepEqual(through('if "err" in [m] or [n] not in ["x"] { mutate { add_tag => ["y"] } }', { m: 'an error', n: 'x' }).get('tags'), ['y']);
});

test('codecs: original kept, dates settled, failures tagged', () => {
  const [e] = decode({ name: 'json_lines', options: {} }, '{"a":1,"@timestamp":"2026-01-02T03:04:05Z"}');
  assert.equal(e.text('i-%{+YYYY.MM.dd}-%{a}'), 'i-2026.01.02-1');
  assert.deepEqual([e.get('[event][original]'), e.get('@version')], ['{"a":1,"@timestamp":"2026-01-02T03:04:05Z"}', '1']);
  assert.deepEqual(decode({ name: 'json', options: {} }, 'x')[0].get('tags'), ['_jsonparsefailure']);
  assert.deepEqual(decode({ name: 'json', options: {} }, '{"@timestamp":"no"}')[0].get('tags'), ['_timestampparsefailure']);
});

test('hostile names do not reach the prototype', () => {
  const e = through('json { source => "message" }', { message: '{"__proto__":{"x":1},"constructor":2}' });
  assert.equal({}.x, undefined);
  e.set('[__proto__][y]', 1);
  assert.equal({}.y, undefined);
});
