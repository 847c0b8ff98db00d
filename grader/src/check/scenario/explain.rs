//! What a scenario showed, said in French, with the cause when it can be found.

use std::time::Duration;

use super::super::rules::files;
use super::super::{Cx, tell};
use super::judge::{State, Wrong};
use super::live::{Hurdle, Play, Scenery};
use super::scene::Scenario;
use super::{RuleScenario, cause, told};
use crate::error::Fault;
use crate::event::{Miss, Place};
use crate::french::decimal;

/// What happens in a scenario.
pub fn story(check: &RuleScenario, scenario: Scenario, play: &Play) -> String {
    let lasts = told(play.times.recovery.saturating_sub(play.times.fault));
    let what = match scenario {
        Scenario::TargetDown => "la cible ne répond plus",
        Scenario::DownAgain => {
            let second = check.second.as_deref().unwrap_or_default();
            return format!(
                "nouvelle panne de la cible (pendant {lasts}), et « {second} » ne répond plus non plus"
            );
        }
        Scenario::OtherDown => "les autres cibles ne répondent plus, celle-ci répond",
        Scenario::OneMiss => return "une seule lecture de la cible échoue, la suivante réussit".to_owned(),
        Scenario::LatencyLow => "35,5 % des requêtes restent juste sous la limite, 4,5 % la dépassent",
        Scenario::LatencyHigh => "10 % des requêtes dépassent la limite",
        Scenario::LatencyEdge => {
            let edge = seconds(play.edge);
            return format!("95ᵉ centile à {edge} (pendant {lasts})");
        }
        Scenario::LatencyPeak => "10 % des requêtes dépassent la limite, puis tout va bien",
        Scenario::LatencyIdle => "plus aucune requête n'arrive",
        Scenario::LatencyMedian => "70 % des requêtes dépassent la limite",
        Scenario::Memory70 => "mémoire à 70 % de la limite",
        Scenario::Memory79 => "mémoire à 79 % de la limite",
        Scenario::Memory81 => "mémoire à 81 % de la limite",
        Scenario::Memory95 => "mémoire à 95 % de la limite",
        Scenario::MemoryPeak => "mémoire à 95 % de la limite, puis tout va bien",
        Scenario::MemoryOther => {
            return format!(
                "mémoire de tous les conteneurs, sauf « {} », à 95 % de leur limite (pendant {lasts})",
                check.target
            );
        }
        Scenario::Memory150 => "mémoire au-delà de la limite",
        Scenario::MemoryNoLimit => "un conteneur sans limite prend presque toute la mémoire de la machine",
    };
    format!("{what} (pendant {lasts})")
}

/// A latency: « 1,75 s ».
pub fn seconds(value: f64) -> String {
    let text = decimal(value, 3);
    let text = text.trim_end_matches('0').trim_end_matches(',');
    format!("{text} s")
}

fn place(check: &RuleScenario, cx: &Cx<'_>, scenery: &Scenery, key: &str, label: &str) -> Option<Place> {
    files::place(cx.world, &scenery.files, &check.alert, key, label)
}

fn base(check: &RuleScenario, scenery: &Scenery, scenario: Scenario, play: &Play) -> Miss {
    let happens = story(check, scenario, play);
    let expected = if check.recovery {
        format!("{happens}, puis retour à la normale : alerte terminée")
    } else if scenario.fires() {
        format!("{happens} : « pending », puis « firing » au bout de {}", told(check.hold.0))
    } else {
        format!("{happens} : pas d'alerte")
    };
    let mut noted =
        vec!["joué en temps virtuel par « promtool test rules », sur vos règles et les labels réels".into()];
    if scenery.rules.len() > 1 {
        let count = scenery.rules.len();
        noted.insert(
            0,
            format!("{count} règles portent le nom « {} » : chacune est cette alerte", check.alert),
        );
    }
    Miss {
        expected,
        noted,
        try_it: format!(
            "docker compose exec {} promtool query instant http://localhost:{} 'ALERTS{{alertname=\"{}\"}}'",
            check.service, check.port, check.alert
        ),
        ..Miss::default()
    }
}

