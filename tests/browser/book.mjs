// The built book in a real browser: accessibility, console, requests, overflow, search, quizzes, ticks, theme.
//   node book.mjs FOLDER_OF_THE_BOOK [FOLDER_FOR_SCREENSHOTS]
// Needs playwright-core and axe-core beside it (make book-browser) and a Chromium (CHROMIUM, else the usual place).
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const folder = path.resolve(process.argv[2]);
const shots = process.argv[3];
const base = `${pathToFileURL(folder)}/`;
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
let passed = 0;
const failed = [];
const expect = (what, ok, detail = '') => { if (ok) passed += 1; else failed.push(`${what} ${detail}`); };

async function open(context, file, where) {
  const page = await context.newPage();
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) failed.push(`${where}: console: ${m.text()}`); });
  page.on('pageerror', (e) => failed.push(`${where}: ${e.message}`));
  page.on('request', (r) => { if (!r.url().startsWith(base)) failed.push(`${where}: request to ${r.url()}`); });
  await page.goto(base + file);
  return page;
}
async function audit(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { preload: false, resultTypes: ['violations'] }));
  expect(`${where}: axe`, violations.length === 0, violations.map((v) => `${v.impact} ${v.id} ${v.nodes[0].html.slice(0, 120)}`).join(' | '));
}

const pages = fs.readdirSync(folder).filter((f) => f.endsWith('.html'));
const modes = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', isMobile: true, hasTouch: true },
};
for (const [mode, options] of Object.entries(modes)) {
  const context = await browser.newContext({ ...options, locale: 'fr-FR' });
  for (const file of pages) {
    const where = `${file} (${mode})`;
    const page = await open(context, file, where);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(`${where}: no sideways scroll`, over <= 0, `${over} px`);
    await audit(page, where);
    if (shots) await page.screenshot({ path: path.join(shots, `${file}-${mode}.png`), fullPage: file !== 'print.html' });
    await page.close();
  }
  await context.close();
}

const context = await browser.newContext({ ...modes.light, locale: 'fr-FR' });
const page = await open(context, 'reseaux.html', 'search');
await page.keyboard.press('/');
await page.waitForFunction(() => window.tpIndex);
const search = async (words) => {
  await page.fill('#mots', words);
  return page.evaluate(() => [...document.querySelectorAll('#resultats a')].map((a) => a.getAttribute('href').split('#')[0]));
};
expect('search: accents and plurals do not matter',
  JSON.stringify(await search('reseau')) === JSON.stringify(await search('Réseaux')) && (await search('reseau')).includes('reseaux.html'));
expect('search: délai', (await search('délai')).includes('02-deploiement.html') && (await search('delais')).length === (await search('délai')).length);
expect('search: healthchecks', (await search('healthchecks')).includes('deploiement.html'));
expect('search: traefik', (await search('traefik')).length > 0);
expect('search: journaux', (await search('journaux')).includes('diagnostic.html') && (await search('journal')).includes('diagnostic.html'));
expect('search: nothing', (await search('xyzzy')).length === 0);
await search('temoin');
await audit(page, 'search dialog');
await page.keyboard.press('ArrowDown');
await page.keyboard.press('Enter');
await page.waitForURL(/correcteur/);

await page.goto(`${base}contexte.html`);
await page.focus('.quiz input');
await page.keyboard.press('ArrowDown');
await page.keyboard.press('Enter');
expect('quiz: wrong', (await page.textContent('.quiz-avis')).includes('Pas encore'));
await page.keyboard.press('ArrowDown');
await page.keyboard.press('Enter');
expect('quiz: right', (await page.textContent('.quiz-avis')).includes('Juste'));

await page.goto(`${base}competences.html`);
await page.check('.progres input >> nth=1');
await page.goto(`${base}02-deploiement.html`);
expect('progress is kept', await page.isChecked('.fiche input'));
await page.selectOption('#theme', 'sombre');
await page.reload();
expect('theme is kept', await page.evaluate(() => document.documentElement.dataset.theme === 'sombre'));
await page.goto(`${base}print.html`);
await page.check('#deplier');
expect('print: answers unfold', await page.evaluate(() => !document.querySelector('main details:not([open])')));
await browser.close();

for (const line of failed) console.log(`✗ ${line}`);
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
