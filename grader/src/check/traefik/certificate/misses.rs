//! What is wrong with a certificate, in the order in which a client would stumble on it.

use super::{Certificate, Gate, Leaf, Miss, Shown, check_host, said, wire};
use crate::error::Fault;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Traefik's own.
    Default,
    /// No DNS name at all.
    NoNames,
    /// These names are missing.
    Missing(Vec<String>),
    /// Another subject.
    Subject,
    /// Not yet valid: seconds to wait.
    Early(i64),
    /// Not valid any more: seconds since.
    Expired(i64),
    /// Ends too soon: seconds left.
    Short(i64),
}

const DAY: i64 = 86_400;

/// « 12 jours », « 5 heures », « 3 minutes ».
fn span(seconds: i64) -> String {
    let (n, word) = match seconds {
        s if s >= DAY => (s / DAY, "jour"),
        s if s >= 3_600 => (s / 3_600, "heure"),
        s => ((s / 60).max(1), "minute"),
    };
    format!("{n} {word}{}", if n > 1 { "s" } else { "" })
}

impl Certificate {
    /// The first thing that is wrong with a certificate at that moment (unix seconds).
    pub(super) fn flaw(&self, leaf: &Leaf, now: i64) -> Option<Flaw> {
        if leaf.is_default() {
            return Some(Flaw::Default);
        }
        if now < leaf.from {
            return Some(Flaw::Early(leaf.from - now));
        }
        if now >= leaf.until {
            return Some(Flaw::Expired(now - leaf.until));
        }
        if leaf.names.is_empty() {
            return Some(Flaw::NoNames);
        }
        let missing: Vec<String> =
            self.asked().into_iter().filter(|n| !leaf.covers(n)).map(str::to_owned).collect();
        if !missing.is_empty() {
            return Some(Flaw::Missing(missing));
        }
        if leaf.subject.as_deref() != Some(&self.subject) {
            return Some(Flaw::Subject);
        }
        let wanted = i64::try_from(self.valid.0.as_secs()).unwrap_or(i64::MAX);
        (leaf.until - now < wanted).then(|| Flaw::Short(leaf.until - now))
    }

    fn base(&self, gate: &Gate<'_>, name: &str) -> Miss {
        Miss {
            expected: format!(
                "pour {name}, un certificat de sujet {}, aux noms {}, valable encore {} au moins",
                self.subject,
                self.names.join(" et "),
                span(i64::try_from(self.valid.0.as_secs()).unwrap_or(i64::MAX))
            ),
            place: said::place(
                gate.world,
                &self.via,
                &["certFile", "certificates", "certs", "ssl_certificate"],
                "certificats donnés ici",
            ),
            try_it: format!(
                "openssl s_client -connect localhost:{} -servername {name} </dev/null | openssl x509 -noout -text",
                self.port
            ),
            ..Miss::default()
        }
    }

    /// The handshake failed.
    pub(super) async fn unshaken(
        &self,
        gate: &Gate<'_>,
        name: &str,
        failure: &wire::Failure,
    ) -> Result<Miss, Fault> {
        let told = gate.unreached(self.port, name, failure).await?;
        let Miss { expected, try_it, .. } = self.base(gate, name);
        Ok(Miss { expected, try_it, noted: said::errors(gate.world, &self.via).await?, ..told })
    }

    /// The handshake succeeded with something that is no certificate that we can read.
    pub(super) fn unreadable(&self, gate: &Gate<'_>, name: &str) -> Miss {
        Miss {
            headline: format!("le certificat présenté pour {name} est illisible"),
            observed: "ni sujet, ni noms, ni dates n'ont pu y être lus".to_owned(),
            hint: "fabriquez-le avec un outil courant, en version 3".to_owned(),
            ..self.base(gate, name)
        }
    }

    /// The student's certificate when it is loaded but carries none of the names: Traefik still knows
    /// it by its subject.
    async fn own(&self, gate: &Gate<'_>) -> Result<Option<Leaf>, Fault> {
        if check_host("subject", &self.subject).is_err() {
            return Ok(None);
        }
        let seen = gate.shake(self.port, Some(&self.subject)).await?;
        let coded = seen.ok().and_then(|a| a.seen.chain.into_iter().next());
        Ok(coded.and_then(|c| Leaf::read(&c).ok()).filter(|l| !l.is_default()))
    }