/// Nothing could be played.
pub fn hindered(check: &RuleScenario, cx: &Cx<'_>, hurdle: &Hurdle) -> Miss {
    let name = &check.alert;
    let miss = Miss {
        expected: format!("l'alerte « {name} » chargée dans Prometheus"),
        hint: "un fichier de règles doit être monté, puis nommé dans la configuration".to_owned(),
        try_it: format!(
            "docker compose exec {} wget -qO- http://localhost:{}/api/v1/rules",
            check.service, check.port
        ),
        ..Miss::default()
    };
    match hurdle {
        Hurdle::Silent(why) => Miss {
            headline: "Prometheus ne répond pas".to_owned(),
            observed: why.clone(),
            place: cx.world.place(&["services", &check.service], "Prometheus"),
            hint: "sans Prometheus, aucune alerte : commencez par son journal".to_owned(),
            try_it: format!("docker compose logs {}", check.service),
            ..miss
        },
        Hurdle::NoAlert(names) => Miss {
            headline: format!("l'alerte « {name} » n'est pas chargée"),
            observed: if names.is_empty() {
                "aucune alerte dans Prometheus".to_owned()
            } else {
                format!("alertes chargées : {}", tell::names(names))
            },
            ..miss
        },
    }
}

/// A rule that Prometheus could no longer evaluate.
pub fn broken(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
    play: &Play,
    why: &str,
) -> Miss {
    Miss {
        headline: format!("« {} » ne s'évalue plus quand il le faudrait", check.alert),
        observed: format!("Prometheus : {}", tell::cut(why, 160)),
        place: place(check, cx, scenery, "expr", "règle qui ne s'évalue plus"),
        hint: "une règle qui échoue ne prévient personne : combien d'alertes à la fois son groupe permet-il, et leurs étiquettes les distinguent-elles ?".to_owned(),
        ..base(check, scenery, scenario, play)
    }
}

/// Labels of an alert, cut.
fn labels(labels: &super::promtool::Labels) -> String {
    let told: Vec<String> = labels
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "__name__" | "alertname" | "alertstate"))
        .take(4)
        .map(|(key, value)| format!("{key}=\"{}\"", tell::cut(value, 40)))
        .collect();
    told.join(", ")
}

