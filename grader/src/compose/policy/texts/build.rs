//! Texts about builds and Dockerfiles.

use super::{DROP, FOLDER, MACHINE, REMOTE, Text, t};

pub(super) const TEXTS: &[Text] = &[
    t(
        "build-remote",
        "{sujet} se construit depuis un dépôt distant : {valeur}",
        "hors de la machine",
        REMOTE,
        "copiez les sources dans le dossier rendu : build: ./app",
    ),
    t(
        "build-service",
        "{sujet} part de l'image d'un autre service : {valeur}",
        "image d'un autre service",
        "le correcteur construit chaque image pour elle-même",
        "deux étapes d'un même Dockerfile (FROM … AS socle) et build.target font la même chose",
    ),
    t(
        "build-outside",
        "{sujet} se construit hors du dossier rendu : {valeur}",
        "hors du dossier rendu",
        FOLDER,
        "déplacez le contexte dans le dossier rendu : build: ./app",
    ),
    t(
        "build-network",
        "{sujet} construit son image sur le réseau « {valeur} »",
        "réseau de la machine",
        "la construction ne doit pas joindre la machine",
        "retirez build.network",
    ),
    t(
        "build-ssh",
        "{sujet} transmet des clés SSH à la construction",
        "clés de la machine",
        "les clés de la machine qui corrige ne sont pas pour la pile",
        DROP,
    ),
    t(
        "build-privileged",
        "{sujet} demande des droits de construction : {valeur}",
        "droits sur la machine",
        MACHINE,
        DROP,
    ),
    t(
        "build-arg",
        "{sujet} règle le constructeur par l'argument « {valeur} »",
        "commande le constructeur",
        "ces arguments changent le constructeur lui-même",
        "retirez cet argument",
    ),
    t(
        "dockerfile-add-remote",
        "{sujet} télécharge un fichier pendant la construction : {valeur}",
        "téléchargement par le constructeur",
        "ADD va chercher cette adresse depuis la machine, et le contenu peut changer d'un jour à l'autre",
        "copiez le fichier dans le contexte, puis COPY",
    ),
    t(
        "dockerfile-add-variable",
        "{sujet} ajoute par ADD un fichier dont le nom vient d'une variable : {valeur}",
        "nom qui ne se lit pas d'avance",
        "ADD sait télécharger : ce qu'il prend doit se lire dans le Dockerfile",
        "COPY, qui ne télécharge jamais, accepte la même variable",
    ),
    t(
        "dockerfile-image",
        "{sujet} part d'une image dont le nom ne se lit pas d'avance : {valeur}",
        "nom qui ne se lit pas d'avance",
        "les images sont préparées avant la construction",
        "écrivez le nom de l'image, ou ARG NOM=valeur avant FROM et ${NOM}",
    ),
    t(
        "build-name",
        "{sujet} donne à la construction un nom ou un chemin qui se lirait autrement : {valeur}",
        "nom à double sens",
        "le constructeur y lirait un second réglage",
        "lettres, chiffres, « - », « _ » et « . » suffisent",
    ),
    t(
        "dockerfile-syntax",
        "{sujet} remplace le constructeur d'images : {valeur}",
        "programme inconnu",
        "cette ligne fait lire le Dockerfile par un programme venu d'ailleurs",
        "retirez la ligne # syntax=",
    ),
    t(
        "dockerfile-run",
        "{sujet} demande des droits pendant la construction : {valeur}",
        "droits sur la machine",
        MACHINE,
        "retirez cette option de RUN",
    ),
    t(
        "dockerfile-form",
        "{sujet} a un Dockerfile que le correcteur ne sait pas lire : {valeur}",
        "peut se lire de deux façons",
        "ce qui est lu ici doit être ce qui est construit",
        "texte UTF-8 de moins de 1 Mio, qui commence par FROM, ARG ou « # », sans « # escape » ni caractère de contrôle, et « <<FIN » pour un texte en ligne",
    ),
];