    /// The last one shown is wrong.
    pub(super) async fn wrong(&self, gate: &Gate<'_>, shown: &[Shown], now: i64) -> Result<Miss, Fault> {
        let Some((last, earlier)) = shown.split_last() else { return Ok(Miss::default()) };
        let Shown { name, leaf, .. } = last;
        let subject = leaf.subject.clone().unwrap_or_else(|| "(aucun)".to_owned());
        let names = if leaf.names.is_empty() { "aucun".to_owned() } else { leaf.names.join(", ") };
        let (headline, observed, hint) = match self.flaw(leaf, now) {
            None => return Ok(Miss::default()),
            Some(Flaw::Default) => (
                format!("Traefik présente son certificat par défaut pour {name}"),
                format!("sujet {subject}, fabriqué par Traefik à son démarrage"),
                "Traefik s'en sert quand il n'a rien chargé pour ce nom : fichier introuvable, clé d'un autre certificat, nom absent du certificat…".to_owned(),
            ),
            Some(Flaw::Early(wait)) => (
                "le certificat n'est pas encore valable".to_owned(),
                format!("il ne le sera que dans {}", span(wait)),
                "comparez notBefore et la date de la machine".to_owned(),
            ),
            Some(Flaw::Expired(since)) => (
                "le certificat a expiré".to_owned(),
                format!("depuis {}", span(since)),
                "un certificat se refait ; combien de jours aviez-vous demandés ?".to_owned(),
            ),
            Some(Flaw::NoNames) => (
                "le certificat ne porte aucun nom d'hôte".to_owned(),
                format!("sujet {subject}, aucun nom alternatif (SAN)"),
                "les clients actuels ne lisent plus le sujet : seule l'extension subjectAltName compte".to_owned(),
            ),
            Some(Flaw::Missing(missing)) => (
                format!("le certificat ne vaut pas pour {}", missing.join(" ni ")),
                format!("noms alternatifs (SAN) : {names}"),
                if leaf.names.iter().any(|n| n == "*.localhost") {
                    "un joker juste sous un domaine de premier niveau n'est accepté par aucun client courant"
                } else {
                    "chaque nom servi doit être dans subjectAltName ; le sujet ne compte pas"
                }
                .to_owned(),
            ),
            Some(Flaw::Subject) => (
                "le sujet du certificat n'est pas celui demandé".to_owned(),
                format!("sujet (CN) {subject}"),
                "le sujet se donne à la fabrication du certificat, par l'option -subj d'openssl par exemple".to_owned(),
            ),
            Some(Flaw::Short(left)) => (
                "le certificat expire bientôt".to_owned(),
                format!("dans {}", span(left)),
                "la durée se donne à la fabrication, en jours".to_owned(),
            ),
        };
        let control = earlier
            .iter()
            .find(|s| self.flaw(&s.leaf, now).is_none())
            .map(|s| format!("pour {}, le bon certificat est présenté", s.name))
            .unwrap_or_default();
        let mut noted = said::errors(gate.world, &self.via).await?;
        let mut hint = hint;
        if leaf.is_default()
            && let Some(own) = self.own(gate).await?
        {
            let names = if own.names.is_empty() { "aucun".to_owned() } else { own.names.join(", ") };
            noted.push(format!(
                "votre certificat est chargé : Traefik le présente à qui demande « {} » ; noms alternatifs (SAN) : {names}",
                self.subject
            ));
            "Traefik choisit le certificat par les noms qu'il porte ; lesquels porte le vôtre ?"
                .clone_into(&mut hint);
        }
        Ok(Miss { headline, observed, control, noted, hint, ..self.base(gate, name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn leaf(days: std::ops::Range<i64>) -> Leaf {
        Leaf {
            subject: Some("tp-docker".into()),
            issuer: "tp-docker".into(),
            names: vec!["api.localhost".into(), "traefik.localhost".into()],
            from: days.start * DAY,
            until: days.end * DAY,
            self_signed: true,
            print: String::new(),
        }
    }

    #[test]
    fn flaws() {
        let check = Certificate {
            via: "traefik".into(),
            port: 443,
            host: "api.localhost".into(),
            subject: "tp-docker".into(),
            names: vec!["api.localhost".into(), "traefik.localhost".into()],
            valid: Span::parse("30d").expect("a span"),
        };
        let at = |leaf: &Leaf| check.flaw(leaf, 100 * DAY);
        assert_eq!(at(&leaf(0..130)), None);
        assert_eq!(at(&leaf(0..129)), Some(Flaw::Short(29 * DAY)));
        assert_eq!(at(&leaf(101..500)), Some(Flaw::Early(DAY)));
        assert_eq!(at(&leaf(0..98)), Some(Flaw::Expired(2 * DAY)));
        assert_eq!(at(&Leaf { names: vec![], ..leaf(0..500) }), Some(Flaw::NoNames));
        let one = Leaf { names: vec!["api.localhost".into()], ..leaf(0..500) };
        assert_eq!(at(&one), Some(Flaw::Missing(vec!["traefik.localhost".into()])));
        assert_eq!(at(&Leaf { subject: None, ..leaf(0..500) }), Some(Flaw::Subject));
        let default = Leaf { subject: Some("TRAEFIK DEFAULT CERT".into()), ..leaf(0..500) };
        assert_eq!(at(&default), Some(Flaw::Default));
        assert_eq!(
            (span(2 * DAY), span(3_700), span(5)),
            ("2 jours".into(), "1 heure".into(), "1 minute".into())
        );
    }
}
