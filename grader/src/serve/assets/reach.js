/* Who reaches whom: a table that is a drawing, and reads as a sentence by cell. */

import { el, say, visible } from './dom.js';

function cell(value) {
  if (value === 'itself') return ['·', '', 'soi-même', 'tp-soi'];
  if (value?.reached) return ['✓', visible(value.reached.network), 'joint par le réseau', 'tp-joint'];
  if (value === 'apart') return ['–', 'séparés', '', 'tp-separes'];
  if (value === 'closed') return ['○', 'fermé', '', 'tp-ferme'];
  return ['?', 'non vu', '', 'tp-nonvu'];
}

const LEGEND = [
  ['tp-joint', '✓ joint, par ce réseau'],
  ['tp-separes', '– aucun réseau commun'],
  ['tp-ferme', '○ réseau commun, mais rien n’écoute sur ce port'],
  ['tp-nonvu', '? n’a pas pu être observé'],
];

/** The matrix. */
export function matrix(reach) {
  const there = new Set();
  const head = el('tr', {}, el('th', { scope: 'col' }, 'depuis'),
    ...reach.to.map((t) => el('th', { scope: 'col' }, `→ ${visible(t.service)}:${t.port}`)));
  const rows = reach.from.map((from, i) => el('tr', {}, el('th', { scope: 'row' }, visible(from)),
    ...reach.to.map((_, j) => {
      const [sign, word, before, style] = cell(reach.cells[i]?.[j]);
      there.add(style);
      return el('td', { class: style }, el('span', { 'aria-hidden': 'true' }, sign, ' '),
        before ? el('span', { class: 'cache' }, `${before} `) : '', word);
    })));
  const legend = LEGEND.filter(([style]) => there.has(style)).map(([, text]) => text).join(' · ');
  return el('div', {},
    el('div', { class: 'tp-defile', tabindex: '0', role: 'group', 'aria-label': 'Qui joint qui' },
      el('table', { class: 'tp-matrice' }, el('caption', { class: 'cache' }, 'Qui joint qui : depuis le service de la ligne, vers le port de la colonne'),
        el('thead', {}, head), el('tbody', {}, ...rows))),
    el('p', { class: 'tp-legende' }, say(legend)));
}
