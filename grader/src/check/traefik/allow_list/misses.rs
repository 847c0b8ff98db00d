//! What `allow-list` tells a student.

use super::{AllowList, Attempt, Gate, Miss, Seen, api, is_unrouted, said, tell};
use crate::error::Fault;
use crate::event::Place;

/// Words by which an allow-list is written, in both versions.
const WORDS: &[&str] =
    &["ipwhitelist", "ipallowlist", "ipWhiteList", "ipAllowList", "sourcerange", "sourceRange"];

impl AllowList {
    pub(super) fn place(&self, gate: &Gate<'_>) -> Option<Place> {
        said::place(gate.world, &self.via, WORDS, "plages autorisées ici")
    }

    /// The lists in force, by Traefik's API, in words; errors of its log. And a hint when the lists
    /// explain what is seen.
    async fn noted(&self, gate: &Gate<'_>) -> Result<(Vec<String>, Option<&'static str>), Fault> {
        let mut noted = Vec::new();
        let mut hint = None;
        if let Ok(view) = api::view(gate, &self.dashboard).await? {
            let lists = view.allow_lists();
            for list in lists.iter().take(3) {
                let header = if list.by_header { ", d'après un en-tête (ipStrategy)" } else { "" };
                let used = if list.used_by.is_empty() { ", employée par aucun routeur" } else { "" };
                noted.push(format!(
                    "liste « {} » en vigueur : {}{header}{used}",
                    list.name,
                    list.ranges.join(", ")
                ));
            }
            if lists.is_empty() {
                noted.push("Traefik n'a aucune liste d'adresses en vigueur".to_owned());
                hint = Some(
                    "une liste d'adresses est un middleware : il faut la déclarer, puis la donner à un routeur",
                );
            } else {
                noted.push(
                    "les plages des réseaux du fichier sont déplacées pendant la correction".to_owned(),
                );
                if lists.iter().all(|l| l.used_by.is_empty()) {
                    hint = Some("déclarer un middleware ne suffit pas : quel routeur l'emploie ?");
                } else if lists.iter().any(|l| l.by_header) {
                    hint =
                        Some("avec ipStrategy, l'adresse du client est lue dans un en-tête ; qui l'écrit ?");
                }
            }
        }
        noted.extend(said::errors(gate.world, &self.via).await?);
        Ok((noted, hint))
    }

    /// The allowed network does not get the metrics.
    pub(super) async fn shut_out(&self, gate: &Gate<'_>, seen: &Seen) -> Result<Miss, Fault> {
        let answer = match seen {
            Err(failure) => {
                let told = gate.unreached(self.port, &self.host, failure).await?;
                let Miss { expected, try_it, .. } = self.base();
                return Ok(Miss { expected, try_it, ..told });
            }
            Ok(answer) => answer,
        };
        let control = gate.send(self.ask(gate, &self.alive)).await?;
        let (noted, better) = self.noted(gate).await?;
        let (headline, hint) = match answer.status {
            403 => (
                format!("{} est refusé même depuis « {} »", self.path, self.inside),
                "à quelle plage l'adresse du client appartient-elle, et laquelle la liste contient-elle ?",
            ),
            404 if is_unrouted(answer) => (
                format!("aucun routeur ne veut de {}", self.url(&self.path)),
                "un routeur qui prend ce chemin, avec TLS, doit exister",
            ),
            200 => (
                format!("{} ne rend pas les métriques de l'API", self.url(&self.path)),
                "la réponse est-elle bien celle de l'API ?",
            ),
            _ => (
                format!("{} ne répond pas depuis « {} »", self.url(&self.path), self.inside),
                "comparez avec un autre chemin du même hôte",
            ),
        };
        Ok(Miss {
            headline,
            observed: format!(
                "depuis « {} » : {} {}",
                self.inside,
                answer.status,
                tell::cut(&answer.body, 80)
            ),
            control: match control {
                Ok(answer) => format!("du même endroit, GET {} : {}", self.alive, answer.status),
                Err(failure) => format!("du même endroit, GET {} : {}", self.alive, tell::why(&failure)),
            },
            noted,
            place: self.place(gate),
            hint: better.filter(|_| answer.status == 403).unwrap_or(hint).to_owned(),
            ..self.base()
        })
    }

