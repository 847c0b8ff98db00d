'use strict';
// YAML read with the strictness of Grafana's Go structs: a wrong shape is an error, not a guess.
const YAML = require('yaml');
const { parseBool } = require('./util');

/** Interpolation of provisioning values: $VAR, ${VAR}, "$$" for a dollar ("Provision Grafana", environment variables). */
function interpolate(text, env) {
  const name = (_, braced, bare) => env[braced ?? bare] ?? '';
  return text.split('$$')
    .map((part) => part
      .replace(/\$__env\{([^}]*)\}/g, (_, n) => env[n.trim()] ?? '')
      .replace(/\$\{([^}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*|[0-9*#@!?-])/g, name))
    .join('$');
}

const TAGS = { map: '!!map', seq: '!!seq', str: '!!str' };
function tagOf(node) {
  if (YAML.isMap(node)) return TAGS.map;
  if (YAML.isSeq(node)) return TAGS.seq;
  const v = node.value;
  if (typeof v === 'boolean') return '!!bool';
  if (typeof v === 'number') return Number.isInteger(v) ? '!!int' : '!!float';
  return TAGS.str;
}

/** One parsed file; every reader throws an Error worded as yaml.v3's. */
class GoYaml {
  constructor(text, env) {
    this.env = env;
    this.lines = new YAML.LineCounter();
    this.doc = YAML.parseAllDocuments(text, { lineCounter: this.lines, merge: true, strict: true })[0];
    const bad = this.doc?.errors?.[0];
    if (bad) {
      const line = bad.linePos?.[0]?.line;
      throw new Error(`yaml: ${line ? `line ${line}: ` : ''}${bad.message.split('\n')[0].replace(/ at line \d+, column \d+:?$/, '')}`);
    }
    this.root = this.doc?.contents ?? null;
  }

  resolve(node) {
    return YAML.isAlias(node) ? node.resolve(this.doc) : node;
  }

  isNull(node) {
    const n = this.resolve(node);
    return n === null || n === undefined || (YAML.isScalar(n) && n.value === null);
  }

  mismatch(node, type) {
    const line = node.range ? this.lines.linePos(node.range[0]).line : 0;
    const shown = YAML.isScalar(node) ? ` \`${String(node.source ?? node.value).slice(0, 10)}\`` : '';
    return new Error(`yaml: unmarshal errors:\n  line ${line}: cannot unmarshal ${tagOf(node)}${shown} into ${type}`);
  }

  /** The value of `key` in a mapping, or null. */
  get(map, key) {
    const node = this.resolve(map.items.find((p) => String(p.key?.value ?? p.key) === key)?.value ?? null);
    if (node) return node;
    for (const pair of map.items) {
      if (String(pair.key?.value) !== '<<') continue;
      const merged = this.resolve(pair.value);
      if (YAML.isMap(merged)) return this.get(merged, key);
    }
    return null;
  }

  map(node, type) {
    const n = this.resolve(node);
    if (this.isNull(n)) return null;
    if (!YAML.isMap(n)) throw this.mismatch(n, type);
    return n;
  }

  list(node, type) {
    const n = this.resolve(node);
    if (this.isNull(n)) return [];
    if (!YAML.isSeq(n)) throw this.mismatch(n, type);
    return n.items.map((i) => this.resolve(i));
  }

  raw(node, type) {
    const n = this.resolve(node);
    if (this.isNull(n)) return null;
    if (!YAML.isScalar(n)) throw this.mismatch(n, type);
    return String(n.source ?? n.value);
  }

  /** values.StringValue: interpolated text. */
  string(map, key, fallback = '') {
    const raw = this.raw(this.get(map, key), 'string');
    return raw === null ? fallback : interpolate(raw, this.env);
  }

  bool(map, key, fallback = false) {
    const raw = this.raw(this.get(map, key), 'string');
    return raw === null ? fallback : parseBool(interpolate(raw, this.env));
  }

  int(map, key, fallback = 0) {
    const raw = this.raw(this.get(map, key), 'string');
    const text = raw === null ? '' : interpolate(raw, this.env);
    if (text === '') return fallback;
    if (!/^[+-]?\d+$/.test(text)) {
      throw new Error(`cannot convert value int: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
    return Number(text);
  }

  /** `apiVersion`: a number, nothing else; 0 when absent. */
  version(map) {
    const node = this.get(map, 'apiVersion');
    if (this.isNull(node)) return 0;
    if (!YAML.isScalar(node) || !Number.isInteger(node.value)) throw this.mismatch(node, 'int64');
    return node.value;
  }

  /** values.JSONValue: a mapping whose strings, at any depth, are interpolated. */
  json(map, key) {
    const node = this.map(this.get(map, key), 'map[string]interface {}');
    const walk = (v) => {
      if (typeof v === 'string') return interpolate(v, this.env);
      if (Array.isArray(v)) return v.map(walk);
      if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)]));
      return v;
    };
    return node ? walk(node.toJS(this.doc)) : {};
  }
}

module.exports = { GoYaml, interpolate };
