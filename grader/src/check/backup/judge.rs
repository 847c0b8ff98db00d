//! Judging the calls and what was restored.

use serde_json::json;

use super::base::{Restored, Rows, unrunnable};
use super::run::Calls;
use super::world::World;
use super::{Backup, tell};
use crate::event::{Fact, Miss, Verdict};

fn base(check: &Backup, world: &dyn World) -> Miss {
    Miss {
        place: world.place(&["services", &check.service], "service de sauvegarde"),
        try_it: format!(
            "docker compose exec -e {}=3 {} {} && docker compose exec {} ls -l {}",
            check.keep, check.service, check.command, check.service, check.dir
        ),
        ..Miss::default()
    }
}

fn files(n: usize) -> String {
    match n {
        0 => "aucun fichier".to_owned(),
        1 => "1 fichier".to_owned(),
        n => format!("{n} fichiers"),
    }
}

/// Each call makes one file, that was not there.
pub fn dumps(check: &Backup, world: &dyn World, calls: &Calls) -> Verdict {
    let base = Miss {
        expected: format!(
            "chaque appel de « {} » dans « {} » se termine par 0 et ajoute un fichier, et un seul, à {}",
            check.command, check.service, check.dir
        ),
        ..base(check, world)
    };
    for (rank, call) in calls.each.iter().enumerate() {
        if !call.done.ok() {
            let observed = match call.done.code {
                Some(126 | 127) => unrunnable(&check.command),
                Some(code) => format!("appel n° {} : sorti avec le code {code}", rank + 1),
                None => format!("appel n° {} : pas fini en 30 s", rank + 1),
            };
            let mut noted = tell::tail(&call.done.err, 4);
            noted.extend(tell::tail(&String::from_utf8_lossy(&call.done.out), 2));
            return Verdict::Fail(Box::new(Miss {
                headline: "la sauvegarde à la demande échoue".to_owned(),
                observed,
                noted,
                hint: "lancez la même commande à la main : ce qu'elle écrit en dit plus que son code"
                    .to_owned(),
                ..base
            }));
        }
        if call.new.len() != 1 {
            let (headline, hint) = if call.new.is_empty() {
                (
                    "un appel n'ajoute aucun fichier",
                    "un fichier au nom déjà pris remplace le précédent ; où va celui-ci, sous quel nom, et la rotation le supprime-t-elle aussitôt ?",
                )
            } else {
                ("un appel ajoute plusieurs fichiers", "une sauvegarde, un fichier")
            };
            return Verdict::Fail(Box::new(Miss {
                headline: headline.to_owned(),
                observed: match call.new.as_slice() {
                    [] => format!(
                        "appel n° {}, 2 s après le précédent : aucun fichier de plus dans {}",
                        rank + 1,
                        check.dir
                    ),
                    new => format!(
                        "appel n° {} : {} de plus dans {} ({})",
                        rank + 1,
                        files(new.len()),
                        check.dir,
                        tell::names(new)
                    ),
                },
                hint: hint.to_owned(),
                ..base
            }));
        }
    }
    Verdict::Pass {
        facts: vec![Fact::new(
            "calls",
            calls.each.len(),
            format!("{} appels, un fichier chacun ; le dernier : {}", calls.each.len(), last(calls)),
        )],
    }
}

fn last(calls: &Calls) -> String {
    calls.each.last().and_then(|c| c.new.first()).map(|name| tell::cut(name, 60)).unwrap_or_default()
}

/// What is left is the latest dumps, as many as asked.
pub fn rotation(check: &Backup, world: &dyn World, calls: &Calls) -> Verdict {
    let mut wanted: Vec<&String> =
        calls.each.iter().rev().take(calls.keep).flat_map(|call| &call.new).collect();
    wanted.sort();
    let mut left: Vec<&String> = calls.left.iter().collect();
    left.sort();
    let facts = vec![Fact::new(
        "left",
        json!(calls.left),
        format!("{}={}, {} appels : {} restent", check.keep, calls.keep, calls.each.len(), files(left.len())),
    )];
    if left == wanted {
        return Verdict::Pass { facts };
    }
    let lost: Vec<&&String> = wanted.iter().filter(|name| !left.contains(name)).collect();
    let (headline, hint) = if left.len() > calls.keep {
        ("d'anciennes sauvegardes restent", "qui supprime, quand, et lit-il la variable à chaque appel ?")
    } else if lost.is_empty() || left.len() == calls.keep {
        (
            "ce ne sont pas les plus récentes qui restent",
            "dans quel ordre le tri les rend-il : du plus ancien au plus récent, ou l'inverse ?",
        )
    } else {
        (
            "il reste trop peu de sauvegardes",
            "combien sont supprimées de trop ? Un décalage d'une unité suffit",
        )
    };
    Verdict::Fail(Box::new(Miss {
        headline: headline.to_owned(),
        expected: format!(
            "avec {}={}, les {} fichiers des derniers appels, et rien d'autre, dans {}",
            check.keep, calls.keep, calls.keep, check.dir
        ),
        observed: format!(
            "après {} appels : {} ({})",
            calls.each.len(),
            files(left.len()),
            tell::names(&left)
        ),
        noted: if lost.is_empty() {
            vec![]
        } else {
            vec![format!("supprimées alors qu'elles sont récentes : {}", tell::names(&lost))]
        },
        control: format!(
            "la variable est donnée à chaque appel ; {} avant le premier",
            files(calls.before.len())
        ),
        hint: hint.to_owned(),
        facts,
        ..base(check, world)
    }))
}

