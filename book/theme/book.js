'use strict';

/* The book's behaviour. Nothing is sent anywhere: what is kept (theme, boxes ticked) is in this browser. */

(() => {
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) {
      try { if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, value); } catch { /* not kept */ }
    },
  };

  // --- Theme -------------------------------------------------------------------
  const theme = $('#theme');
  theme.value = store.get('tp-theme') ?? '';
  theme.addEventListener('change', () => {
    if (theme.value) root.dataset.theme = theme.value; else delete root.dataset.theme;
    store.set('tp-theme', theme.value || null);
  });

  // --- Contents on a narrow screen ---------------------------------------------
  const menu = $('#menu');
  const nav = $('#sommaire');
  const showMenu = (yes) => {
    root.classList.toggle('menu-ouvert', yes);
    menu.setAttribute('aria-expanded', String(yes));
  };
  menu.addEventListener('click', () => showMenu(!root.classList.contains('menu-ouvert')));
  nav.addEventListener('click', (e) => { if (e.target.closest('a')) showMenu(false); });
  document.addEventListener('click', (e) => {
    if (root.classList.contains('menu-ouvert') && !nav.contains(e.target) && !menu.contains(e.target)) showMenu(false);
  });
  const current = $('#sommaire a[aria-current]');
  if (current) nav.scrollTop = Math.max(0, current.offsetTop - nav.clientHeight / 3);

  // --- Code ---------------------------------------------------------------------
  window.hljs.registerLanguage('dockerfile', (h) => ({
    case_insensitive: true,
    keywords: 'from as run cmd entrypoint copy add env arg expose volume user workdir label healthcheck shell stopsignal onbuild none',
    contains: [h.HASH_COMMENT_MODE, h.APOS_STRING_MODE, h.QUOTE_STRING_MODE, h.NUMBER_MODE],
  }));
  window.hljs.registerLanguage('promql', (h) => ({
    keywords: 'by without on ignoring group_left group_right and or unless bool offset sum avg min max count rate irate increase histogram_quantile topk absent',
    contains: [h.HASH_COMMENT_MODE, h.QUOTE_STRING_MODE, { className: 'number', begin: '\\b\\d+(\\.\\d+)?(ms|s|m|h|d)?\\b' }],
  }));
  for (const code of all('pre > code')) {
    const language = /language-(\w+)/.exec(code.className)?.[1];
    if (language && language !== 'text' && language !== 'console' && window.hljs.getLanguage(language)) window.hljs.highlightBlock(code);
    const copy = document.createElement('button');
    copy.type = 'button';
    copy.className = 'copier';
    copy.textContent = 'Copier';
    copy.addEventListener('click', async () => {
      const text = language === 'console'
        ? code.textContent.split('\n').filter((l) => l.startsWith('$ ')).map((l) => l.slice(2)).join('\n')
        : code.textContent;
      try {
        await navigator.clipboard.writeText(text.replace(/\n$/, ''));
        copy.textContent = 'Copié';
      } catch {
        // Without permission: the text is selected, the reader copies it.
        getSelection().selectAllChildren(code);
        copy.textContent = 'Sélectionné';
      }
      setTimeout(() => { copy.textContent = 'Copier'; }, 2000);
    });
    code.parentElement.append(copy);
  }

  // What scrolls can be reached by the keyboard.
  const reachable = () => {
    for (const box of all('pre > code, .table-wrapper')) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; else box.removeAttribute('tabindex');
      if (box.tabIndex === 0 && !box.hasAttribute('role')) {
        box.setAttribute('role', 'group');
        box.setAttribute('aria-label', box.tagName === 'CODE' ? 'Code' : 'Tableau');
      }
    }
  };
  reachable();
  addEventListener('resize', reachable);

  // --- Quizzes ------------------------------------------------------------------
  for (const quiz of all('.quiz')) {
    const button = $('.quiz-verifier', quiz);
    const verdict = $('.quiz-avis', quiz);
    const choices = all('.quiz-choix', quiz);
    button.hidden = false;
    const forget = () => {
      verdict.textContent = '';
      for (const choice of choices) {
        choice.classList.remove('bon', 'mauvais');
        $('.quiz-retour', choice).hidden = true;
      }
    };
    quiz.addEventListener('change', forget);
    quiz.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && e.target.matches('input')) { e.preventDefault(); button.click(); }
    });
    button.addEventListener('click', () => {
      forget();
      const state = choices.map((c) => { const i = $('input', c); return { choice: c, ticked: i.checked, right: i.dataset.juste === 'oui' }; });
      if (!state.some((s) => s.ticked)) { verdict.textContent = 'Choisissez d’abord une réponse.'; return; }
      for (const { choice, ticked, right } of state) {
        if (!ticked) continue;
        choice.classList.add(right ? 'bon' : 'mauvais');
        $('.quiz-retour', choice).hidden = false;
      }
      const wrong = state.some((s) => s.ticked && !s.right);
      const missing = state.some((s) => !s.ticked && s.right);
      verdict.textContent = !wrong && !missing ? '✓ Juste' : wrong ? '✗ Pas encore' : 'Il en manque';
    });
  }

  // --- What is ticked ------------------------------------------------------------
  let ticked = {};
  try { ticked = JSON.parse(store.get('tp-suivi') ?? '{}') ?? {}; } catch { /* written by something else */ }
  const labLinks = new Map();
  for (const link of all('#sommaire a')) {
    const id = /^TP\s(\d+) /.exec(link.textContent)?.[1];
    if (id) labLinks.set(id, link);
  }
  const showTicks = () => {
    for (const box of all('.suivi')) box.checked = Boolean(ticked[box.dataset.suivi]);
    for (const [id, link] of labLinks) {
      const done = Boolean(ticked[`tp-${id}`]);
      link.classList.toggle('fait', done);
      if (done) link.title = 'terminé'; else link.removeAttribute('title');
    }
    for (const count of all('.progres-compte')) {
      count.textContent = Object.keys(ticked).filter((k) => k.startsWith(`c-${count.dataset.tp}-`)).length;
    }
    const total = $('.progres-bilan');
    if (total) {
      const done = all('.progres .suivi').filter((b) => b.checked).length;
      total.textContent = `${done} TP terminé${done > 1 ? 's' : ''} sur ${all('.progres .suivi').length}`;
    }
  };
  document.addEventListener('change', (e) => {
    if (!e.target.matches('.suivi')) return;
    if (e.target.checked) ticked[e.target.dataset.suivi] = true; else delete ticked[e.target.dataset.suivi];
    store.set('tp-suivi', JSON.stringify(ticked));
    showTicks();
  });
  const tools = $('.progres-outils');
  if (tools) {
    tools.hidden = false;
    $('.progres-effacer').addEventListener('click', () => { ticked = {}; store.set('tp-suivi', null); showTicks(); });
  }
  showTicks();

  // --- Search --------------------------------------------------------------------
  // Words are compared without accents, ligatures, capitals and the marks of the plural.
  const fold = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/œ/g, 'oe').replace(/æ/g, 'ae').replace(/[’ʼ]/g, "'");
  const singular = (word) => word.length > 3 ? word.replace(/(?<=eau|eu|ou)x$/, '').replace(/(?<!e)aux$/, 'al').replace(/s$/, '') : word;
  const forms = (word) => {
    const w = fold(word);
    return [...new Set([w, singular(w)])].filter(Boolean);
  };
  const words = (text) => fold(text).split(/[^a-z0-9_.'-]+/).flatMap((w) => w.includes("'") ? w.split("'") : [w]).filter(Boolean);
  let index = null;
  const load = () => new Promise((done) => {
    if (index) { done(); return; }
    const script = document.createElement('script');
    script.src = `${window.tpRacine}recherche-index.js`;
    script.onload = () => {
      index = window.tpIndex.map((s) => ({ ...s, tt: words(s.t), cc: words(s.c), xx: words(s.x) }));
      done();
    };
    document.head.append(script);
  });
  const hit = (list, wanted) => {
    let best = 0;
    for (const word of list) {
      for (const form of wanted) {
        if (word === form || singular(word) === form) return 3;
        if (form.length > 2 && word.startsWith(form)) best = Math.max(best, 2);
        else if (form.length > 3 && best === 0 && word.includes(form)) best = 1;
      }
    }
    return best;
  };
  const search = (query) => {
    const wanted = words(query).map(forms);
    if (wanted.length === 0) return [];
    const found = [];
    for (const section of index) {
      let score = 0;
      // The title of the page helps a section, and does not find it.
      let own = false;
      const every = wanted.every((forms_) => {
        const here = hit(section.tt, forms_) * 10 + hit(section.xx, forms_);
        const points = here + hit(section.cc, forms_) * 4;
        own ||= here > 0;
        score += points;
        return points > 0;
      });
      if (every && own) {
        const often = wanted.reduce((n, f) => n + section.xx.filter((w) => f.some((form) => w.startsWith(form) || singular(w) === form)).length, 0);
        found.push({ section, score: score + Math.min(often, 12) / 4 });
      }
    }
    found.sort((a, b) => b.score - a.score);
    // A page that speaks of nothing else does not hide the others: three of its sections, then the rest.
    const seen = new Map();
    for (const one of found) {
      const page = one.section.u.split('#')[0];
      one.rank = seen.get(page) ?? 0;
      seen.set(page, one.rank + 1);
    }
    const [first, rest] = [found.filter((f) => f.rank < 3), found.filter((f) => f.rank >= 3)];
    return [...first, ...rest].slice(0, 25).map((f) => f.section);
  };
  // The piece of text around the first word found, words found marked.
  const teaser = (text, query) => {
    const wanted = words(query).flatMap(forms);
    const pieces = text.split(/(\s+)/);
    const is = (piece) => words(piece).some((w) => wanted.some((f) => w === f || (f.length > 2 && w.startsWith(f)) || singular(w) === f));
    const at = Math.max(0, pieces.findIndex(is));
    const from = Math.max(0, at - 16);
    const span = document.createElement('span');
    span.className = 'resultat-texte';
    if (from > 0) span.append('… ');
    for (const piece of pieces.slice(from, from + 56)) {
      if (piece.trim() && is(piece)) { const m = document.createElement('mark'); m.textContent = piece; span.append(m); } else span.append(piece);
    }
    if (from + 56 < pieces.length) span.append(' …');
    return span;
  };
  const dialog = $('#recherche');
  const input = $('#mots');
  const list = $('#resultats');
  const summary = $('#bilan');
  const show = () => {
    const query = input.value.trim();
    list.replaceChildren();
    if (!query) { summary.textContent = 'Accents et pluriels sont facultatifs.'; return; }
    const found = search(query);
    summary.textContent = found.length === 0 ? 'Rien de trouvé.' : `${found.length} passage${found.length > 1 ? 's' : ''}${found.length === 25 ? ' (les premiers)' : ''}`;
    for (const section of found) {
      const link = document.createElement('a');
      link.href = window.tpRacine + section.u;
      const title = document.createElement('span');
      title.className = 'resultat-titre';
      title.textContent = section.t || section.c;
      const place = document.createElement('span');
      place.className = 'resultat-lieu';
      place.textContent = section.c === section.t ? '' : ` · ${section.c}`;
      link.append(title, place, teaser(section.x, query));
      const item = document.createElement('li');
      item.append(link);
      list.append(item);
    }
  };
  const openSearch = async () => {
    if (!dialog.open) dialog.showModal();
    input.select();
    await load();
    show();
  };
  $('#chercher').addEventListener('click', openSearch);
  input.addEventListener('input', () => { if (index) show(); });
  $('form', dialog).addEventListener('submit', (e) => {
    if (e.submitter) return;
    e.preventDefault();
    $('a', list)?.click();
  });
  dialog.addEventListener('click', (e) => {
    const link = e.target.closest('a');
    if (e.target === dialog || link) dialog.close();
  });
  dialog.addEventListener('keydown', (e) => {
    // Enter in the field opens the first result; the button of the form only closes.
    if (e.key === 'Enter' && e.target === input) { e.preventDefault(); $('a', list)?.click(); return; }
    if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
    const links = all('a', list);
    if (links.length === 0) return;
    e.preventDefault();
    const at = links.indexOf(document.activeElement) + (e.key === 'ArrowDown' ? 1 : -1);
    if (at < 0) input.focus(); else links[Math.min(at, links.length - 1)].focus();
  });

  // --- Keys ------------------------------------------------------------------------
  document.addEventListener('keydown', (e) => {
    if (e.altKey || e.ctrlKey || e.metaKey || dialog.open) return;
    if (e.target.closest('input, select, textarea, [tabindex="0"]')) return;
    if (e.key === '/' || e.key === 's') { e.preventDefault(); openSearch(); }
    if (e.key === 'Escape') showMenu(false);
    if (e.key === 'ArrowLeft') $('.suite a[rel="prev"]')?.click();
    if (e.key === 'ArrowRight') $('.suite a[rel="next"]')?.click();
  });

  // --- Print page ------------------------------------------------------------------
  $('#imprimer')?.addEventListener('click', () => window.print());
  $('#deplier')?.addEventListener('change', (e) => {
    for (const details of all('main details')) details.open = e.target.checked;
  });
})();