/// Says what is wrong.
pub async fn wrong(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
    play: &Play,
    wrong: &Wrong,
) -> Result<Miss, Fault> {
    let name = &check.alert;
    let base = base(check, scenery, scenario, play);
    let at = |key: &str, label: &str| place(check, cx, scenery, key, label);
    // Of several rules of that name, the one that waits least decides when the alert fires.
    let first = scenery.rules.first().map_or(0.0, |r| r.duration);
    let written = Duration::try_from_secs_f64(first).unwrap_or_default();
    let waits =
        |key: &str, label: &str| files::place_of(cx.world, &scenery.files, (name, Some(written)), key, label);
    let miss = match wrong {
        Wrong::Slow(after) if play.back > play.ranges => Miss {
            headline: format!("« {name} » devient « pending » trop tard"),
            observed: format!(
                "encore inactive {} après le début, pour {} de fenêtre",
                told(*after),
                told(play.ranges)
            ),
            place: at("expr", "expression qui regarde le passé"),
            hint: "de quel moment du passé « offset » fait-il parler l'expression ?".to_owned(),
            ..base
        },
        Wrong::Never(_) | Wrong::Slow(_) => return never(check, cx, scenery, scenario, play, wrong).await,
        Wrong::Before(state) => Miss {
            headline: format!("« {name} » est active alors que tout va bien"),
            observed: format!("« {} » avant que rien n'arrive", word(*state)),
            place: at("expr", "expression déjà vraie"),
            hint:
                "que rend cette expression quand tout va bien ? une série, même de valeur 0, est une alerte"
                    .to_owned(),
            ..base
        },
        Wrong::Fired(after) => fired(check, scenario, *after, base, at("expr", "expression vraie à tort")),
        Wrong::Hasty { pending, held } if written.is_zero() => Miss {
            headline: format!("« {name} » n'attend pas avant de se déclencher"),
            observed: match told(*pending + *held) {
                _ if (*pending + *held).is_zero() => {
                    "« firing » dès la première mesure anormale, sans « pending »".to_owned()
                }
                after => format!("« firing » {after} après la première mesure anormale, sans « pending »"),
            },
            place: waits("alert", "règle sans for:"),
            hint: "qu'est-ce qui distingue une panne d'une seule mesure malchanceuse ?".to_owned(),
            ..base
        },
        Wrong::Hasty { held, .. } => Miss {
            headline: format!("« {name} » se déclenche trop tôt"),
            observed: format!("« firing » après {} de « pending »", told(*held)),
            place: waits("for", "cette attente est trop courte"),
            hint: "combien de temps l'énoncé demande-t-il d'attendre ?".to_owned(),
            ..base
        },
        Wrong::Patient { pending, held, fired } => Miss {
            headline: format!("« {name} » se déclenche trop tard"),
            observed: if *fired {
                format!("« pending » à {}, « firing » seulement {} plus tard", told(*pending), told(*held))
            } else {
                format!(
                    "« pending » à {}, et toujours pas « firing » {} plus tard",
                    told(*pending),
                    told(*held)
                )
            },
            place: waits("for", "cette attente est trop longue"),
            hint: "combien de temps l'énoncé demande-t-il d'attendre ?".to_owned(),
            ..base
        },
        Wrong::Interrupted(after) => Miss {
            headline: format!("« {name} » s'arrête alors que le problème dure"),
            observed: format!("plus « firing » à {} du début", told(*after)),
            place: at("expr", "expression qui cesse d'être vraie"),
            hint: "l'expression compare-t-elle une valeur, ou seulement un changement de valeur ?".to_owned(),
            ..base
        },
        Wrong::Other { labels: who, .. } if scenario == Scenario::MemoryNoLimit => {
            let miss = fired(check, scenario, Duration::ZERO, base, at("expr", "expression vraie à tort"));
            Miss {
                observed: format!("alerte active pour {}, qui n'a pas de limite : rapport +Inf", labels(who)),
                ..miss
            }
        }
        Wrong::Other { at: when, labels: who } => Miss {
            headline: format!("« {name} » se déclenche aussi pour ce qui va bien"),
            observed: format!("alerte active à {} pour {}", told(*when), labels(who)),
            place: at("expr", "expression vraie aussi pour d'autres séries"),
            hint: "quelles séries cette expression regarde-t-elle, et lesquelles devrait-elle regarder ?"
                .to_owned(),
            ..base
        },
        Wrong::Endless(after) => Miss {
            headline: format!("« {name} » ne se termine pas une fois le problème passé"),
            observed: format!("toujours active {} après le retour à la normale", told(*after)),
            place: at("expr", "expression qui reste vraie"),
            hint: "de combien de temps l'expression se souvient-elle ?".to_owned(),
            ..base
        },
    };
    Ok(miss)
}

fn word(state: State) -> &'static str {
    match state {
        State::Firing => "firing",
        State::Pending => "pending",
        State::Inactive => "inactive",
    }
}

