//! Why a dashboard does not show what is asked.

use super::fetch::Board;
use super::live::{Dead, Why};
use super::promtool::Values;
use super::said::{Complaints, Sieve};
use super::values::{self, Match, Way, compare, only_known};
use super::{Candidate, Panels, Want, candidates};
use crate::check::grafana::Trouble;
use crate::check::grafana::dashboard::Source;
use crate::check::prom::told;
use crate::check::{Cx, tell};
use crate::event::{Miss, Place};

/// What is known of a query that is not what is wanted; the greater, the more is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It reads the right metric, and gives something else.
    Other,
    /// It gives nothing in virtual time.
    Nothing,
    /// It cannot be evaluated.
    Refused,
    /// It forgets what is new.
    Known,
    /// It leaves out what it must count.
    Usual,
    /// It is right but for a factor.
    Scaled,
    /// It is a well-known wrong way.
    Near,
    /// It is right, among others in its panel.
    Crowded,
}

/// A factor between two values, as a sentence.
fn scaled(by: f64) -> String {
    let near = |x: f64| (by / x - 1.0).abs() < 0.01;
    if near(60.0) {
        "les valeurs sont 60 fois trop grandes : par minute, et non par seconde".to_owned()
    } else if near(3600.0) {
        "les valeurs sont 3 600 fois trop grandes : par heure, et non par seconde".to_owned()
    } else if near(1000.0) {
        "les valeurs sont 1 000 fois trop grandes : des millisecondes, sans que l'unité du panneau le dise"
            .to_owned()
    } else if by > 1.0 {
        format!("les valeurs sont {} fois trop grandes", values::french(by))
    } else {
        format!("les valeurs sont {} fois trop petites", values::french(1.0 / by))
    }
}

/// Where dashboards usually are.
const FOLDERS: &[&str] =
    &["grafana/provisioning/dashboards", "grafana/dashboards", "grafana/provisioning/dashboards/json"];

/// Adds what Grafana said when it read the files: a dashboard that it could not read is missing
/// before anything else.
pub(super) fn with_complaints(cx: &Cx<'_>, mut miss: Miss, said: &Complaints) -> Miss {
    if said.lines.is_empty() {
        return miss;
    }
    miss.noted.splice(0..0, said.lines.iter().map(|line| format!("Grafana dit : {line}")));
    "le journal de Grafana nomme le fichier qu'il n'a pas pu lire, et pourquoi".clone_into(&mut miss.hint);
    "docker compose logs grafana | grep level=error".clone_into(&mut miss.try_it);
    let file = said.file.iter().find_map(|file| {
        FOLDERS.iter().find_map(|dir| cx.world.place_in(&format!("{dir}/{file}"), "{", "fichier refusé"))
    });
    miss.place = file.or(miss.place);
    miss
}

/// Position of a panel in the file of its dashboard, when that can be found.
fn place_of(cx: &Cx<'_>, board: &Board, title: &str) -> Option<Place> {
    let file = board.file.rsplit('/').next().filter(|f| !f.is_empty())?;
    let needle = if title.is_empty() { "\"title\"".to_owned() } else { serde_json::to_string(title).ok()? };
    FOLDERS.iter().find_map(|dir| cx.world.place_in(&format!("{dir}/{file}"), &needle, "panneau en cause"))
}

/// Words that two titles share.
fn alike(a: &str, b: &str) -> usize {
    let words = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| w.len() > 2)
            .map(str::to_owned)
            .collect()
    };
    let b = words(b);
    words(a).iter().filter(|w| b.contains(w)).count()
}

impl Panels {
    fn base(&self, cx: &Cx<'_>) -> Miss {
        let names: Vec<&String> = self.wants.iter().map(|w| &w.name).collect();
        Miss {
            expected: format!("un tableau de bord de Grafana montre {}", tell::names(&names)),
            place: tell::at(cx.world, &self.grafana.service, "volumes", "fichiers donnés à Grafana"),
            try_it: format!(
                "curl -u {}:… 'http://localhost:{}/api/search?type=dash-db'",
                self.grafana.user, self.grafana.port
            ),
            ..Miss::default()
        }
    }

