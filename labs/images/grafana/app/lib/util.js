'use strict';
const crypto = require('node:crypto');

/** Slug of a title: lower case, runs of anything else than letters and digits become one dash. */
function slugify(title) {
  const plain = String(title).normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase();
  const slug = plain.replace(/[^a-z0-9_-]+/g, '-').replace(/-{2,}/g, '-').replace(/^-+|-+$/g, '');
  if (slug || !title) return slug;
  // A title without any usable letter gets a stable uid as slug.
  return crypto.createHash('sha1').update(String(title)).digest('hex').slice(0, 20);
}

/** A short uid of the 11.x form: 14 characters of base 36, the first one a letter. */
function shortUid() {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const all = `${letters}0123456789`;
  const bytes = crypto.randomBytes(14);
  let out = letters[bytes[0] % 6];
  for (let i = 1; i < 14; i += 1) out += all[bytes[i] % 36];
  return out;
}

/** Data source provisioning, `safeUIDFromName`: "P" and the first 8 bytes of the name's SHA-256, upper case. */
function uidFromName(name) {
  return `P${crypto.createHash('sha256').update(String(name)).digest('hex').slice(0, 16).toUpperCase()}`;
}

/** Uids may hold letters, digits, dash and underscore, 40 characters at most. */
const validUid = (uid) => /^[a-zA-Z0-9_-]*$/.test(uid);

/** Go's time format in JSON, second precision. */
const isoSeconds = (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** strconv.ParseBool. */
function parseBool(text) {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Go's file errors: "open PATH: no such file or directory". */
function fileError(err, operation, path) {
  const words = { ENOENT: 'no such file or directory', EACCES: 'permission denied', EISDIR: 'is a directory', ENOTDIR: 'not a directory' };
  if (!err || !words[err.code]) return err;
  const out = new Error(`${err.code === 'EISDIR' ? 'read' : operation} ${path}: ${words[err.code]}`);
  out.code = err.code;
  return out;
}

module.exports = { slugify, shortUid, uidFromName, validUid, isoSeconds, parseBool, fileError };
