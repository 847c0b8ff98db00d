/* The panel in a lab's page: choose a folder, check it, see the verdicts come. */

import { ask, follow } from './api.js';
import { el, say, visible } from './dom.js';
import { RunView } from './run.js';
import { Shells } from './shells.js';

const lab = document.querySelector('script[data-tp]').dataset.tp;
const base = `labs/${lab}`;
let read = new Map();
let run = null;

const choice = el('select', { id: 'tp-dossier' });
const start = el('button', { type: 'button', class: 'tp-principal', on: { click: () => begin() } }, 'Vérifier');
const stop = el('button', { type: 'button', hidden: true, on: { click: () => cancel() } }, 'Arrêter');
const word = el('p', { class: 'tp-alerte', role: 'alert' });
const view = new RunView((card) => hints(card));
const shells = new Shells(() => choice.value);
const panel = el('section', { id: 'verifier', class: 'tp', 'aria-labelledby': 'verifier-titre' },
  el('h2', { id: 'verifier-titre' }, 'Vérifier mon travail'),
  el('div', { class: 'tp-commande' }, el('label', { for: 'tp-dossier' }, 'Dossier'), choice, start, stop),
  word, view.root, shells.root);

// The book turns pages with the arrows: not from in here.
panel.addEventListener('keydown', (e) => { if (e.key.startsWith('Arrow')) e.stopPropagation(); });
choice.addEventListener('change', () => { if (shells.root.open) shells.look(); });

function trouble(error) {
  word.textContent = error ? say(`${error.message}${error.todo ? ` : ${error.todo}` : ''}`) : '';
}

function busy(yes) {
  const had = document.activeElement;
  start.hidden = yes;
  stop.hidden = !yes;
  choice.disabled = yes;
  // The focus follows the button that takes the other's place.
  if (yes && had === start) stop.focus();
  if (!yes && had === stop) start.focus();
}

function watch(id, isOver = false) {
  run = id;
  busy(!isOver);
  view.begin(isOver);
  const end = () => { run = null; busy(false); };
  follow(id, {
    event: (event) => view.event(event),
    report: (report) => { view.end(report); end(); },
    lost: (error) => { view.lost(error); trouble(error); end(); },
  });
}

let asking = false;
async function begin() {
  // Not by disabling the button: it would lose the focus.
  if (asking) return;
  asking = true;
  trouble(null);
  try {
    watch((await ask('POST', 'runs', { lab, dir: choice.value })).id);
  } catch (error) {
    trouble(error);
  }
  asking = false;
}

async function cancel() {
  try {
    await ask('DELETE', `runs/${run}`);
  } catch (error) {
    trouble(error);
  }
}

/** The hints of a missed check, one level at a time; each one read is noted, as by « grader hint ». */
function hints(card) {
  const of = read.get(card.id);
  const [page, anchor] = card.course.split('#');
  const course = anchor ? el('a', { href: location.pathname.includes(page) ? `#${anchor}` : `/${page}.html#${anchor}` }, 'Le cours sur ce point') : '';
  if (!of || of.hints === 0) return [el('p', { class: 'tp-suite' }, course)];
  const told = el('ol', { class: 'tp-indices', 'aria-live': 'polite' });
  let level = 0;
  const more = el('button', { type: 'button' });
  const label = () => {
    more.textContent = say(`Indice ${level + 1} sur ${of.hints}`) + (level + 1 > of.read ? '' : ' (déjà lu)');
    more.hidden = level >= of.hints;
  };
  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      const hint = await ask('POST', 'hints', { lab, dir: choice.value, check: card.id, level: level + 1 });
      level = hint.level;
      of.read = Math.max(of.read, level);
      told.append(el('li', {}, say(hint.text)));
      label();
    } catch (error) {
      trouble(error);
    }
    more.disabled = false;
  });
  label();
  return [told, el('p', { class: 'tp-suite' }, more, ' ', course)];
}

async function prepare() {
  const known = await ask('GET', base);
  read = new Map(known.checks.map((c) => [c.id, c]));
  choice.replaceChildren(...known.folders.map((f) => el('option', { value: f.dir, selected: f.dir === (known.run?.dir ?? known.chosen) }, visible(f.name))));
  if (known.folders.length === 0) {
    start.disabled = choice.disabled = true;
    trouble({ message: `aucun projet Compose dans ${known.root}`, todo: `commencez par « grader init ${lab} », puis rechargez la page` });
  }
  if (known.run) watch(known.run.id, known.run.over);
}

(document.querySelector('.fiche') ?? document.querySelector('main > h1')).after(panel);
prepare().catch((error) => { start.disabled = true; trouble(error); });
