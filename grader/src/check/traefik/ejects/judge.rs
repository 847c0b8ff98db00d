//! Judging what the traffic showed.

use std::time::Duration;

use serde_json::json;

use super::run::Seen;
use super::{Cx, Ejects, Replica, Rhythm};
use crate::event::{Fact, Miss, Verdict};
use crate::time::french;

impl Ejects {
    pub(super) fn verdict(
        &self,
        cx: &Cx<'_>,
        victim: &Replica,
        rhythm: &Rhythm,
        window: Duration,
        seen: &Seen,
    ) -> Verdict {
        let sick = match &seen.sick {
            Ok(status) => format!("elle-même répond {status} à {}", self.path),
            Err(why) => format!("elle-même ne répond pas à {} ({why})", self.path),
        };
        let facts = vec![
            Fact::new("health-check", json!({"path": rhythm.path}), rhythm.told()),
            Fact::new(
                "victim",
                victim.name.clone(),
                format!("réplique coupée de « {} » : {} ; {sick}", self.cut, victim.name),
            ),
            Fact::new(
                "tolerated",
                seen.tolerated,
                format!("{} appels manqués dans les {} permises", seen.tolerated, french(window)),
            ),
            Fact::new(
                "late",
                seen.late,
                format!("{} appels après, dont {} manqués", seen.late, seen.failed.len()),
            ),
        ];
        let miss = |headline: &str, observed: String, control: String, hint: &str| {
            Verdict::Fail(Box::new(Miss {
                headline: headline.to_owned(),
                observed,
                control,
                noted: vec![rhythm.told()],
                hint: hint.to_owned(),
                facts: facts.clone(),
                ..self.base(cx)
            }))
        };
        if matches!(seen.sick, Ok(status) if (200..300).contains(&status)) {
            return miss(
                "une réplique coupée de sa base répond encore comme si de rien n'était",
                format!(
                    "« {} », hors des réseaux de « {} », répond 200 à {}",
                    victim.name, self.cut, self.path
                ),
                String::new(),
                "d'où vient cette réponse, si la base est hors d'atteinte ?",
            );
        }
        if let Some((last, what)) = seen.failed.last() {
            return miss(
                "une réplique malade reçoit toujours des visiteurs",
                format!(
                    "{} appels manqués sur {} envoyés plus de {} après la panne ; le dernier à {} ({what})",
                    seen.failed.len(),
                    seen.late,
                    french(window),
                    french(*last)
                ),
                format!("avant la panne, tous les appels étaient servis ; la réplique coupée : {sick}"),
                "le chemin contrôlé dit-il que la réplique est utile, ou seulement qu'elle est vivante ?",
            );
        }
        if !seen.back {
            return miss(
                "une fois guérie, la réplique ne revient pas",
                format!(
                    "« {} » ne reçoit toujours rien {} après son retour sur le réseau",
                    victim.name,
                    french(window + Duration::from_secs(5))
                ),
                "pendant la panne, aucun appel n'a échoué une fois la réplique écartée".to_owned(),
                "que répond le chemin contrôlé quand la base revient ?",
            );
        }
        Verdict::Pass { facts }
    }
}
