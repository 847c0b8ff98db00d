'use strict';
// The pipeline language of Logstash: sections, plugins, conditions. Gives a tree, or a ConfigurationError
// worded as the real one: "Expected one of [ \t\r\n], "#", … at line 3, column 5 (byte 40) after …".

class ConfigurationError extends Error {}

const EXPECTED = {
  start: '[ \\t\\r\\n], "#", "input", "filter", "output" at',
  open: '[ \\t\\r\\n], "#", "{" at',
  body: '[ \\t\\r\\n], "#", "if", [A-Za-z0-9_-], \'"\', "\'", "}" at',
  attribute: '[ \\t\\r\\n], "#", [A-Za-z0-9_-], \'"\', "\'", "}" at',
  arrow: '[ \\t\\r\\n], "#", "=>" at',
  value: '[ \\t\\r\\n], "#", [A-Za-z_-], \'"\', "\'", [-], [0-9], "[", "{" at',
  array: '[ \\t\\r\\n], "#", ",", "]" at',
  operator: '[ \\t\\r\\n], "#", "in", "not ", "==", "!=", "<=", ">=", "<", ">", "=~", "!~", "and", "or", "xor", "nand", "{" at',
  rvalue: '[ \\t\\r\\n], "#", "[", \'"\', "\'", "/", [-], [0-9], [A-Za-z_-] at',
  close: '[ \\t\\r\\n], "#", ")" at',
};

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(what) {
    const before = this.text.slice(0, this.at);
    const lines = before.split('\n');
    throw new ConfigurationError(`Expected one of ${EXPECTED[what]} line ${lines.length}, column ${lines.at(-1).length + 1} (byte ${Buffer.byteLength(before) + 1})`
      + ` after ${this.tail(before)}`);
  }

  /** What the real parser shows: the text since the start of the section. */
  tail(before) {
    const start = Math.max(before.lastIndexOf('\ninput'), before.lastIndexOf('\nfilter'), before.lastIndexOf('\noutput'), -1) + 1;
    return before.slice(start).replace(/\s+$/, '\n').slice(-400);
  }

  space() {
    for (;;) {
      const m = /^(?:\s+|#[^\n]*)/.exec(this.text.slice(this.at, this.at + 4096));
      if (!m) return;
      this.at += m[0].length;
    }
  }

  peek(word) { return this.text.startsWith(word, this.at); }

  take(word) {
    if (!this.peek(word)) return false;
    this.at += word.length;
    return true;
  }

  match(regexp) {
    const sticky = new RegExp(regexp.source, 'y');
    sticky.lastIndex = this.at;
    const m = sticky.exec(this.text);
    if (m) this.at += m[0].length;
    return m;
  }

  config() {
    const out = { input: [], filter: [], output: [] };
    this.space();
    if (this.at >= this.text.length) this.fail('start');
    while (this.at < this.text.length) {
      const m = this.match(/(input|filter|output)/);
      if (!m) this.fail('start');
      this.space();
      if (!this.take('{')) this.fail('open');
      out[m[1]].push(...this.body());
      this.space();
    }
    return out;
  }

  body() {
    const out = [];
    for (;;) {
      this.space();
      if (this.take('}')) return out;
      if (this.match(/if\b(?=\s|\(|\[|"|'|!|\/)/)) out.push(this.branch());
      else out.push(this.plugin('body'));
    }
  }

  branch() {
    const cases = [];
    const one = (test) => {
      this.space();
      if (!this.take('{')) this.fail(test ? 'operator' : 'open');
      cases.push({ test, body: this.body() });
    };
    one(this.condition());
    for (;;) {
      const back = this.at;
      this.space();
      if (!this.match(/else\b/)) { this.at = back; break; }
      this.space();
      if (this.match(/if\b/)) one(this.condition());
      else { one(null); break; }
    }
    return { if: cases };
  }

  name(what) {
    const m = this.match(/[A-Za-z0-9_-]+/);
    if (m) return m[0];
    if (this.peek('"') || this.peek("'")) return this.string();
    return this.fail(what);
  }

  plugin(what) {
    const name = this.name(what);
    this.space();
    if (!this.take('{')) this.fail('open');
    const options = [];
    for (;;) {
      this.space();
      if (this.take('}')) return { plugin: name, options };
      const key = this.name('attribute');
      this.space();
      if (!this.take('=>')) this.fail('arrow');
      this.space();
      options.push([key, this.value()]);
      // As in the real grammar, two attributes are separated by spaces.
      const before = this.at;
      this.space();
      if (before === this.at && !this.peek('}')) this.fail('attribute');
    }
  }

  string() {
    const m = this.match(/"(?:\\.|[^"\\])*"/s) || this.match(/'(?:\\.|[^'\\])*'/s);
    if (!m) return this.fail('value');
    const quote = m[0][0];
    return m[0].slice(1, -1).replaceAll(`\\${quote}`, quote);
  }

  value() {
    if (this.peek('"') || this.peek("'")) return this.string();
    if (this.take('[')) {
      const list = [];
      this.space();
      if (this.take(']')) return list;
      for (;;) {
        this.space();
        list.push(this.value());
        this.space();
        if (this.take(']')) return list;
        if (!this.take(',')) this.fail('array');
      }
    }
    if (this.take('{')) {
      const hash = {};
      for (;;) {
        this.space();
        if (this.take('}')) return { hash };
        const number = this.match(/-?[0-9]+(?:\.[0-9]+)?/);
        const key = number ? number[0] : this.name('attribute');
        this.space();
        if (!this.take('=>')) this.fail('arrow');
        this.space();
        hash[key] = this.value();
        this.space();
        if (this.peek(',')) this.fail('attribute'); // Pairs of a hash are separated by spaces, never by commas.
      }
    }
    const number = this.match(/-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z_])/);
    if (number) return Number(number[0]);
    const word = this.match(/[A-Za-z_][A-Za-z0-9_]*/);
    if (word) {
      const back = this.at;
      this.space();
      if (this.take('{')) { // A codec with its options: json { … }.
        this.at = back - word[0].length;
        return this.plugin('attribute');
      }
      this.at = back;
      return { word: word[0] };
    }
    return this.fail('value');
  }

  condition() {
    let left = this.term();
    for (;;) {
      this.space();
      const m = this.match(/(and|or|xor|nand)\b/);
      if (!m) return left;
      left = { op: m[1], left, right: this.term() };
    }
  }

  term() {
    this.space();
    if (this.match(/!(?![=~])/)) {
      this.space();
      return { op: 'not', of: this.term() };
    }
    if (this.take('(')) {
      const inner = this.condition();
      this.space();
      if (!this.take(')')) this.fail('close');
      return inner;
    }
    const left = this.rvalue();
    this.space();
    const op = this.match(/(==|!=|<=|>=|=~|!~|<|>|not\s+in\b|in\b)/);
    if (!op) {
      if (left.field === undefined && left.value === undefined) this.fail('operator');
      return { op: 'truthy', of: left };
    }
    this.space();
    return { op: op[1].replace(/\s+/, ' '), left, right: this.rvalue(/~/.test(op[1])) };
  }

  rvalue(pattern) {
    const field = this.match(/(?:\[[^[\],]+\])+/);
    if (field && !pattern) return { field: field[0] };
    if (field) this.at -= field[0].length;
    const regexp = this.match(/\/((?:\\.|[^/\\])*)\//);
    if (regexp) return { regexp: regexp[1].replaceAll('\\/', '/') };
    if (this.peek('"') || this.peek("'") || this.peek('[')) return { value: this.value() };
    const number = this.match(/-?[0-9]+(?:\.[0-9]+)?/);
    if (number) return { value: Number(number[0]) };
    const word = this.match(/[A-Za-z_][A-Za-z0-9_-]*/);
    if (word) return { value: word[0] };
    return this.fail('rvalue');
  }
}

/** Parses the text of a pipeline. */
const parse = (text) => new Parser(text).config();

module.exports = { parse, ConfigurationError };