/// How two tables differ; `None` when they are the same, row by row.
pub fn differ(wanted: &Rows, got: Option<&Rows>) -> Option<String> {
    let Some(got) = got else { return Some("la table n'existe pas".to_owned()) };
    if wanted == got {
        return None;
    }
    let missing = wanted.iter().filter(|row| !got.contains(row)).count();
    let strange = got.iter().filter(|row| !wanted.contains(row)).count();
    Some(format!(
        "{} lignes au lieu de {} ; {missing} manquent ou diffèrent, {strange} sont de trop",
        got.len(),
        wanted.len()
    ))
}

/// The restored tables are those of the moment of the dump.
pub fn restored(check: &Backup, world: &dyn World, calls: &Calls, restored: &Restored) -> Verdict {
    let base = Miss {
        expected: "la plus ancienne des sauvegardes gardées, restaurée dans un serveur vide, rend les lignes du moment où elle a été faite".to_owned(),
        ..base(check, world)
    };
    let Some((call, file)) = calls.chosen() else {
        return Verdict::Fail(Box::new(Miss {
            headline: "aucune sauvegarde à restaurer".to_owned(),
            observed: format!("aucun fichier de ces appels ne reste dans {}", check.dir),
            hint: "les appels en ont ajouté : est-ce la rotation qui supprime les plus récentes ?".to_owned(),
            ..base
        }));
    };
    let Some(length) = restored.length else {
        return Verdict::Fail(Box::new(Miss {
            headline: "la sauvegarde ne se lit pas".to_owned(),
            observed: format!("{} : {}", tell::cut(file, 60), tell::cut(&restored.said, 120)),
            ..base
        }));
    };
    let facts = vec![
        Fact::new("file", file, format!("{} : {length} octets, {}", tell::cut(file, 60), restored.kind)),
        Fact::new(
            "empty",
            restored.tables_before,
            format!("tables du serveur vide avant : {}", restored.tables_before),
        ),
        Fact::new(
            "rows",
            call.truth.main.len(),
            format!("{} et {} lignes comparées une à une", call.truth.main.len(), call.truth.other.len()),
        ),
    ];
    let main = differ(&call.truth.main, restored.main.as_ref());
    let other = differ(&call.truth.other, restored.other.as_ref());
    if main.is_none() && other.is_none() {
        return Verdict::Pass { facts };
    }
    let later =
        calls.each.iter().any(|c| c.truth != call.truth && Some(&c.truth.main) == restored.main.as_ref());
    let (headline, hint) = match (&main, &other) {
        _ if length == 0 => (
            "la sauvegarde est vide",
            "un fichier créé n'est pas un fichier écrit : que vaut le code de sortie de pg_dump, surtout au début d'un tube ?",
        ),
        _ if later => (
            "la sauvegarde contient un autre moment que le sien",
            "un fichier écrit une fois ne doit plus changer",
        ),
        (None, Some(_)) => (
            "la sauvegarde n'a pas toute la base",
            "une base a plusieurs schémas : lesquels sont sauvegardés ?",
        ),
        _ if restored.main.is_none() => (
            "la sauvegarde ne rend pas la table",
            "quelle base est sauvegardée ? Et le fichier va-t-il jusqu'au bout ?",
        ),
        _ => (
            "la sauvegarde ne rend pas les mêmes lignes",
            "structure sans données, fichier coupé, tables choisies : comparez le contenu, pas la présence du fichier",
        ),
    };
    let mut noted: Vec<String> = Vec::new();
    noted.extend(main.map(|text| format!("table de « public » : {text}")));
    noted.extend(other.map(|text| format!("table d'un autre schéma : {text}")));
    noted.extend(tell::tail(&restored.said, 3));
    Verdict::Fail(Box::new(Miss {
        headline: headline.to_owned(),
        observed: format!("{}, {length} octets ({})", tell::cut(file, 60), restored.kind),
        control: format!(
            "les lignes ont été écrites par le correcteur, relues dans « {} » juste avant l'appel ; le serveur vide avait {} table(s)",
            check.store, restored.tables_before
        ),
        noted,
        hint: hint.to_owned(),
        facts,
        ..base
    }))
}

