"use strict";

const $ = (id) => document.getElementById(id);

/* Ce qui vient d'un journal est du texte, jamais du HTML. */
const cellule = (ligne, texte) => {
  const td = document.createElement("td");
  td.textContent = texte ?? "";
  ligne.append(td);
};

const demander = async (chemin) => {
  const reponse = await fetch(chemin, { headers: { Accept: "application/json" } });
  if (!reponse.ok) {
    throw new Error(`${chemin} : ${reponse.status}`);
  }
  return reponse.json();
};

const chercher = async (mots) => {
  const { lignes, recherches } = await demander(`/api/logs?q=${encodeURIComponent(mots || "*")}`);
  $("lignes").replaceChildren(
    ...lignes.map((ligne) => {
      const tr = document.createElement("tr");
      tr.dataset.niveau = ligne.level ?? "";
      cellule(tr, ligne["@timestamp"]);
      cellule(tr, ligne.level);
      cellule(tr, ligne.service);
      cellule(tr, ligne.duration_ms);
      cellule(tr, ligne.message);
      return tr;
    }),
  );
  $("bilan").textContent = `${lignes.length} lignes ; ${recherches} recherches depuis le début`;
};

const sources = async () => {
  const liste = await demander("/api/sources");
  $("sources").replaceChildren(
    ...liste.sources.map(({ nom, genre }) => {
      const li = document.createElement("li");
      li.textContent = `${nom} (${genre})`;
      return li;
    }),
  );
};

const dire = (erreur) => {
  $("bilan").textContent = `Erreur : ${erreur.message}`;
};

$("recherche").addEventListener("submit", (evenement) => {
  evenement.preventDefault();
  chercher($("mots").value).catch(dire);
});

sources().catch(dire);
chercher("").catch(dire);
