'use strict';
// `grafana cli`: resetting the password works; plugins cannot be installed, and that is said.
// Documentation: "Grafana CLI".
const { load } = require('./settings');
const { Store } = require('./store');
const { VERSION } = require('./prometheus');

const HELP = `NAME:
   Grafana CLI (doublure pour travailler hors ligne)

USAGE:
   grafana cli [global options] command [command options] [arguments...]

COMMANDS:
   plugins  ls | install (impossible hors ligne)
   admin    reset-admin-password [--user-id ID] [--password-from-stdin] <new password>`;

function resetPassword(args, options, env) {
  let id = 1;
  let password = '';
  for (let i = 0; i < args.length; i += 1) {
    const m = /^--user-id(?:=(.*))?$/.exec(args[i]);
    if (m) id = Number(m[1] ?? args[(i += 1)]);
    else if (args[i] === '--password-from-stdin') password = require('node:fs').readFileSync(0, 'utf8').trim();
    else password = args[i];
  }
  if (password.length < 4) {
    console.error('Error: ✗ failed to set password: new password is too short');
    return 1;
  }
  const settings = load({ argv: options, env });
  const store = new Store(settings.dataPath);
  const user = store.data.users.find((u) => u.id === id);
  if (!user) {
    console.error(`Error: ✗ could not read user from database. Error: user not found`);
    return 1;
  }
  store.setPassword(user, password);
  store.save();
  console.log('\nAdmin password changed successfully ✔');
  return 0;
}

/** Returns the exit code. */
function cli(argv, env) {
  const options = [];
  const words = [];
  for (let i = 0; i < argv.length; i += 1) {
    const opt = /^--?(homepath|config|configOverrides|pluginsDir|pluginUrl|repo|insecure|debug)(=.*)?$/.exec(argv[i]);
    if (!opt) { words.push(...argv.slice(i)); break; }
    const takes = !['insecure', 'debug'].includes(opt[1]);
    const value = opt[2]?.slice(1) ?? (takes ? argv[(i += 1)] : '');
    if (opt[1] === 'homepath' || opt[1] === 'config') options.push(`--${opt[1]}=${value}`);
  }
  const [group, action, ...rest] = words;
  if (group === '-v' || group === '--version') {
    console.log(`grafana cli version ${VERSION}`);
    return 0;
  }
  if (group === 'admin' && action === 'reset-admin-password') return resetPassword(rest, options, env);
  if (group === 'plugins' && ['ls', 'list-installed'].includes(action)) {
    console.log('installed plugins:');
    return 0;
  }
  if (group === 'plugins' && ['install', 'update', 'update-all', 'list-remote', 'list-versions'].includes(action)) {
    console.error(`Error: ✗ ${rest[0] ?? 'plugin'} : cette image est une doublure de Grafana pour travailler hors ligne ; elle ne peut ni télécharger ni exécuter de greffon.`);
    return 1;
  }
  console.log(HELP);
  return group && group !== 'help' ? 1 : 0;
}

module.exports = { cli };
