/* One run as it is shown: its checks, its state, its end. */

import { count, duration, el, say } from './dom.js';
import { check, fault, inventory, kind, note, problem, refusal, spoken, took } from './verdict.js';
import { matrix } from './reach.js';

/** Pause in which verdicts are gathered before they are spoken, milliseconds. */
const BREATH = 1200;

export class RunView {
  /** `hints(card)` gives what follows a missed check. */
  constructor(hints) {
    this.hints = hints;
    this.bar = el('progress', { class: 'tp-barre', 'aria-label': 'Contrôles jugés', max: '1', value: '0' });
    this.state = el('p', { class: 'tp-etat' });
    this.voice = el('p', { class: 'cache', role: 'status', 'aria-live': 'polite' });
    this.summary = el('div', { class: 'tp-bilan' });
    this.list = el('div', { class: 'tp-controles' });
    this.reach = el('div', { class: 'tp-reseaux' });
    this.root = el('div', { class: 'tp-correction', hidden: true }, this.state, this.bar, this.voice, this.summary, this.list, this.reach);
  }

  /** Before the first event. `quiet`: a run that was over before the page came is not read aloud. */
  begin(quiet = false) {
    this.quiet = quiet;
    this.cards = new Map();
    this.verdicts = new Map();
    this.steps = new Map();
    this.started = performance.now();
    this.over = false;
    this.where = '';
    for (const part of [this.summary, this.list, this.reach, this.voice]) part.replaceChildren();
    this.bar.hidden = false;
    this.bar.removeAttribute('value');
    this.root.hidden = false;
    this.speak('correction commencée');
    clearInterval(this.clock);
    this.clock = setInterval(() => this.tell(), 1000);
    this.tell();
  }

  speak(text) {
    if (this.quiet) return;
    this.queue = [...(this.queue ?? []), text];
    clearTimeout(this.soon);
    this.soon = setTimeout(() => {
      this.voice.textContent = this.queue.join('. ');
      this.queue = [];
    }, BREATH);
  }

  tell() {
    if (this.over) return;
    const doing = [...this.steps.values()].at(-1) ?? 'préparation';
    const judged = this.cards.size ? ` · ${this.verdicts.size} sur ${this.cards.size}` : '';
    this.state.textContent = say(`En cours depuis ${duration(performance.now() - this.started).replace(/,\d/, '')} : ${doing}${judged}`);
  }

  event(event) {
    const [name, value] = Object.entries(event)[0];
    switch (name) {
      case 'run-started': this.open(value); break;
      case 'step':
        if (value.state === 'started') this.steps.set(value.name, value.text); else this.steps.delete(value.name);
        break;
      case 'checked': this.judge(value); break;
      case 'reach': this.reach.replaceChildren(el('h3', {}, 'Qui joint qui'), matrix(value)); break;
      case 'notice': this.list.before(el('p', { class: 'tp-remarque' }, say(`remarque : ${value.text}`))); break;
      case 'refused': this.list.prepend(...value.map(refusal)); break;
      case 'invalid': this.list.prepend(...value.map(problem)); break;
      case 'faulted': this.list.prepend(fault(value)); break;
      default: break;
    }
    this.tell();
  }

  open(start) {
    this.where = start.submission;
    // The clock counts from the true beginning, also for a page that comes later.
    this.started = performance.now() - Math.max(0, Date.now() - Date.parse(start.at));
    for (const old of this.root.querySelectorAll('.tp-remarque')) old.remove();
    let section = null;
    let items = null;
    for (const card of start.checks) {
      if (card.section !== section) {
        section = card.section;
        items = el('ol', { class: 'tp-liste' });
        this.list.append(el('section', { class: 'tp-section' }, el('h3', {}, say(section)), items));
      }
      const item = check(card, null);
      this.cards.set(card.id, { card, item });
      items.append(item);
    }
    this.bar.max = Math.max(1, start.checks.length);
    this.bar.value = 0;
  }

  judge({ id, verdict }) {
    const known = this.cards.get(id);
    if (!known) return;
    const more = kind(verdict) === 'fail' ? this.hints(known.card) : [];
    const item = check(known.card, verdict, more);
    known.item.replaceWith(item);
    known.item = item;
    this.verdicts.set(id, verdict);
    this.bar.value = this.verdicts.size;
    this.speak(spoken(known.card, verdict));
  }

  /** The run is over, clean-up included. */
  end(report) {
    this.over = true;
    clearInterval(this.clock);
    this.bar.hidden = true;
    const missed = [...this.cards.values()].filter(({ item }) => item.dataset.etat === 'fail');
    const said = [];
    if (report?.score) {
      said.push(el('p', { class: `tp-note ${report.score.missed > 0 ? 'tp-manque' : 'tp-acquis'}` }, note(report.score)));
      const first = missed[0]?.item;
      if (first) {
        first.id = 'tp-premier';
        said.push(el('p', {}, el('a', { href: '#tp-premier' }, say(`${count(missed.length, 'contrôle manqué', 'contrôles manqués')} : voir le premier`))));
      }
    } else {
      said.push(el('p', { class: 'tp-note tp-doute' }, 'Pas de note.'));
    }
    if (report?.['late-fault']) said.push(el('p', {}, say(`incident : ${report['late-fault'].what}, une fois tout vérifié ; la note n'en dépend pas`)));
    const offline = (report?.images ?? []).filter((i) => i.offline).length;
    const rest = [report?.inventory ? inventory(report.inventory) : '', offline ? say(`${count(offline, 'image', 'images')} hors ligne`) : ''];
    said.push(el('p', { class: 'tp-menage' }, rest.filter(Boolean).join(' · ')));
    this.summary.replaceChildren(...said);
    const time = report ? took(report) : '';
    this.state.textContent = say(`Terminé${time ? ` en ${time}` : ''}${this.where ? ` · ${this.where}` : ''}`);
    // What was never begun is told once, not check by check.
    if (this.verdicts.size === 0) for (const unseen of this.list.querySelectorAll('.tp-section')) unseen.remove();
    for (const { item } of this.cards.values()) {
      if (item.dataset.etat === 'waiting') item.querySelector('.tp-mot').firstChild.textContent = 'non noté';
    }
    this.speak(report?.score ? note(report.score) : 'terminé, pas de note');
  }

  /** The stream is gone for good. */
  lost(trouble) {
    this.over = true;
    clearInterval(this.clock);
    this.bar.hidden = true;
    this.state.textContent = say(`${trouble.message} : ${trouble.todo}`);
    this.speak(trouble.message);
  }
}
