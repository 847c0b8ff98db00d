/* Terminals into the student's own running containers. */

import { ask } from './api.js';
import { el, say, visible } from './dom.js';

export class Shells {
  /** `folder()` is the folder chosen in the panel. */
  constructor(folder) {
    this.folder = folder;
    this.choice = el('select', { id: 'tp-conteneur' });
    this.openButton = el('button', { type: 'button', on: { click: () => this.open() } }, 'Ouvrir un terminal');
    this.refresh = el('button', { type: 'button', on: { click: () => this.look() } }, 'Actualiser');
    this.word = el('p', { class: 'tp-etat', role: 'status' });
    this.frame = el('div', { class: 'tp-cadre' });
    this.row = el('div', { class: 'tp-commande' }, el('label', { for: 'tp-conteneur' }, 'Conteneur'), this.choice, this.openButton, this.refresh);
    this.root = el('details', { class: 'tp-terminaux', on: { toggle: () => { if (this.root.open) this.look(); } } },
      el('summary', {}, 'Terminal dans mes conteneurs'), this.row, this.word, this.frame);
  }

  async look() {
    try {
      const all = await ask('GET', 'containers');
      const here = all.filter((c) => c.dir === this.folder());
      const kept = this.choice.value;
      this.choice.replaceChildren(...here.map((c) => el('option', { value: c.id, selected: c.id === kept }, visible(`${c.service} (${c.name})`))));
      this.choice.disabled = this.openButton.disabled = here.length === 0;
      this.word.textContent = here.length > 0 ? ''
        : say('Aucun conteneur de ce dossier ne tourne. Dans ce dossier : docker compose up -d, puis « Actualiser ».');
    } catch (trouble) {
      this.choice.disabled = this.openButton.disabled = true;
      this.word.textContent = say(`${trouble.message} : ${trouble.todo}`);
    }
  }

  open() {
    const id = this.choice.value;
    if (!id) return;
    const name = this.choice.selectedOptions[0].textContent;
    const close = el('button', { type: 'button', class: 'tp-fermer', on: { click: () => { this.frame.replaceChildren(); this.openButton.focus(); } } }, 'Fermer le terminal');
    // A page of its own: its library writes styles that the policy of this one forbids.
    const inside = el('iframe', { src: `/_grader/terminal.html#${encodeURIComponent(id)}`, title: `Terminal : ${name}` });
    this.frame.replaceChildren(
      el('p', { class: 'tp-aide' }, say('Maj+Échap rend le clavier à la page.')), inside, close);
    inside.addEventListener('load', () => inside.focus());
    removeEventListener('message', this.leave);
    this.leave = (event) => { if (event.source === inside.contentWindow && event.origin === location.origin && event.data === 'leave') close.focus(); };
    addEventListener('message', this.leave);
  }
}
