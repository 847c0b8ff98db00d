'use strict';
// An event: nested fields named [a][b], text made of them (%{[a][b]}, %{+YYYY.MM.dd}), @metadata kept aside.

const path = (name) => (name.startsWith('[') ? [...name.matchAll(/\[([^[\]]+)\]/g)].map((m) => m[1]) : [name]);

class LogEvent {
  constructor(data = {}) {
    this.data = data;
    this.metadata = {};
    this.cancelled = false;
    if (data['@timestamp'] === undefined) data['@timestamp'] = new Date();
    if (data['@version'] === undefined) data['@version'] = '1';
  }

  get(name) {
    const steps = path(name);
    let value = steps[0] === '@metadata' ? { '@metadata': this.metadata } : this.data;
    for (const step of steps) {
      if (value === null || typeof value !== 'object' || value instanceof Date) return undefined;
      value = Array.isArray(value) ? value.at(Number(step)) : Object.hasOwn(value, step) ? value[step] : undefined;
    }
    return value;
  }

  set(name, value) {
    const steps = path(name);
    let at = steps[0] === '@metadata' ? this.metadata : this.data;
    if (steps[0] === '@metadata') steps.shift();
    const last = steps.pop();
    for (const step of steps) {
      if (!Object.hasOwn(at, step) || at[step] === null || typeof at[step] !== 'object') {
        Object.defineProperty(at, step, { value: {}, enumerable: true, writable: true, configurable: true });
      }
      at = at[step];
    }
    Object.defineProperty(at, last, { value, enumerable: true, writable: true, configurable: true });
  }

  remove(name) {
    const steps = path(name);
    const last = steps.pop();
    const at = steps.length ? this.get(steps.map((s) => `[${s}]`).join('')) : this.data;
    if (!at || typeof at !== 'object' || !Object.hasOwn(at, last)) return undefined;
    const value = at[last];
    delete at[last];
    return value;
  }

  tag(word) {
    const tags = [this.data.tags ?? []].flat();
    if (!tags.includes(word)) tags.push(word);
    this.data.tags = tags;
  }

  /** Replaces %{…}; an unknown field stays as it is written. */
  text(format) {
    if (typeof format !== 'string' || !format.includes('%{')) return format;
    return format.replace(/%\{([^}]+)\}/g, (all, name) => {
      if (name === '+%s') return String(Math.floor(this.time() / 1000));
      if (name.startsWith('+')) return joda(name.slice(1), this.time());
      if (name.startsWith('{') && name.length > 1) return all;
      const value = this.get(name);
      if (value === undefined) return all;
      if (value === null) return '';
      if (value instanceof Date) return value.toISOString();
      if (Array.isArray(value)) return value.map(String).join(',');
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
    }).replace(/%\{\{([^}]+)\}\}/g, (all, format_) => joda(format_, this.time()));
  }

  time() {
    const t = this.data['@timestamp'];
    return t instanceof Date ? t.getTime() : Date.parse(t) || Date.now();
  }

  toJSON() { return this.data; }
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** A date in UTC by Joda's letters. */
function joda(format, ms) {
  const d = new Date(ms);
  const two = (n, w = 2) => String(n).padStart(w, '0');
  return format.replace(/'([^']*)'|([A-Za-z])\2*/g, (all, quoted, letter) => {
    if (quoted !== undefined) return quoted;
    const n = all.length;
    switch (letter) {
      case 'Y': case 'y': case 'x': return n === 2 ? two(d.getUTCFullYear() % 100) : two(d.getUTCFullYear(), n);
      case 'M': return n > 3 ? MONTHS[d.getUTCMonth()] : n === 3 ? MONTHS[d.getUTCMonth()].slice(0, 3) : two(d.getUTCMonth() + 1, n);
      case 'd': return two(d.getUTCDate(), n);
      case 'H': return two(d.getUTCHours(), n);
      case 'm': return two(d.getUTCMinutes(), n);
      case 's': return two(d.getUTCSeconds(), n);
      case 'S': return two(d.getUTCMilliseconds(), 3).slice(0, n).padEnd(n, '0');
      case 'E': case 'e': return n > 3 ? DAYS[d.getUTCDay()] : DAYS[d.getUTCDay()].slice(0, 3);
      case 'D': return two(Math.floor((ms - Date.UTC(d.getUTCFullYear(), 0, 0)) / 86400000), n);
      case 'w': return two(week(d), n);
      case 'Z': return n > 1 ? '+00:00' : '+0000';
      default: return all;
    }
  });
}

function week(date) {
  const d = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()));
  d.setUTCDate(d.getUTCDate() + 4 - (d.getUTCDay() || 7));
  return Math.ceil(((d - Date.UTC(d.getUTCFullYear(), 0, 1)) / 86400000 + 1) / 7);
}

/** A plain object, and not a list or a date. */
const isHash = (value) => value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);

module.exports = { LogEvent, joda, isHash, MONTHS };
