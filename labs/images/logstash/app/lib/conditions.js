'use strict';
// Conditions of a pipeline, compared as Logstash does: text with text, numbers with numbers.

const read = (event, side) => (side.field !== undefined ? event.get(side.field) : side.regexp !== undefined ? side : side.value);

function same(a, b) {
  if (a instanceof Date) a = a.toISOString();
  if (b instanceof Date) b = b.toISOString();
  return typeof a === typeof b ? a === b : false;
}

function matches(value, pattern) {
  if (value === undefined || value === null) return false;
  const source = typeof pattern === 'object' && pattern.regexp !== undefined ? pattern.regexp : String(pattern);
  return toRegExp(source).test(typeof value === 'string' ? value : String(value));
}

const cache = new Map();
/** A Ruby (Oniguruma) pattern as JavaScript's: (?<a-b>…) names, \h, \A, \z, (?i) at the start. */
function toRegExp(source, flags = '') {
  const key = `${flags}/${source}`;
  if (!cache.has(key)) {
    let text = source;
    if (text.startsWith('(?i)')) { text = text.slice(4); flags += 'i'; }
    text = text.replace(/\\A/g, '^').replace(/\\[zZ]/g, '$').replace(/\\h/g, '[0-9a-fA-F]')
      .replace(/\(\?>/g, '(?:').replace(/([*+?}])\+/g, '$1').replace(/\[:alnum:\]/g, 'a-zA-Z0-9').replace(/\[:word:\]/g, '\\w')
      .replace(/\[:alpha:\]/g, 'a-zA-Z').replace(/\[:digit:\]/g, '0-9').replace(/\[:space:\]/g, '\\s');
    cache.set(key, new RegExp(text, flags));
  }
  return cache.get(key);
}

function inside(value, list) {
  if (value === undefined || list === undefined || list === null) return false;
  if (Array.isArray(list)) return list.some((one) => same(value, one));
  if (typeof list === 'string') return typeof value === 'string' && list.includes(value);
  return same(value, list);
}

const compare = { '<': (a, b) => a < b, '>': (a, b) => a > b, '<=': (a, b) => a <= b, '>=': (a, b) => a >= b };

/** Whether `test` holds for `event`. */
function holds(event, test) {
  switch (test.op) {
    case 'and': return holds(event, test.left) && holds(event, test.right);
    case 'or': return holds(event, test.left) || holds(event, test.right);
    case 'xor': return holds(event, test.left) !== holds(event, test.right);
    case 'nand': return !(holds(event, test.left) && holds(event, test.right));
    case 'not': return !holds(event, test.of);
    case 'truthy': {
      const value = read(event, test.of);
      return value !== undefined && value !== null && value !== false;
    }
    default:
  }
  const left = read(event, test.left);
  const right = read(event, test.right);
  switch (test.op) {
    case '==': return same(left, right);
    case '!=': return !same(left, right);
    case '=~': return matches(left, right);
    case '!~': return !matches(left, right);
    case 'in': return inside(left, right);
    case 'not in': return !inside(left, right);
    default: return typeof left === typeof right && left !== undefined && compare[test.op](left, right);
  }
}

module.exports = { holds, toRegExp };
