//! Judging what the receiver was sent.

use std::path::Path;

use serde_json::json;

use super::run::{Reached, Seen, asked};
use super::{Cx, Delivered};
use crate::event::{Fact, Miss, Place, Verdict};
use crate::time::french;

/// Position of one of these texts in the YAML files of the submission.
fn written(cx: &Cx<'_>, needles: &[&str], label: &str) -> Option<Place> {
    let main = &cx.world.declared().file;
    let files: Vec<String> = cx
        .world
        .files()
        .into_iter()
        .filter(|f| {
            let yaml = Path::new(f).extension().is_some_and(|e| e == "yml" || e == "yaml");
            f != main && yaml
        })
        .collect();
    needles.iter().find_map(|needle| files.iter().find_map(|file| cx.world.place_in(file, needle, label)))
}

/// The student's receiver could not be replaced.
pub fn unreplaced(cx: &Cx<'_>, receiver: &str) -> Miss {
    Miss {
        headline: format!("« {receiver} » n'est pas joignable par un réseau"),
        expected: format!("« {receiver} » sur un réseau qu'il partage avec Alertmanager"),
        observed: "ce service n'a pas de réseau à lui : le correcteur ne peut pas y jouer le récepteur"
            .to_owned(),
        place: cx.world.place(&["services", receiver], "récepteur"),
        hint: "le correcteur prend la place de ce service, sous le même nom et sur les mêmes réseaux"
            .to_owned(),
        ..Miss::default()
    }
}

fn base(check: &Delivered, receiver: &str) -> Miss {
    Miss {
        try_it: format!(
            "docker compose logs {receiver} ; docker compose logs {}",
            check.alertmanager.service
        ),
        ..Miss::default()
    }
}

fn facts(seen: &Seen) -> Vec<Fact> {
    let mut facts = vec![Fact::new(
        "messages",
        seen.messages,
        format!("{} messages d'Alertmanager reçus pendant la correction", seen.messages),
    )];
    if seen.strangers > 0 {
        facts.push(Fact::new(
            "strangers",
            seen.strangers,
            format!("{} requêtes venues d'ailleurs, qui ne comptent pas", seen.strangers),
        ));
    }
    facts
}

/// The alert arrives.
pub fn firing(check: &Delivered, cx: &Cx<'_>, receiver: &str, seen: &Seen) -> Verdict {
    let mut facts = facts(seen);
    if seen.for_nothing {
        return Verdict::Fail(Box::new(Miss {
            headline: format!("« {} » se déclenche aussi quand tout répond", check.alert),
            expected: format!(
                "« {} » active quand une réplique de l'API ne répond plus, et alors seulement",
                check.alert
            ),
            observed: "elle était active alors que toutes les cibles répondaient depuis une minute"
                .to_owned(),
            place: written(cx, &[&check.alert], "la règle"),
            hint: "que regarde cette expression ? Une alerte qui ne dépend pas de l'API ne dit rien d'elle"
                .to_owned(),
            facts,
            ..base(check, receiver)
        }));
    }
    if let Some((after, alert)) = &seen.firing {
        facts.push(Fact::new(
            "firing",
            json!({"after-s": after.as_secs_f64(), "labels": alert.labels}),
            format!(
                "« {} » reçue {} après la suspension d'un conteneur de « {} »",
                check.alert,
                french(*after),
                seen.victim
            ),
        ));
        return Verdict::Pass { facts };
    }
    let (observed, place, hint) = if seen.stuck {
        (
            format!("« {} » était déjà active avant la panne, et le reste", check.alert),
            written(cx, &[&check.alert], "la règle"),
            "une cible est en panne dès le départ : laquelle ? La page des cibles de Prometheus le dit",
        )
    } else {
        match seen.reached {
            Reached::NoRule => (
                format!("Prometheus n'a pas de règle « {} »", check.alert),
                written(cx, &["rule_files", "scrape_configs"], "fichiers de règles"),
                "un fichier de règles doit être monté, et cité dans rule_files",
            ),
            Reached::NotFiring => (
                format!("l'alerte ne se déclenche pas dans Prometheus en {}", french(check.by.0)),
                written(cx, &[&check.alert], "la règle"),
                "la réplique en panne est-elle encore une cible ? Combien durent la collecte, l'évaluation et le for ?",
            ),
            Reached::Prometheus => (
                "l'alerte se déclenche dans Prometheus, mais Alertmanager ne la connaît pas".to_owned(),
                written(
                    cx,
                    &["alertmanagers", "alerting", "scrape_configs"],
                    "à qui Prometheus envoie-t-il ses alertes ?",
                ),
                "Prometheus doit savoir où est Alertmanager, et pouvoir le joindre par un réseau",
            ),
            Reached::Alertmanager => (
                format!("Alertmanager connaît l'alerte, mais rien n'est arrivé à « {receiver} »"),
                written(cx, &["webhook_configs", "receivers", "route:"], "le chemin d'une alerte"),
                "une alerte suit la première route qui lui convient ; à qui mène-t-elle, à quelle adresse, et après quelle attente ?",
            ),
        }
    };
    Verdict::Fail(Box::new(Miss {
        headline: "aucune alerte n'arrive au récepteur".to_owned(),
        expected: format!(
            "« {} », envoyée par Alertmanager à « {receiver} », {} au plus après la panne d'une réplique",
            check.alert,
            french(check.by.0)
        ),
        observed,
        control: format!(
            "un conteneur de « {} » a été suspendu : il garde son adresse et ne répond plus",
            seen.victim
        ),
        noted: if seen.strangers > 0 {
            vec![format!("{} requêtes sont venues d'ailleurs que d'Alertmanager", seen.strangers)]
        } else {
            vec![]
        },
        place,
        hint: hint.to_owned(),
        facts,
        ..base(check, receiver)
    }))
}

