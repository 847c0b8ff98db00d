//! Judging what both instants gave back.

use super::backup::base::{Truth, unrunnable};
use super::backup::judge::differ;
use super::deep::Executed;
use super::run::{Asked, DEADLINE, Rewound};
use super::world::World;
use super::{Rewinds, tell};
use crate::event::{Fact, Miss, Verdict};

fn base(check: &Rewinds, world: &dyn World) -> Miss {
    let Rewinds { service, copy, rewind, store } = check;
    Miss {
        expected: format!(
            "après « {copy} », « {rewind} INSTANT » écrit sur sa sortie une sauvegarde de la base telle qu'elle \
             était à cet instant, pour deux instants, et « {store} » reste comme il est"
        ),
        place: world.place(&["services", service], "service de sauvegarde"),
        try_it: format!(
            "docker compose exec {service} {copy} && docker compose exec -T {service} {rewind} \
             \"$(date -u '+%F %T+00')\" | head -c 200"
        ),
        ..Miss::default()
    }
}

/// How a command failed.
fn failed(command: &str, done: &Executed) -> String {
    match done.code {
        Some(126 | 127) => unrunnable(command),
        Some(code) => format!("« {command} » est sortie avec le code {code}"),
        None => format!("« {command} » n'a pas fini en {} s", DEADLINE.as_secs()),
    }
}

/// What failed commands say that has one known cause.
fn cause(said: &str) -> &'static str {
    if said.contains("before configured recovery target") {
        "le journal rejoué s'arrête avant l'instant demandé : le segment où il est écrit est-il archivé ?"
    } else if said.contains("could not locate a valid checkpoint record")
        || said.contains("could not locate required checkpoint")
    {
        "la copie a besoin du journal écrit pendant qu'elle se faisait : où « restore_command » le cherche-t-elle ?"
    } else if said.contains("no pg_hba.conf entry for replication") {
        "une copie physique passe par une connexion de réplication, que pg_hba.conf doit permettre"
    } else {
        "lancez la même commande à la main : ce qu'elle écrit en dit plus que son code"
    }
}

/// What came back in place of what was asked.
fn mistaken(seen: &Rewound, one: &Asked) -> (&'static str, &'static str) {
    let got = Truth {
        main: one.restored.main.clone().unwrap_or_default(),
        other: one.restored.other.clone().unwrap_or_default(),
    };
    if one.restored.length.is_none_or(|length| length == 0) {
        ("rien n'est écrit", "la sauvegarde est attendue sur la sortie standard")
    } else if one.restored.main.is_none() && one.restored.other.is_none() {
        (
            "la sauvegarde rendue n'a pas les tables",
            "quelle base est rendue, et d'avant leur suppression ? À quel réglage l'instant est-il donné ?",
        )
    } else if got == seen.start {
        (
            "la base rendue est celle de la copie de départ",
            "la copie seule ne suffit pas : le journal écrit depuis doit être rejoué par-dessus ; et l'instant demandé est-il lu dans son propre fuseau ?",
        )
    } else if seen.asked.iter().any(|other| other.at != one.at && other.truth == got) {
        (
            "la base rendue est celle d'un autre instant",
            "l'instant est-il lu en entier, fractions de seconde comprises ? Chaque appel repart de la copie de départ, sans rien du précédent",
        )
    } else {
        ("la base rendue n'est pas celle de l'instant demandé", "comparez les lignes, pas leur nombre")
    }
}

/// Both instants are given back, row by row, and the database in service was left alone.
pub fn rewound(check: &Rewinds, world: &dyn World, seen: &Rewound) -> Verdict {
    let base = base(check, world);
    let miss = |headline: &str, observed: String, noted: Vec<String>, hint: &str| {
        Verdict::Fail(Box::new(Miss {
            headline: headline.to_owned(),
            observed,
            noted,
            hint: hint.to_owned(),
            ..base.clone()
        }))
    };
    if !seen.copied.ok() {
        let said = &seen.copied.err;
        return miss(
            "la copie du serveur échoue",
            failed(&check.copy, &seen.copied),
            tell::tail(said, 4),
            cause(said),
        );
    }
    let mut facts = Vec::new();
    for (rank, one) in seen.asked.iter().enumerate() {
        let Some(done) = &one.done else { continue };
        let which = if rank == 0 { "premier" } else { "second" };
        if !done.ok() {
            return miss(
                "le retour à un instant échoue",
                format!("{which} instant, {} : {}", one.at, failed(&check.rewind, done)),
                tell::tail(&done.err, 4),
                cause(&done.err),
            );
        }
        let main = differ(&one.truth.main, one.restored.main.as_ref());
        let other = differ(&one.truth.other, one.restored.other.as_ref());
        if main.is_some() || other.is_some() {
            let (headline, hint) = mistaken(seen, one);
            let mut noted: Vec<String> = Vec::new();
            noted.extend(main.map(|text| format!("table de « public » : {text}")));
            noted.extend(other.map(|text| format!("table d'un autre schéma : {text}")));
            noted.extend(tell::tail(&done.err, 2));
            noted.extend(tell::tail(&one.restored.said, 2));
            let length = one.restored.length.unwrap_or(0);
            return miss(headline, format!("{which} instant, {} : {length} octets", one.at), noted, hint);
        }
        facts.push(Fact::new(
            "instant",
            one.at.as_str(),
            format!(
                "{} : {} et {} lignes comparées une à une ({})",
                one.at,
                one.truth.main.len(),
                one.truth.other.len(),
                one.restored.kind
            ),
        ));
    }
    if !seen.intact {
        return miss(
            "la base en service a été remontée elle aussi",
            format!(
                "après les deux appels, ce qui avait été écrit en dernier n'est plus dans « {} »",
                check.store
            ),
            vec![],
            "on remonte à côté, dans un autre dossier et un autre serveur : ceux qui travaillent n'ont rien demandé",
        );
    }
    Verdict::Pass { facts }
}