/// It fires although it must not.
fn fired(
    check: &RuleScenario,
    scenario: Scenario,
    after: Duration,
    base: Miss,
    place: Option<Place>,
) -> Miss {
    let name = &check.alert;
    let observed = format!("« pending », puis « firing » {} plus tard", told(after));
    match scenario {
        Scenario::MemoryNoLimit => Miss {
            headline: format!("« {name} » se déclenche pour un conteneur sans limite"),
            observed: format!("{observed} ; sa limite vaut 0, le rapport vaut +Inf"),
            place,
            hint: "que donne une division par une limite de 0, et comment écarter ces conteneurs ?"
                .to_owned(),
            ..base
        },
        Scenario::Memory70 | Scenario::Memory79 => Miss {
            headline: format!(
                "« {name} » se déclenche dès {} % de la limite",
                if scenario == Scenario::Memory70 { 70 } else { 79 }
            ),
            observed,
            place,
            hint: "à partir de quelle part de la limite l'énoncé demande-t-il une alerte ?".to_owned(),
            ..base
        },
        Scenario::OtherDown => Miss {
            headline: format!("« {name} » se déclenche quand une autre cible tombe"),
            observed: format!("{observed} ; « {} » répond", check.target),
            place,
            hint: "quelles cibles cette expression regarde-t-elle, et laquelle devrait-elle regarder ?"
                .to_owned(),
            ..base
        },
        Scenario::OneMiss => Miss {
            headline: format!("« {name} » se déclenche pour une seule lecture manquée"),
            observed,
            place,
            hint: "combien de temps l'expression reste-t-elle vraie après une seule mesure à 0 ?".to_owned(),
            ..base
        },
        Scenario::LatencyPeak | Scenario::MemoryPeak => Miss {
            headline: format!("« {name} » se déclenche pour un problème d'une minute"),
            observed,
            place,
            hint: "combien de temps l'expression se souvient-elle d'une mauvaise minute ?".to_owned(),
            ..base
        },
        Scenario::LatencyIdle => Miss {
            headline: format!("« {name} » se déclenche quand l'API ne reçoit aucune requête"),
            observed,
            place,
            hint: "sans requête, histogram_quantile rend NaN : que devient alors chaque partie de l'expression ?"
                .to_owned(),
            ..base
        },
        _ => Miss {
            headline: format!(
                "« {name} » se déclenche alors que 95 % des requêtes restent sous {}",
                seconds(check.threshold)
            ),
            observed,
            place,
            hint: "quel centile, et quelle limite, l'expression compare-t-elle ?".to_owned(),
            ..base
        },
    }
}

/// It never becomes active, or much too late: looks for the cause.
async fn never(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
    play: &Play,
    wrong: &Wrong,
) -> Result<Miss, Fault> {
    let name = &check.alert;
    let mut miss = base(check, scenery, scenario, play);
    miss.headline = format!("« {name} » ne se déclenche pas");
    miss.observed = match wrong {
        Wrong::Slow(after) => format!("encore inactive {} après le début", told(*after)),
        _ => "ni « pending » ni « firing »".to_owned(),
    };
    miss.place = place(check, cx, scenery, "expr", "expression qui ne devient pas vraie");
    let slow = matches!(wrong, Wrong::Slow(_));
    let (noted, hint) = cause::of(check, cx, scenery, scenario, slow).await?;
    miss.noted.insert(0, noted);
    miss.hint = hint;
    Ok(miss)
}

/// Labels and annotations that the rule must have.
pub fn words(check: &RuleScenario, cx: &Cx<'_>, scenery: &Scenery) -> Option<Miss> {
    let name = &check.alert;
    let miss = Miss {
        hint: "ces mots sont ce que lira la personne d'astreinte".to_owned(),
        try_it: format!(
            "docker compose exec {} wget -qO- http://localhost:{}/api/v1/rules",
            check.service, check.port
        ),
        ..Miss::default()
    };
    for (key, wanted) in &check.labels {
        let lacking = scenery.rules.iter().map(|r| r.labels.get(key)).find(|seen| *seen != Some(wanted));
        if let Some(seen) = lacking {
            return Some(Miss {
                headline: format!("« {name} » n'a pas le label {key} demandé"),
                expected: format!("{key} = « {wanted} »"),
                observed: seen.map_or_else(
                    || "pas de label de ce nom".to_owned(),
                    |v| format!("{key} = « {} »", tell::cut(v, 60)),
                ),
                place: place(check, cx, scenery, "labels", "labels de l'alerte"),
                ..miss
            });
        }
    }
    let lacks = |a: &&String| {
        let mut written = scenery.rules.iter().map(|r| r.annotations.get(*a));
        written.any(|text| text.is_none_or(|v| v.trim().is_empty()))
    };
    check.annotations.iter().find(lacks).map(|annotation| Miss {
        headline: format!("« {name} » n'a pas d'annotation {annotation}"),
        expected: format!("une annotation {annotation} qui dit ce qui se passe"),
        observed: "absente ou vide".to_owned(),
        place: place(check, cx, scenery, "annotations", "annotations de l'alerte"),
        ..miss
    })
}
