'use strict';
(() => {
  const by = (id) => document.getElementById(id);
  const words = new Intl.Collator('fr', { numeric: true, sensitivity: 'base' });
  const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  const value = (cell) => (cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v);
  for (const table of document.querySelectorAll('table')) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...(head.querySelector('span') ?? head).childNodes);
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const number = head.dataset.sort === 'number';
        // Numbers: the highest first, as one looks for them.
        const now = head.getAttribute('aria-sort');
        const order = now === null ? (number ? 'descending' : 'ascending') : (now === 'ascending' ? 'descending' : 'ascending');
        heads.forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', order);
        const turn = order === 'ascending' ? 1 : -1;
        const key = (row) => value(row.cells[at]);
        const compare = (a, b) => {
          if (!number) return turn * words.compare(a, b);
          const [x, y] = [parseFloat(a), parseFloat(b)];
          // What has no number (-1) comes last in both orders.
          return (x < 0) - (y < 0) || turn * (x - y);
        };
        const rows = [...body.rows].sort((a, b) => compare(key(a), key(b)));
        body.append(...rows);
      });
    });
  }
  const form = by('filtres');
  const all = [...by('eleves').tBodies[0].rows];
  const show = () => {
    const [q, c, s, e] = ['q', 'c', 's', 'e'].map((id) => by(id).value);
    const asked = fold(q.trim()).split(/\s+/);
    let seen = 0;
    for (const row of all) {
      const cells = [...row.querySelectorAll('.cell')];
      const text = fold([...row.cells].filter((cell) => !cell.classList.contains('cell')).map((cell) => cell.textContent).join(' '));
      const there = (c === '' ? cells : [cells[c]]).some((cell) => s === '' || cell.dataset.s === s);
      const shown = asked.every((word) => text.includes(word)) && there && (e === '' || row.dataset.fate === e);
      row.hidden = !shown;
      seen += shown ? 1 : 0;
    }
    by('combien').textContent = seen === all.length ? '' : `${seen} sur ${all.length}`;
  };
  form.hidden = false;
  form.addEventListener('input', show);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(show));
  for (const button of document.querySelectorAll('.qui')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      form.reset();
      by('c').value = button.dataset.check;
      by('s').value = 'missed';
      show();
      by('t-eleves').scrollIntoView();
      by('c').focus({ preventScroll: true });
    });
  }
})();