#[cfg(test)]
mod tests {
    use super::super::Proof;
    use super::super::base::Truth;
    use super::super::database::Login;
    use super::super::deep::Executed;
    use super::super::run::Call;
    use super::*;
    use crate::check::testing::FakeWorld;

    fn row(text: &str) -> Vec<Option<String>> {
        vec![Some(text.to_owned()), None]
    }

    fn check() -> Backup {
        Backup {
            proof: Proof::Dump,
            service: "sauvegarde".into(),
            command: "sauvegarder".into(),
            dir: "/sauvegardes".into(),
            keep: "RETENTION".into(),
            store: "postgres".into(),
        }
    }

    /// Four calls that keep the two latest files.
    fn calls() -> Calls {
        let each = (0..4).map(|n| Call {
            done: Executed { code: Some(0), ..Executed::default() },
            new: vec![format!("d{n}")],
            truth: Truth { main: vec![row("a"), row(&n.to_string())], other: vec![row("b")] },
        });
        Calls {
            lines: std::collections::BTreeSet::new(),
            keep: 2,
            each: each.collect(),
            left: vec!["d2".into(), "d3".into()],
            before: vec![],
            login: Login { user: "tp".into(), password: None, dbname: "tp".into() },
            tables: (String::new(), String::new()),
        }
    }

    fn given(calls: &Calls, call: usize) -> Restored {
        let Truth { main, other } = calls.each[call].truth.clone();
        Restored {
            length: Some(9),
            kind: "texte SQL",
            main: Some(main),
            other: Some(other),
            ..Restored::default()
        }
    }

    fn headline(verdict: Verdict) -> String {
        match verdict {
            Verdict::Fail(miss) => miss.headline,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn calls_that_are_as_asked() {
        let (world, all) = (FakeWorld::lab02(), calls());
        assert!(matches!(dumps(&check(), &world, &all), Verdict::Pass { .. }));
        assert!(matches!(rotation(&check(), &world, &all), Verdict::Pass { .. }));
        assert_eq!(all.chosen().map(|(_, file)| file), Some("d2"));
        assert!(matches!(restored(&check(), &world, &all, &given(&all, 2)), Verdict::Pass { .. }));
    }

    #[test]
    fn calls_that_are_not() {
        let world = FakeWorld::lab02();
        let mut same = calls();
        same.each[1].new.clear();
        assert!(headline(dumps(&check(), &world, &same)).contains("aucun fichier"));
        let mut failing = calls();
        failing.each[0].done.code = Some(127);
        assert!(headline(dumps(&check(), &world, &failing)).contains("échoue"));
        let mut all = calls();
        all.left = ["d0", "d1", "d2", "d3"].map(str::to_owned).to_vec();
        assert!(headline(rotation(&check(), &world, &all)).contains("anciennes"));
        all.left = vec!["d3".into()];
        assert!(headline(rotation(&check(), &world, &all)).contains("trop peu"));
        all.left = vec!["d0".into(), "d1".into()];
        assert!(headline(rotation(&check(), &world, &all)).contains("pas les plus récentes"));
    }

    #[test]
    fn dumps_that_give_something_else_back() {
        let (world, all) = (FakeWorld::lab02(), calls());
        let told = |restored_: Restored| headline(restored(&check(), &world, &all, &restored_));
        assert!(told(given(&all, 3)).contains("un autre moment"));
        assert!(told(Restored { other: None, ..given(&all, 2) }).contains("pas toute la base"));
        assert!(told(Restored { main: None, ..given(&all, 2) }).contains("ne rend pas la table"));
        assert!(told(Restored { main: Some(vec![]), ..given(&all, 2) }).contains("pas les mêmes lignes"));
        assert!(told(Restored { length: Some(0), main: None, ..given(&all, 2) }).contains("vide"));
        assert!(told(Restored::default()).contains("ne se lit pas"));
    }

    #[test]
    fn tables_are_compared_row_by_row() {
        let wanted = vec![row("a"), row("b")];
        assert_eq!(differ(&wanted, Some(&wanted.clone())), None);
        assert!(differ(&wanted, None).is_some_and(|t| t.contains("n'existe pas")));
        let got = vec![row("a"), row("c")];
        assert!(
            differ(&wanted, Some(&got))
                .is_some_and(|t| t.contains("1 manquent") && t.contains("1 sont de trop"))
        );
    }
}
