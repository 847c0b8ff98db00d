// `grader serve` in a real browser: a wrong submission of lab 02 is checked, corrected and checked again without a
// reload; hints, a terminal, what another page may not do; accessibility; screenshots.
//   node serve.mjs GRADER ROOT_OF_THE_PROJECT FOLDER_FOR_SCREENSHOTS
// Needs playwright-core and axe-core beside it (make serve-browser), a Chromium, an engine and the images of lab 02.
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [grader, project, shots] = process.argv.slice(2).map((p) => path.resolve(p));
const labs = path.join(project, 'labs');
const lab = path.join(labs, '02-deploiement');
const PATIENCE = 300_000;
let passed = 0;
const failed = [];
const expect = (what, ok, detail = '') => { if (ok) passed += 1; else failed.push(`${what} ${detail}`); };

// A student's folder, as `grader init` leaves it: the solution with one network for everybody, and another project.
const root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'tp-serve-'));
const work = path.join(root, 'tp-02');
fs.cpSync(path.join(lab, 'solution'), work, { recursive: true });
fs.cpSync(path.join(lab, 'variants/ko-reseau-unique/compose.yaml'), path.join(work, 'compose.yaml'));
const progress = path.join(root, '.grader/progress.json');
fs.mkdirSync(path.dirname(progress));
fs.writeFileSync(progress, JSON.stringify({ format: 1, labs: { '02': { folder: 'tp-02' } } }));
const trial = path.join(root, 'essai');
fs.mkdirSync(trial);
fs.writeFileSync(path.join(trial, 'compose.yaml'), 'services:\n  cache:\n    image: redis:7-alpine\n    network_mode: none\n');
const name = `tpserve${process.pid}`;
const compose = (...args) => execFileSync('docker', ['compose', '-p', name, ...args], { cwd: trial, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const server = spawn(grader, ['serve', '-C', root, '--port', '0', '--no-open', '--offline'],
  { cwd: project, env: { ...process.env, TP_DOCKER_LABS: labs }, stdio: ['ignore', 'pipe', 'inherit'] });
const address = await new Promise((found, none) => {
  let said = '';
  server.stdout.on('data', (d) => { said += d; const url = /http:\/\/\S+/.exec(said); if (url) found(url[0]); });
  server.on('exit', () => none(new Error(`grader serve ended: ${said}`)));
});
const origin = new URL(address).origin;

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR' });
const page = await context.newPage();
// What the browser refuses on purpose further down is a message of its console too.
let listening = true;
page.on('console', (m) => { if (listening && ['error', 'warning'].includes(m.type())) failed.push(`console: ${m.text()}`); });
page.on('pageerror', (e) => failed.push(`page: ${e.message}`));
page.on('request', (r) => { if (!r.url().startsWith(origin)) failed.push(`request to ${r.url()}`); });

const MODES = [['wide', 1280, 'light'], ['wide', 1280, 'dark'], ['narrow', 390, 'light'], ['narrow', 390, 'dark']];
/** Screenshots and accessibility in every mode. */
async function look(what) {
  // The sticky bar would lie over a screenshot taller than the window.
  await page.evaluate(() => { document.querySelector('.barre').style.position = 'static'; });
  for (const [width, pixels, colorScheme] of MODES) {
    const where = `${what}-${width}-${colorScheme}`;
    await page.setViewportSize({ width: pixels, height: 900 });
    await page.emulateMedia({ colorScheme, reducedMotion: width === 'narrow' ? 'reduce' : 'no-preference' });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(`${where}: no sideways scroll`, over <= 0, `${over} px`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run('#verifier', { preload: false, resultTypes: ['violations'] }));
    expect(`${where}: axe`, violations.length === 0, violations.map((v) => `${v.impact} ${v.id} ${v.nodes[0].html.slice(0, 160)}`).join(' | '));
    await page.locator('#verifier').screenshot({ path: path.join(shots, `${where}.png`) });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}
const state = (id) => page.getAttribute(`.tp-controle[data-id="${id}"]`, 'data-etat');
const note = async () => (await page.textContent('.tp-note')).replace(/\s+/g, ' ');
const missed = () => page.$$eval('.tp-controle[data-etat="fail"]', (items) => items.map((i) => i.dataset.id));
const ended = () => page.waitForSelector('.tp-note', { timeout: PATIENCE });
/** Begins another run: the note of the one before goes. */
async function again() {
  await page.click('.tp-principal');
  await page.waitForSelector('.tp-note', { state: 'detached' });
}
/** Waits for something of a run; a run that ends without it is told. */
async function seen(selector) {
  await page.waitForSelector(`${selector}, .tp-note`, { timeout: PATIENCE });
  if (!await page.$(selector)) throw new Error(`no ${selector}: ${await page.textContent('.tp-correction')}`);
}

try {
  // The key: exchanged for a cookie that scripts do not see, gone from the address.
  await page.goto(address);
  expect('the address is clean', page.url() === `${origin}/`, page.url());
  expect('scripts see no cookie', await page.evaluate(() => document.cookie) === '');
  expect('no panel outside the labs', await page.$('#verifier') === null);
  await page.goto(`${origin}/02-deploiement.html`);
  await page.waitForSelector('#tp-dossier option', { state: 'attached' });
  await page.evaluate(() => { window.never_reloaded = true; });
  expect('the folder of the journal is chosen', await page.inputValue('#tp-dossier') === 'tp-02');
  await look('idle');

  // A wrong submission, by keyboard: the failing check appears without a reload.
  await page.focus('.tp-principal');
  await page.keyboard.press('Enter');
  await seen('.tp-controle');
  expect('the focus goes to « Arrêter »', await page.evaluate(() => document.activeElement.textContent) === 'Arrêter');
  expect('all checks wait', (await page.$$('.tp-controle[data-etat="waiting"]')).length > 10);
  await seen('.tp-controle[data-etat="pass"]');
  await page.locator('#verifier').screenshot({ path: path.join(shots, 'running.png') });
  await seen('.tp-controle[data-id="isolation"][data-etat="fail"]');
  expect('a verdict comes before the end', await page.$('.tp-note') === null);
  await ended();
  expect('only what is wrong is missed', JSON.stringify(await missed()) === '["isolation"]', JSON.stringify(await missed()));
  expect('the note', (await note()).startsWith('Note 18/20'), await note());
  expect('nothing is left', (await page.textContent('.tp-menage')).includes('il ne reste rien'));
  expect('the focus comes back', await page.evaluate(() => document.activeElement.textContent) === 'Vérifier');
  const told = await page.textContent('.tp-controle[data-id="isolation"]');
  for (const part of ['attendu', 'observé', 'témoin', 'où', 'compose.yaml, ligne', 'piste', 'essayer']) expect(`told: ${part}`, told.includes(part), told);
  expect('the drawing', (await page.textContent('.tp-matrice')).includes('postgres:5432'));
  expect('what is heard', (await page.textContent('.tp-correction [aria-live]')).length > 0);
  await page.click('.tp-controle[data-id="isolation"] .tp-suite button');
  await page.waitForSelector('.tp-indices li');
  expect('the hint is counted', JSON.parse(fs.readFileSync(progress, 'utf8')).labs['02'].hints.isolation === 1);
  await look('missed');

  // Corrected, checked again; a page that comes in the middle reads the whole journal.
  fs.cpSync(path.join(lab, 'solution/compose.yaml'), path.join(work, 'compose.yaml'));
  await again();
  await seen('.tp-controle[data-etat="waiting"]');
  const second = await context.newPage();
  await second.goto(`${origin}/02-deploiement.html`);
  await seen('.tp-controle[data-id="isolation"][data-etat="pass"]');
  await ended();
  expect('it passes', await state('isolation') === 'pass' && (await missed()).length === 0, JSON.stringify(await missed()));
  expect('the whole note', (await note()).startsWith('Note 20/20'), await note());
  expect('the page was never reloaded', await page.evaluate(() => window.never_reloaded === true));
  await second.waitForSelector('.tp-note', { timeout: 20_000 });
  expect('another page saw the same', (await second.textContent('.tp-note')).replace(/\s+/g, ' ').startsWith('Note 20/20'));
  await second.close();
  expect('the progress is kept', JSON.parse(fs.readFileSync(progress, 'utf8')).labs['02'].attempts === 2);
  await look('passed');

  // A run that is stopped says so, and cleans.
  await again();
  await seen('.tp-controle[data-etat="waiting"]');
  await page.click('text=Arrêter');
  await ended();
  expect('stopped', (await page.textContent('.tp-controles')).includes('interrompu'), await page.textContent('.tp-controles'));
  expect('nothing is left of it', (await page.textContent('.tp-menage')).includes('il ne reste rien'));

  // A terminal into one's own container, and out of it by keyboard.
  await page.selectOption('#tp-dossier', 'essai');
  await page.click('.tp-terminaux > summary');
  await page.waitForFunction(() => document.querySelector('.tp-terminaux .tp-etat').textContent.includes('Aucun conteneur'));
  compose('up', '-d');
  await page.click('text=Actualiser');
  await page.waitForFunction(() => document.querySelector('#tp-conteneur').options.length === 1);
  const before = compose('top', 'cache');
  await page.click('text=Ouvrir un terminal');
  const frame = await (await page.waitForSelector('.tp-cadre iframe')).contentFrame();
  await frame.waitForSelector('.xterm-rows');
  const screen = (text) => frame.waitForFunction((t) => document.querySelector('.xterm-rows').textContent.includes(t), text, { timeout: 30_000 });
  await screen('#');
  await page.keyboard.type('echo r=$((6*7)); stty size; seq -s, 9000 9999 | tail -c 9\n');
  await screen('r=42');
  await screen('8,9999');
  const size = await frame.evaluate(() => document.querySelector('.xterm-rows').children.length);
  expect('the shell knows its window', (await frame.textContent('.xterm-rows')).includes(`${size} `), String(size));
  await look('terminal');
  await frame.evaluate(axe);
  const { violations } = await frame.evaluate(() => window.axe.run(document, { preload: false, resultTypes: ['violations'] }));
  expect('the page of the terminal: axe', violations.length === 0, violations.map((v) => `${v.impact} ${v.id} ${v.nodes[0].html.slice(0, 160)}`).join(' | '));
  await frame.focus('textarea');
  await page.keyboard.press('Shift+Escape');
  expect('the keyboard comes out', await page.evaluate(() => document.activeElement.textContent) === 'Fermer le terminal');
  await page.keyboard.press('Enter');
  let after = '';
  for (const until = Date.now() + 15_000; Date.now() < until && after.split('\n').length !== before.split('\n').length;) after = compose('top', 'cache');
  expect('the shell ends with its page', after.split('\n').length === before.split('\n').length, after);

  // What another page may not do: the cookie goes along (same machine, another port), nothing answers.
  listening = false;
  const cookies = await context.cookies(origin);
  expect('the cookie', cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === 'Strict', JSON.stringify(cookies));
  const send = (headers, more = {}) => context.request.fetch(`${origin}/api/${more.path ?? 'runs'}`, { method: 'POST', data: { lab: '02', dir: 'tp-02' }, headers, ...more });
  expect('another origin', (await send({ Origin: 'http://127.0.0.1:5001' })).status() === 403);
  expect('no origin', (await send({})).status() === 403);
  expect('another host', (await send({ Origin: origin, Host: 'evil.test' })).status() === 421);
  expect('a folder elsewhere', (await send({ Origin: origin }, { data: { lab: '02', dir: '../..' } })).status() === 403);
  const stranger = await browser.newContext();
  const out = await stranger.newPage();
  await out.goto(`${origin}/02-deploiement.html`);
  await out.waitForSelector('.tp-alerte:not(:empty)');
  expect('without the key, the page says what to do', (await out.textContent('.tp-alerte')).includes('grader serve'), await out.textContent('.tp-alerte'));
  await stranger.close();
} catch (error) {
  failed.push(`${error}`);
  await page.screenshot({ path: path.join(shots, 'failure.png'), fullPage: true }).catch(() => {});
} finally {
  await browser.close();
  try { compose('down', '-v', '-t', '1'); } catch { /* never started */ }
  const gone = new Promise((done) => { server.on('exit', done); });
  server.kill('SIGINT');
  expect('Ctrl-C ends the server well', await gone === 0);
  fs.rmSync(root, { recursive: true, force: true });
}
for (const line of failed) console.log(`✗ ${line}`);
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