    /// No dashboard at all.
    pub(super) fn no_board(&self, cx: &Cx<'_>, trouble: Option<Trouble>, said: &Complaints) -> Miss {
        let miss = Miss {
            headline: "Grafana n'a aucun tableau de bord".to_owned(),
            observed: trouble.map_or_else(|| "liste vide".to_owned(), |t| t.told()),
            noted: vec!["pile neuve : ce qui a été créé à la main dans l'interface n'en fait pas partie".to_owned()],
            hint: "il faut à la fois un fournisseur (provisioning/dashboards/*.yml) et les fichiers JSON à l'endroit \
                   que ce fournisseur indique"
                .to_owned(),
            ..self.base(cx)
        };
        with_complaints(cx, miss, said)
    }

    /// Prometheus lacks a metric that the panels are about.
    pub(super) fn no_metric(&self, cx: &Cx<'_>, name: &str) -> Miss {
        Miss {
            headline: format!("« {name} » n'est pas dans Prometheus"),
            observed: format!("aucune série « {name} » après plusieurs collectes"),
            place: told::in_config(cx.world, &["scrape_configs"], "cibles déclarées ici"),
            hint: "un panneau ne peut montrer que ce que Prometheus a collecté".to_owned(),
            ..self.base(cx)
        }
    }

    /// What is known of a query that does not fit a want.
    fn rank(&self, want: &Want, one: &Candidate<'_>, values: &Values) -> (Rank, String) {
        let expr = one.expr();
        if one.is_crowded(want, values) {
            let text = "la requête convient, mais son panneau en dessine d'autres à côté : une seule courbe est demandée";
            return (Rank::Crowded, text.to_owned());
        }
        if one.is_mislabelled(want, values) {
            let text = format!(
                "la valeur est en secondes, et l'unité du panneau dit « {} »",
                tell::cut(one.unit(), 20)
            );
            return (Rank::Scaled, text);
        }
        let near = |share: bool| {
            let way = Way { share, every: false };
            let like = |means: &str| compare(values, &[&expr], means, way) == Match::Same;
            want.near.iter().find(|near| like(&near.means)).map(|near| (Rank::Near, near.says.clone()))
        };
        if let Some(found) = near(false) {
            return found;
        }
        let label = self.by.clone().unwrap_or_default();
        // Before the parts are compared: of a single series, whatever it is, they are the whole.
        if want.means.iter().any(|m| only_known(values, &expr, m, want.share)) {
            let text = format!(
                "juste pour les valeurs actuelles de « {label} », mais une nouvelle n'y apparaîtrait pas"
            );
            return (Rank::Known, text);
        }
        if let Some(found) = want.share.then(|| near(true)).flatten() {
            return found;
        }
        for reference in &want.means {
            if let Match::Scaled(by) = compare(values, &[&expr], reference, want.way()) {
                return (Rank::Scaled, scaled(by));
            }
        }
        let usual = Way { every: false, ..want.way() };
        if want.every && want.means.iter().any(|m| compare(values, &[&expr], m, usual) == Match::Same) {
            let left = self.may_ignore.join(" ou ");
            let text =
                format!("juste pour la plupart des valeurs de « {label} », mais {left} n'y compte pas");
            return (Rank::Usual, text);
        }
        match values.of(&expr, 0) {
            Err(error) => {
                (Rank::Refused, format!("Prometheus refuse la requête : {}", tell::cut(&error, 120)))
            }
            Ok(samples) if samples.iter().all(|(_, v)| v.is_nan()) => {
                (Rank::Nothing, "sur des mesures régulières, la requête ne donne aucune valeur".to_owned())
            }
            Ok(_) => {
                (Rank::Other, "sur des mesures connues, les valeurs ne sont pas celles attendues".to_owned())
            }
        }
    }

