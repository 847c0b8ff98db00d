'use strict';
// `mongosh --eval "db.adminCommand('ping')"` and nothing else, asked as the shell would (one OP_MSG), without loading it.
// Exit codes are those of the shell: 0 or 1; 99 when the arguments ask for anything more.
const net = require('net');

const PING = /^\s*db\.(?:adminCommand|runCommand)\(\s*(?:'ping'|"ping"|\{\s*(?:ping|'ping'|"ping")\s*:\s*1\s*\})\s*\)(\.ok)?\s*;?\s*$/;
let host = '127.0.0.1', port = 27017, expression;
const args = process.argv.slice(2);
for (let i = 0; i < args.length; i++) {
  const [name, ...rest] = args[i].startsWith('--') ? args[i].split('=') : [args[i]];
  const value = () => (rest.length ? rest.join('=') : args[++i]);
  if (name === '--quiet' || name === '--norc') continue;
  if (name === '--eval' && expression === undefined) expression = value();
  else if (name === '--host') host = value();
  else if (name === '--port') port = Number(value());
  else {
    const at = /^(?:mongodb:\/\/)?(localhost|127\.0\.0\.1)(?::(\d+))?(?:\/\w*)?$/.exec(args[i]);
    if (!at) process.exit(99);
    [host, port] = [at[1], Number(at[2] ?? 27017)];
  }
}
const asked = PING.exec(expression ?? '');
if (!asked || !host || !/^[\w.-]+$/.test(host) || !(port > 0 && port < 65536)) process.exit(99);

const text = (s) => Buffer.from(`${s}\0`);
const int = (n) => { const b = Buffer.alloc(4); b.writeInt32LE(n); return b; };
const fields = Buffer.concat([Buffer.from([16]), text('ping'), int(1), Buffer.from([2]), text('$db'), int(6), text('admin'), Buffer.from([0])]);
const body = Buffer.concat([int(0), Buffer.from([0]), int(fields.length + 4), fields]);
const message = Buffer.concat([int(body.length + 16), int(1), int(0), int(2013), body]);

const fail = (why) => { console.log(`MongoNetworkError: ${why}`); process.exit(1); };
let seen = Buffer.alloc(0);
const socket = net.connect(port, host, () => socket.write(message));
socket.setTimeout(30000, () => fail('connection timed out'));
socket.on('error', (error) => fail(error.message));
socket.on('close', () => fail('connection closed'));
socket.on('data', (chunk) => {
  seen = Buffer.concat([seen, chunk]);
  if (seen.length < 16 || seen.length < seen.readInt32LE(0)) return;
  // `ok` is a double, 1.0.
  const at = seen.indexOf(Buffer.concat([Buffer.from([1]), text('ok')]));
  const good = at > 0 && seen.readDoubleLE(at + 4) === 1;
  if (!good) process.exit(99);
  console.log(asked[1] ? '1' : '{ ok: 1 }');
  process.exit(0);
});