#[cfg(test)]
mod tests {
    use super::super::backup::base::Restored;
    use super::*;
    use crate::check::testing::FakeWorld;

    fn check() -> Rewinds {
        Rewinds {
            service: "sauvegarde".into(),
            copy: "copier".into(),
            rewind: "remonter".into(),
            store: "postgres".into(),
        }
    }

    fn truth(text: &str) -> Truth {
        Truth { main: vec![vec![Some(text.to_owned())]], other: vec![vec![None]] }
    }

    fn done(code: i64, err: &str) -> Executed {
        Executed { code: Some(code), err: err.to_owned(), ..Executed::default() }
    }

    fn gives(held: &Truth) -> Restored {
        Restored {
            length: Some(9),
            kind: "texte SQL",
            main: Some(held.main.clone()),
            other: Some(held.other.clone()),
            ..Restored::default()
        }
    }

    fn seen() -> Rewound {
        let asked = ["12:00:01+00", "12:00:02+00"].map(|at| Asked {
            at: at.to_owned(),
            truth: truth(at),
            done: Some(done(0, "")),
            restored: gives(&truth(at)),
        });
        Rewound { start: truth("start"), copied: done(0, ""), asked: asked.to_vec(), intact: true }
    }

    fn told(seen: &Rewound) -> (String, String) {
        match rewound(&check(), &FakeWorld::lab02(), seen) {
            Verdict::Fail(miss) => (miss.headline, miss.hint),
            other => (format!("{other:?}"), String::new()),
        }
    }

    #[test]
    fn both_instants() {
        let verdict = rewound(&check(), &FakeWorld::lab02(), &seen());
        let Verdict::Pass { facts } = verdict else { panic!("{verdict:?}") };
        assert_eq!(facts.len(), 2);
    }

    #[test]
    fn another_moment() {
        let mut all = seen();
        all.asked[0].restored = gives(&all.start);
        assert!(told(&all).0.contains("copie de départ"));
        all.asked[0].restored = gives(&truth("12:00:02+00"));
        assert!(told(&all).0.contains("autre instant"));
        all.asked[0].restored = gives(&truth("?"));
        assert!(told(&all).0.contains("n'est pas celle"));
        all.asked[0].restored = Restored { main: None, other: None, ..gives(&truth("?")) };
        assert!(told(&all).0.contains("n'a pas les tables"));
        all.asked[0].restored = Restored::default();
        assert!(told(&all).0.contains("rien n'est écrit"));
        // The second one counts as much.
        let mut all = seen();
        all.asked[1].restored = gives(&truth("12:00:01+00"));
        assert!(told(&all).0.contains("autre instant"));
    }

    #[test]
    fn commands_that_fail() {
        let mut all = seen();
        all.copied = done(1, "FATAL:  no pg_hba.conf entry for replication connection from host");
        assert!(told(&all).0.contains("copie du serveur échoue") && told(&all).1.contains("réplication"));
        let mut all = seen();
        all.asked[1].done =
            Some(done(1, "FATAL:  recovery ended before configured recovery target was reached"));
        assert!(told(&all).0.contains("échoue") && told(&all).1.contains("archivé"));
        all.asked[1].done = Some(done(127, ""));
        assert!(told(&all).1.contains("à la main"));
    }

    #[test]
    fn a_database_in_service_that_went_back() {
        let all = Rewound { intact: false, ..seen() };
        assert!(told(&all).0.contains("remontée elle aussi"));
    }
}
