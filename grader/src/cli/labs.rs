//! `list`, `hint`, `lab lint` and `lab schema`: nothing here needs an engine.

use std::path::Path;

use super::args::{HintArgs, LabLint};
use super::{places, shell, student};
use crate::error::ExitCode;
use crate::french;
use crate::lab::{self, Lab};

/// `grader list`
pub fn list() -> ExitCode {
    let labs = match places::labs() {
        Ok(labs) => labs,
        Err(e) => return shell::fault(&e),
    };
    let mut code = ExitCode::Passed;
    for dir in lab::list(&labs) {
        match places::lab_in(&labs, &dir) {
            Ok(lab) => shell::say(&format!(
                "{}  {:<46} {:>2} {}, {} {}",
                lab.id,
                lab.title,
                lab.checks.len(),
                if lab.checks.len() < 2 { "contrôle" } else { "contrôles" },
                french::number(lab.points()),
                if lab.points() < 2.0 { "point" } else { "points" },
            )),
            Err(e) => {
                shell::complain(&format!("erreur · {e}"));
                code = ExitCode::Usage;
            }
        }
    }
    code
}

/// `grader hint`
pub fn hint(args: &HintArgs, dir: Option<&Path>) -> ExitCode {
    let found = places::lab_and_check("hint", args.lab.as_deref(), args.check.as_deref(), dir);
    let (lab, check) = match found {
        Ok(found) => found,
        Err(code) => return code,
    };
    let Some(id) = &check else {
        for spec in &lab.checks {
            shell::say(&format!("{:<20} {} ({} indices)", spec.card.id, spec.card.title, spec.hints.len()));
        }
        return ExitCode::Passed;
    };
    let Some(spec) = lab.checks.iter().find(|s| &s.card.id == id) else {
        shell::complain(&format!(
            "erreur · pas de contrôle « {id} » dans le TP {}\n  à faire  grader hint {}",
            lab.id, lab.id
        ));
        return ExitCode::Usage;
    };
    match spec.hints.get(args.level.saturating_sub(1)) {
        Some(text) if args.level > 0 => {
            student::note_hint(&lab.id, id, args.level, dir);
            shell::say(&format!(
                "{} · indice {} sur {}\n  {text}",
                spec.card.id,
                args.level,
                spec.hints.len()
            ));
            if args.level < spec.hints.len() {
                shell::say(&format!("  suite    grader hint {} {id} --level {}", lab.id, args.level + 1));
            }
            ExitCode::Passed
        }
        _ => {
            shell::complain(&format!(
                "erreur · ce contrôle a {} indices, pas de niveau {}",
                spec.hints.len(),
                args.level
            ));
            ExitCode::Usage
        }
    }
}

/// `grader lab schema`
pub fn schema() -> ExitCode {
    match serde_json::to_string_pretty(&lab::json_schema()) {
        Ok(text) => {
            shell::say(&text);
            ExitCode::Passed
        }
        Err(e) => {
            shell::complain(&format!("erreur · {e}"));
            ExitCode::Bug
        }
    }
}

/// `grader lab lint`: everything that is wrong with a lab and can be seen without an engine.
pub fn lint(args: &LabLint) -> ExitCode {
    let labs = match places::labs() {
        Ok(labs) => labs,
        Err(e) => return shell::fault(&e),
    };
    let wanted: Vec<_> = match &args.lab {
        Some(id) => vec![lab::load(&labs, id)],
        None => lab::list(&labs).iter().map(|dir| places::lab_in(&labs, dir)).collect(),
    };
    let mut code = ExitCode::Passed;
    for lab in wanted {
        let problems = match lab {
            Ok(lab) => (lab.id.clone(), inspect(&lab)),
            Err(e) => ("??".to_owned(), vec![e.to_string()]),
        };
        for problem in &problems.1 {
            shell::complain(&format!("TP {} · {problem}", problems.0));
            code = ExitCode::Usage;
        }
        if problems.1.is_empty() {
            shell::say(&format!("TP {} · rien à redire", problems.0));
        }
    }
    code
}

/// Missing files, hints, anchors; variants that expect a check that does not exist.
fn inspect(lab: &Lab) -> Vec<String> {
    let mut problems = Vec::new();
    for file in ["statement.md", "starter", "solution"] {
        if !lab.dir.join(file).exists() {
            problems.push(format!("il manque « {file} »"));
        }
    }
    match lab.drawn(super::starter::ticket()) {
        Ok(drawn) => {
            let told = |lab: &Lab| lab.checks.iter().map(|c| c.card.clone()).collect::<Vec<_>>();
            if told(&drawn) != told(lab) {
                problems.push("un identifiant, un titre ou un nombre de points dépend du tirage".to_owned());
            }
        }
        Err(e) => problems.push(e.to_string()),
    }
    let statement = std::fs::read_to_string(lab.dir.join("statement.md")).unwrap_or_default();
    for spec in &lab.checks {
        let id = &spec.card.id;
        if spec.hints.len() < 2 {
            problems.push(format!("« {id} » : il faut au moins deux indices"));
        }
        match spec.card.course.split_once('#') {
            Some((_, anchor)) if statement.contains(&format!("{{#{anchor}}}")) => {}
            Some((_, anchor)) => {
                problems.push(format!("« {id} » : l'ancre #{anchor} n'est pas dans statement.md"));
            }
            None => problems.push(format!("« {id} » : course doit citer une ancre (chapitre#ancre)")),
        }
    }
    match super::variants::read(lab) {
        Ok(variants) => {
            for variant in variants {
                for id in variant.fail.iter().filter(|id| !lab.checks.iter().any(|c| &&c.card.id == id)) {
                    problems.push(format!("variante « {} » : contrôle inconnu « {id} »", variant.name));
                }
                let clean = variant.fail.is_empty() && variant.exit.is_none();
                let named = variant.name.split('-').next().unwrap_or_default();
                if (named == "ok" && !clean) || (named == "ko" && clean) {
                    problems.push(format!(
                        "variante « {} » : ok- et ko- ne disent pas la même chose que expect.toml",
                        variant.name
                    ));
                }
            }
        }
        Err(e) => problems.push(e),
    }
    problems
}