/// Its end arrives.
pub fn resolved(check: &Delivered, cx: &Cx<'_>, receiver: &str, seen: &Seen) -> Verdict {
    let mut facts = facts(seen);
    if seen.kept > check.resolved_by.0 {
        return Verdict::Fail(Box::new(Miss {
            headline: "la fin de l'alerte arrive trop tard".to_owned(),
            expected: format!(
                "un message « resolved », {} au plus après le retour de la réplique",
                french(check.resolved_by.0)
            ),
            observed: format!("la règle reste active {} après la panne (keep_firing_for)", french(seen.kept)),
            place: written(cx, &["keep_firing_for"], "durée ajoutée ici"),
            hint: "ce réglage prolonge l'alerte au-delà de sa cause".to_owned(),
            facts,
            ..base(check, receiver)
        }));
    }
    if let Some(after) = seen.resolved {
        facts.push(Fact::new(
            "resolved",
            after.as_secs_f64(),
            format!("fin de l'alerte reçue {} après le retour de la réplique", french(after)),
        ));
        return Verdict::Pass { facts };
    }
    Verdict::Fail(Box::new(Miss {
        headline: "la fin de l'alerte n'arrive pas".to_owned(),
        expected: format!(
            "un message « resolved », {} au plus après le retour de la réplique",
            french(check.resolved_by.0)
        ),
        observed: "aucun message ne dit que l'alerte est finie".to_owned(),
        control: match &seen.firing {
            Some((after, _)) => format!("le début, lui, est arrivé en {}", french(*after)),
            None => String::new(),
        },
        place: written(cx, &["send_resolved", "group_interval", "webhook_configs"], "réglages de l'envoi"),
        hint:
            "deux réglages en décident : faut-il dire la fin, et combien de temps après le premier message ?"
                .to_owned(),
        facts,
        ..base(check, receiver)
    }))
}

/// Alerts of the same kind come together.
pub fn grouped(check: &Delivered, cx: &Cx<'_>, receiver: &str, seen: &Seen) -> Verdict {
    let wanted = asked();
    let mut facts = facts(seen);
    facts.push(Fact::new(
        "groups",
        json!(seen.groups),
        format!("{wanted} alertes données ensemble ; messages : {:?}", seen.groups),
    ));
    let parts = seen.groups.iter().filter(|n| **n < wanted).count();
    if seen.groups.contains(&wanted) && parts < wanted {
        return Verdict::Pass { facts };
    }
    let observed = match seen.groups.len() {
        0 => format!("aucune des {wanted} alertes n'est arrivée en {}", french(check.grouped_by.0)),
        n => format!(
            "{n} message(s), qui en portent {}",
            seen.groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    Verdict::Fail(Box::new(Miss {
        headline: "une panne, autant de messages".to_owned(),
        expected: format!("{wanted} alertes « {} » qui ne diffèrent que par « instance », données ensemble à Alertmanager, arrivent en un seul message", check.alert),
        observed,
        control: "ce sont les étiquettes de l'alerte reçue à l'instant, à « instance » près".to_owned(),
        place: written(cx, &["group_by", "route:"], "ce qui fait un groupe"),
        hint: "deux alertes sont du même groupe quand elles ont la même valeur pour toutes les étiquettes de group_by".to_owned(),
        facts,
        ..base(check, receiver)
    }))
}