    /// A wanted panel is not in the best dashboard.
    pub(super) fn missing(
        &self,
        cx: &Cx<'_>,
        boards: &[Board],
        best: &Board,
        fitting: &[Vec<Candidate<'_>>],
        values: &Values,
    ) -> Miss {
        let lost: Vec<(usize, &Want)> =
            self.wants.iter().enumerate().filter(|(i, _)| fitting[*i].is_empty()).collect();
        let names: Vec<&String> = lost.iter().map(|(_, w)| &w.name).collect();
        let have = self.wants.len() - lost.len();
        let board = tell::cut(&best.title, 60);
        let mut miss = Miss {
            headline: if names.len() > 1 {
                format!("des panneaux manquent : {}", tell::names(&names))
            } else {
                format!("il manque le panneau {}", tell::names(&names))
            },
            observed: format!("{have} sur {} dans « {board} », le plus proche", self.wants.len()),
            place: place_of(cx, best, "").or(self.base(cx).place),
            hint: "ce qui est demandé se lit sur un même tableau de bord, pour être comparé".to_owned(),
            ..self.base(cx)
        };
        // What a satisfied want cannot do without is not to blame for another one.
        let taken: Vec<String> = fitting.iter().filter(|f| f.len() == 1).map(|f| f[0].expr()).collect();
        let alone = self.fitting_alone(best, values);
        let mut first = true;
        for (i, want) in lost {
            if let Some(one) = alone[i].first() {
                let title = tell::cut(&one.panel.title, 60);
                miss.noted.push(format!(
                    "« {} » : seul le panneau « {title} » convient, et il compte déjà pour un autre ; un panneau \
                     pour chacun est demandé",
                    want.name
                ));
                continue;
            }
            let elsewhere = boards.iter().find(|b| b.title != best.title && self.has(b, want, values));
            if let Some(other) = elsewhere {
                miss.noted.push(format!(
                    "« {} » : présent, mais dans « {} »",
                    want.name,
                    tell::cut(&other.title, 60)
                ));
                continue;
            }
            let Some((one, why, rank)) = self.nearest(boards, want, &taken, values) else {
                let metrics =
                    if want.means.is_empty() { want.uses.join(" ou ") } else { self.metrics_of(want) };
                let other = if taken.is_empty() { "" } else { " autre" };
                miss.noted.push(format!("« {} » : aucun{other} panneau ne lit {metrics}", want.name));
                continue;
            };
            let title = tell::cut(&one.panel.title, 60);
            miss.noted.push(format!("« {} » : le panneau « {title} » ne convient pas", want.name));
            miss.noted.push(format!("requête : {}", tell::cut(&one.target.expr, 140)));
            miss.noted.push(why.clone());
            if matches!(rank, Rank::Other | Rank::Known | Rank::Near)
                && let Some(reference) = want.means.first()
            {
                miss.noted.push(format!(
                    "mesures d'essai : {} ; attendu : {}",
                    values::told(values, &one.expr()),
                    values::told(values, reference)
                ));
            }
            if first {
                first = false;
                miss.place = place_of(cx, one.board, &one.panel.title).or(miss.place);
                let hint = match rank {
                    Rank::Refused => "essayez la requête dans l'interface de Prometheus, morceau par morceau",
                    Rank::Nothing => "quelle étiquette ou quelle durée fait disparaître les séries ?",
                    Rank::Scaled => "l'unité du panneau et celle de la requête doivent dire la même chose",
                    Rank::Crowded => "qu'est-ce qui, dans ce panneau, n'est pas ce qui est demandé ?",
                    Rank::Usual => "que laisse de côté le filtre de la requête ?",
                    Rank::Known => "un regroupement suit de lui-même les nouvelles valeurs ; une liste, non",
                    _ => {
                        "que devrait montrer ce panneau si le trafic doublait, ou si une seule route ralentissait ?"
                    }
                };
                hint.clone_into(&mut miss.hint);
            }
        }
        miss
    }

    fn has(&self, board: &Board, want: &Want, values: &Values) -> bool {
        let at = self.wants.iter().position(|w| w.name == want.name);
        at.is_some_and(|i| !self.fitting_alone(board, values)[i].is_empty())
    }

    fn metrics_of(&self, want: &Want) -> String {
        let mut metrics: Vec<String> = want.means.iter().flat_map(|m| self.named(m)).cloned().collect();
        metrics.dedup();
        metrics.join(" ou ")
    }

    /// The query about which the most is known, among those that read the same metrics.
    fn nearest<'a>(
        &self,
        boards: &'a [Board],
        want: &Want,
        taken: &[String],
        values: &Values,
    ) -> Option<(Candidate<'a>, String, Rank)> {
        let metrics: Vec<&String> = want.means.iter().flat_map(|m| self.named(m)).collect();
        let all = boards.iter().flat_map(candidates);
        let close = all.filter(|c| {
            let reads = metrics.iter().any(|m| c.target.expr.contains(m.as_str()));
            reads && !taken.contains(&c.expr())
        });
        let ranked: Vec<(Candidate<'a>, String, Rank)> = close
            .map(|c| {
                let (rank, why) = self.rank(want, &c, values);
                (c, why, rank)
            })
            .collect();
        // The first of those about which the most is known, or whose title says the same.
        let best =
            |one: &(Candidate<'a>, String, Rank)| (one.2.clone(), alike(&one.0.panel.title, &want.name));
        ranked.into_iter().rev().max_by_key(best)
    }

    /// A panel that means the right thing and shows nothing.
    pub(super) fn dead(&self, cx: &Cx<'_>, dead: &Dead<'_>, sieve: Sieve) -> Miss {
        let title = tell::cut(&dead.one.panel.title, 60);
        let base = Miss {
            headline: format!("le panneau « {title} » ne montre aucune donnée"),
            noted: vec![format!("requête : {}", tell::cut(&dead.one.expr(), 140))],
            place: place_of(cx, dead.one.board, &dead.one.panel.title).or(self.base(cx).place),
            ..self.base(cx)
        };
        let known: Vec<String> = dead.one.board.sources.iter().map(|s| tell::cut(&s.uid, 40)).collect();
        match &dead.why {
            Why::Source(Source::Missing(name)) => Miss {
                observed: format!("sa source de données « {} » n'existe pas", tell::cut(name, 60)),
                control: format!("identifiants (uid) des sources de ce Grafana : {}", known.join(", ")),
                hint: if name.contains('$') {
                    "un tableau exporté pour être partagé attend qu'on choisisse sa source à l'import ; un fichier \
                     provisionné, lui, n'est jamais importé"
                        .to_owned()
                } else {
                    "l'identifiant d'une source change d'un Grafana à l'autre, sauf si vous le fixez"
                        .to_owned()
                },
                ..base
            },
            Why::Source(_) => Miss {
                observed: "il ne nomme aucune source de données, et Grafana n'en a pas par défaut".to_owned(),
                hint: "une source de données peut être déclarée « par défaut »".to_owned(),
                ..base
            },
            Why::Refused(said) => Miss {
                observed: format!("Grafana répond : {said}"),
                hint: "le même message s'affiche dans le coin du panneau".to_owned(),
                ..base
            },
            Why::Empty => Miss {
                observed: "réponse vide pendant 50 s, alors que du trafic passait".to_owned(),
                noted: base.noted.iter().cloned().chain(sieve.lines).collect(),
                hint: if sieve.unknown {
                    "un panneau ne peut montrer que ce que Prometheus a collecté"
                } else if sieve.filtered {
                    "quelles étiquettes ces séries portent-elles vraiment, et avec quelles valeurs ?"
                } else {
                    "sur quelle durée porte le calcul, et combien de collectes contient-elle ?"
                }
                .to_owned(),
                ..base
            },
            Why::Unnamed(services, shown) => Miss {
                headline: format!("« {} » ne dit pas de quel conteneur il s'agit", dead.want.name),
                observed: format!("légende affichée : « {} »", tell::cut(shown, 100)),
                noted: base
                    .noted
                    .iter()
                    .cloned()
                    .chain([format!("sans nom reconnaissable pour {}", tell::names(services))])
                    .collect(),
                hint: "à lire ce panneau, sans ouvrir la requête, sait-on quelle courbe est celle de l'API ?"
                    .to_owned(),
                ..base
            },
            Why::Still => Miss {
                headline: format!("le panneau « {title} » ne bouge pas avec ce qu'il mesure"),
                observed: "mesures d'essai : d'autres valeurs pour chaque conteneur, et les mêmes résultats"
                    .to_owned(),
                hint: "compter les séries d'une mesure ne dit rien de leurs valeurs".to_owned(),
                ..base
            },
            Why::Uncovered(services) => Miss {
                headline: format!("« {} » ne montre pas tous les conteneurs", dead.want.name),
                observed: format!("rien pour {} dans le panneau « {title} »", tell::names(services)),
                hint: "les filtres de la requête laissent-ils passer tous les conteneurs de la pile ?"
                    .to_owned(),
                ..base
            },
        }
    }
}