    /// The page of metrics never moves.
    pub(super) fn canned(&self, sent: u64) -> Miss {
        Miss {
            headline: format!("les métriques de {} sont figées", self.url(&self.path)),
            observed: format!("la même page avant et après {sent} requêtes"),
            hint: "la réponse est-elle bien celle de l'API, au moment où elle est demandée ?".to_owned(),
            ..self.base()
        }
    }

    /// The path that must be open to everybody is not.
    pub(super) async fn not_alive(&self, gate: &Gate<'_>, seen: &Seen) -> Result<Miss, Fault> {
        let (observed, closed) = match seen {
            Err(failure) => (tell::why(failure), false),
            Ok(answer) => (answer.status.to_string(), answer.status == 403),
        };
        Ok(Miss {
            headline: if closed {
                format!("la liste ferme tout le site : {} est refusé aussi", self.alive)
            } else {
                format!("depuis « {} », même {} ne répond pas", self.outside, self.alive)
            },
            observed: format!("depuis « {} », GET {} : {observed}", self.outside, self.url(&self.alive)),
            noted: self.noted(gate).await?.0,
            place: self.place(gate),
            hint: if closed {
                "un middleware vaut pour tout ce que son routeur prend".to_owned()
            } else {
                "un refus ne prouve rien tant que le reste ne répond pas".to_owned()
            },
            ..self.base()
        })
    }

    /// Somebody outside read the metrics.
    pub(super) async fn leak(&self, gate: &Gate<'_>, leak: &Attempt) -> Result<Miss, Fault> {
        let (mut noted, better) = self.noted(gate).await?;
        if leak.from_host {
            noted.insert(
                0,
                format!("la machine entre par la passerelle d'un réseau : {}", gateways(gate).await?),
            );
        }
        let (headline, hint) = match leak.key.as_str() {
            "outside" => (
                format!("{} est ouvert à tous", self.path),
                "derrière la traduction d'adresses de Docker, tout le monde a une adresse privée : quelle plage veut-on vraiment ?",
            ),
            "forged" => (
                format!("{} s'ouvre à qui prétend venir de « {} »", self.path, self.inside),
                "un en-tête se fabrique ; d'où Traefik tient-il l'adresse du client ?",
            ),
            "clear" => (
                format!("{} est servi en clair, sans contrôle", self.path),
                "un routeur en clair n'a que les middlewares qu'on lui donne",
            ),
            "host" => (
                format!("{} est ouvert à la machine", self.path),
                "par quelle passerelle la machine entre-t-elle, et la plage la contient-elle ?",
            ),
            _ => (
                format!("{} reste lisible sous une autre écriture", self.path),
                "la règle compare le chemin à la lettre ; l'application, elle, en accepte d'autres formes",
            ),
        };
        Ok(Miss {
            headline,
            observed: format!("{} : {}", leak.what, leak.told()),
            control: format!("du même réseau, GET {} répond : le service va bien", self.alive),
            noted,
            place: self.place(gate),
            hint: better
                .filter(|_| matches!(leak.key.as_str(), "outside" | "forged"))
                .unwrap_or(hint)
                .to_owned(),
            ..self.base()
        })
    }

    /// Not served, but not refused as the statement says.
    pub(super) async fn not_403(&self, gate: &Gate<'_>, odd: &Attempt) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: format!("hors de « {} », {} n'est pas refusé par 403", self.inside, self.path),
            observed: format!("{} : {}", odd.what, odd.told()),
            control: format!("du même réseau, GET {} répond : le service va bien", self.alive),
            noted: self.noted(gate).await?.0,
            place: self.place(gate),
            hint: "une liste d'adresses répond 403 ; un autre code vient d'ailleurs".to_owned(),
            ..self.base()
        })
    }
}

/// « frontend » 10.0.0.1, « supervision » 10.0.1.1.
async fn gateways(gate: &Gate<'_>) -> Result<String, Fault> {
    let found = super::kit::running(gate.world, &gate.service).await?;
    let all: Vec<String> = found
        .iter()
        .flat_map(|i| &i.attachments)
        .filter_map(|a| Some(format!("« {} » {}", a.network, a.gateway?)))
        .collect();
    Ok(all.join(", "))
}
