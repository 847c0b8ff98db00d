// The page of a class and those of its students in a real browser: accessibility, console, requests, overflow,
// sorting, filtering, and everything there without a script.
//   node class.mjs FOLDER_OF_THE_RESULTS [FOLDER_FOR_SCREENSHOTS]
// Needs playwright-core and axe-core beside it, as book.mjs, and a Chromium (CHROMIUM, else the usual place).
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
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'] });
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

const name = path.basename(folder);
// The page of resemblances, when it is there.
const roots = fs.readdirSync(folder).filter((file) => file.endsWith('.html'));
const students = fs.readdirSync(path.join(folder, 'students')).map((key) => `students/${key}/index.html`)
  .filter((file) => fs.existsSync(path.join(folder, file)));
const modes = {
  light: { viewport: { width: 1400, height: 900 }, colorScheme: 'light' },
  dark: { viewport: { width: 1400, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', isMobile: true, hasTouch: true },
};
for (const [mode, options] of Object.entries(modes)) {
  const context = await browser.newContext({ ...options, locale: 'fr-FR' });
  for (const file of [...roots, ...students]) {
    const where = `${file} (${mode})`;
    const page = await open(context, file, where);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(`${where}: no sideways scroll`, over <= 0, `${over} px`);
    if (shots) await page.screenshot({ path: path.join(shots, `${name}-${file.replaceAll('/', '-')}-${mode}.png`), fullPage: true });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { preload: false, resultTypes: ['violations'] }));
    expect(`${where}: axe`, violations.length === 0, violations.map((v) => `${v.impact} ${v.id} ${v.nodes[0].html.slice(0, 120)}`).join(' | '));
    await page.close();
  }
  await context.close();
}

const context = await browser.newContext({ ...modes.light, locale: 'fr-FR' });
const page = await open(context, 'index.html', 'use');
const notes = () => page.evaluate(() => [...document.querySelectorAll('#eleves tbody tr')].filter((r) => !r.hidden)
  .map((r) => parseFloat(r.querySelector('td.count').dataset.v)));
const all = (await notes()).length;
const button = page.getByRole('button', { name: 'note', exact: true });
await button.focus();
await page.keyboard.press('Enter');
const down = (await notes()).filter((n) => n >= 0);
expect('sort: the highest first', down.every((n, i) => i === 0 || down[i - 1] >= n), down.join(' '));
expect('sort: said', (await page.locator('th[aria-sort=descending]').count()) === 1);
await page.keyboard.press('Space');
const up = await notes();
const firm = up.filter((n) => n >= 0);
expect('sort: the lowest first, who has none last', firm.every((n, i) => n === up[i] && (i === 0 || firm[i - 1] <= n)), up.join(' '));
const first = (await page.locator('#eleves tbody tr').first().locator('th').textContent()).trim();
await page.fill('#q', first.toUpperCase());
expect('filter by name, whatever the case', (await notes()).length >= 1 && (await notes()).length < all);
expect('filter: said', /sur/.test(await page.textContent('#combien')));
await page.getByRole('button', { name: 'Tout montrer' }).click();
await page.waitForFunction(() => document.getElementById('combien').textContent === '');
await page.locator('.qui').first().click();
const missed = await page.evaluate(() => [...document.querySelectorAll('#eleves tbody tr')].filter((r) => !r.hidden)
  .every((r) => r.querySelector('.cell').dataset.s === 'missed'));
expect('filter by check', missed);
await page.emulateMedia({ media: 'print' });
if (shots) await page.screenshot({ path: path.join(shots, `${name}-index.html-print.png`), fullPage: true });
const bare = await browser.newContext({ javaScriptEnabled: false });
const plain = await bare.newPage();
await plain.goto(`${base}index.html`);
expect('without script: all there', (await plain.locator('#eleves tbody tr').count()) === all && !(await plain.isVisible('#filtres')));
if (students.length > 0) {
  await plain.locator('#eleves tbody th a').first().click();
  expect('a name leads to a page', /TP/.test(await plain.title()));
}
await browser.close();
console.log(`${passed} vérifications, ${failed.length} écarts`);
for (const line of failed) console.log(`  ${line}`);
process.exit(failed.length === 0 ? 0 : 1);
