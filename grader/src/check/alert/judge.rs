//! Judgement of the live experiment, in French.

use std::time::Duration;

use super::super::prom::{AlertState, span};
use super::super::promql;
use super::super::rules::files::{self, Files};
use super::super::{Cx, kit, tell};
use super::live::{Hurdle, Outcome, Run};
use super::show::{facts, when};
use super::window::{self, Broken, told};
use super::{Alert, twin};
use crate::error::Fault;
use crate::event::{Miss, Place, Verdict};
use crate::time::Judgement;

fn base(alert: &Alert, run: &Run) -> Miss {
    let asked = alert.asked();
    Miss {
        expected: format!(
            "« firing » entre {} et {} après l'arrêt de « {} »",
            told(asked.not_before),
            told(asked.by),
            alert.after.stop
        ),
        facts: facts(alert, run),
        try_it: format!(
            "docker compose stop {stop}; sleep {}; docker compose exec {} promtool query instant http://localhost:{} ALERTS; docker compose start {stop}",
            asked.by.as_secs() + 5,
            alert.service,
            alert.port,
            stop = alert.after.stop,
        ),
        ..Miss::default()
    }
}

/// The verdict on an experiment.
pub async fn verdict(alert: &Alert, cx: &Cx<'_>, outcome: &Outcome) -> Result<Verdict, Fault> {
    let twin = twin::shared(cx, &alert.service, alert.port).await?;
    let run = match outcome {
        Outcome::Ran(run) => run,
        Outcome::Stopped(hurdle) => return tell::fail(hindered(alert, cx, &twin.files, hurdle)),
    };
    if run.pending.until.is_none() {
        if run.failed.until.is_none() && run.pace.scrape <= alert.asked().by {
            let what = format!("Prometheus n'a pas vu l'arrêt de « {} »", alert.after.stop);
            return Ok(Verdict::Inconclusive { fault: kit::noise(what), facts: facts(alert, run) });
        }
        if run.strained {
            return Ok(behind(alert, run));
        }
        return tell::fail(never(alert, cx, &twin.files, run));
    }
    let kept = window::keeps(run.promise(), alert.asked());
    if kept.is_ok() && run.shaken {
        let what = "une autre cible de Prometheus est tombée pendant la mesure, et l'alerte ne dit pas laquelle elle voit";
        return Ok(Verdict::Inconclusive { fault: kit::noise(what), facts: facts(alert, run) });
    }
    match (kept, run.judged()) {
        (Err(broken), _) => tell::fail(promised(alert, cx, &twin.files, run, broken)),
        (Ok(()), Judgement::Inside) if run.resolved.until.is_none() => {
            tell::fail(endless(alert, cx, &twin.files, run))
        }
        (Ok(()), Judgement::Inside) => tell::pass(facts(alert, run)),
        (Ok(()), Judgement::Straddles) => Ok(Verdict::Inconclusive {
            fault: kit::noise("la mesure est trop grossière pour dire si l'alerte est à l'heure"),
            facts: facts(alert, run),
        }),
        (Ok(()), _) if run.strained => Ok(behind(alert, run)),
        (Ok(()), judgement) => tell::fail(measured(alert, cx, &twin.files, run, judgement)),
    }
}

/// The machine did not follow.
fn behind(alert: &Alert, run: &Run) -> Verdict {
    let fault = kit::noise("Prometheus n'a pas pu tenir son propre rythme pendant la mesure");
    Verdict::Inconclusive { fault, facts: facts(alert, run) }
}

/// What kept the experiment from being made.
fn hindered(alert: &Alert, cx: &Cx<'_>, files: &Files, hurdle: &Hurdle) -> Miss {
    let name = &alert.name;
    let stop = &alert.after.stop;
    let asked = alert.asked();
    let miss = Miss {
        expected: format!(
            "« {name} » en « firing » entre {} et {} après l'arrêt de « {stop} »",
            told(asked.not_before),
            told(asked.by)
        ),
        try_it: format!(
            "docker compose exec {} wget -qO- http://localhost:{}/api/v1/rules",
            alert.service, alert.port
        ),
        ..Miss::default()
    };
    match hurdle {
        Hurdle::Silent(why) => Miss {
            headline: "Prometheus ne répond pas".to_owned(),
            observed: why.clone(),
            place: cx.world.place(&["services", &alert.service], "Prometheus"),
            hint: "sans Prometheus, aucune alerte : commencez par son journal".to_owned(),
            try_it: format!("docker compose logs {}", alert.service),
            ..miss
        },
        Hurdle::NoAlert(names) => Miss {
            headline: format!("l'alerte « {name} » n'est pas chargée"),
            observed: if names.is_empty() {
                "aucune alerte dans Prometheus".to_owned()
            } else {
                format!("alertes chargées : {}", tell::names(names))
            },
            hint: "un fichier de règles doit être monté, puis nommé dans la configuration".to_owned(),
            ..miss
        },
        Hurdle::NoTarget(seen) => Miss {
            headline: format!("Prometheus ne collecte rien de « {stop} »"),
            observed: format!("cibles : {}", tell::names(seen)),
            hint: "une panne ne se voit que sur une cible que Prometheus interroge".to_owned(),
            try_it: format!(
                "docker compose exec {} wget -qO- http://localhost:{}/api/v1/targets",
                alert.service, alert.port
            ),
            ..miss
        },
        Hurdle::Down(error) => Miss {
            headline: format!("la cible « {stop} » est déjà en échec avant tout arrêt"),
            observed: format!("dernière collecte : {error}"),
            hint: "une alerte qui compte le temps d'une panne veut d'abord une cible en marche".to_owned(),
            ..miss
        },
        Hurdle::Active(state) => Miss {
            headline: format!("« {name} » est active alors que tout va bien"),
            observed: match state {
                AlertState::Firing => "« firing » avant que rien ne soit arrêté".to_owned(),
                _ => "« pending » avant que rien ne soit arrêté".to_owned(),
            },
            control: format!("la cible « {stop} » répond à Prometheus"),
            place: files::place(cx.world, files, name, "expr", "expression vraie sans panne"),
            hint: "que vaut cette expression, demandée à Prometheus, quand tout marche ?".to_owned(),
            ..miss
        },
        Hurdle::Sick(error) => Miss {
            headline: format!("Prometheus n'arrive pas à évaluer « {name} »"),
            observed: error.clone(),
            place: files::place(cx.world, files, name, "expr", "évaluation en erreur"),
            hint: "essayez l'expression seule, dans la page de requêtes de Prometheus".to_owned(),
            ..miss
        },
    }
}

/// It never became active although the target is down.
fn never(alert: &Alert, cx: &Cx<'_>, files: &Files, run: &Run) -> Miss {
    let seen = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| format!("{k}=\"{}\"", tell::cut(v, 60))).collect::<Vec<_>>().join(", ")
    };
    let labels: Vec<(&str, &str)> = run.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    // A label that the expression wants and that the target does not have.
    let wrong = promql::selectors(&run.rule.query).into_iter().find_map(|selector| {
        let (label, wanted) = selector
            .equals
            .into_iter()
            .find(|(label, value)| label != "__name__" && run.labels.get(label) != Some(value))?;
        Some((selector.text, label, wanted))
    });
    let mut noted = vec![format!("expression : {}", tell::cut(&run.rule.query, 120))];
    if let Some((selector, label, _)) = &wrong {
        let real = run
            .labels
            .get(label)
            .map_or_else(|| "absent".to_owned(), |v| format!("\"{}\"", tell::cut(v, 60)));
        noted.push(format!(
            "{} ne désigne pas cette cible : son label {label} vaut {real}",
            tell::cut(selector, 80)
        ));
    }
    Miss {
        headline: format!("« {} » ne voit pas l'arrêt de « {} »", alert.name, alert.after.stop),
        observed: format!("ni « pending » ni « firing », en {}", told(run.pending.after * run.factor)),
        control: format!("up = 0 dans Prometheus {} pour {}", when(&run.failed, run.factor), seen(&labels)),
        noted,
        place: files::place(cx.world, files, &alert.name, "expr", "expression qui ne devient pas vraie"),
        hint: match wrong {
            Some((_, label, _)) => format!("quel {label} les séries de cette cible portent-elles vraiment ?"),
            None => "demandez à Prometheus la valeur de cette expression pendant la panne".to_owned(),
        },
        ..base(alert, run)
    }
}

/// Its configuration promises another window than the one asked for.
fn promised(alert: &Alert, cx: &Cx<'_>, files: &Files, run: &Run, broken: Broken) -> Miss {
    let promise = run.promise();
    let asked = alert.asked();
    let name = &alert.name;
    let judgement = asked.judge(window::scaled(run.firing.seen(), run.factor));
    let lucky = judgement == Judgement::Inside;
    let headline = match broken {
        Broken::Early if lucky => format!("« {name} » peut se déclencher trop tôt"),
        Broken::Early => format!("« {name} » se déclenche trop tôt"),
        Broken::Late if lucky => format!("« {name} » peut se déclencher trop tard"),
        Broken::Late => format!("« {name} » se déclenche trop tard"),
        Broken::Both => format!("rien n'assure que « {name} » se déclenche à temps"),
    };
    let mut observed =
        format!("{} : « firing » entre {} et {}", run.pace.sum(), told(promise.not_before), told(promise.by));
    observed.push_str(&format!("\nmesuré cette fois-ci : {}", when(&run.firing, run.factor)));
    if lucky {
        observed.push_str(", par chance");
    }
    let (hint, place) = cause(alert, cx, files, run, broken);
    Miss {
        headline,
        observed,
        control: format!("« pending » vu {}", when(&run.pending, run.factor)),
        place,
        hint,
        earned: alert.partial,
        earned_for: "l'alerte voit bien l'arrêt".to_owned(),
        ..base(alert, run)
    }
}

/// The duration at fault: hint and place.
fn cause(alert: &Alert, cx: &Cx<'_>, files: &Files, run: &Run, broken: Broken) -> (String, Option<Place>) {
    let asked = alert.asked();
    let rule = (alert.name.as_str(), Some(run.pace.hold));
    let at = |key: &str, label: &str| files::place_of(cx.world, files, rule, key, label);
    let in_config = |needle: &str, label: &str| {
        let file = files::submitted(cx.world, &files.path, files.text.as_deref())?;
        cx.world.place_in(&file, needle, label)
    };
    if run.pace.hold.is_zero() {
        let hint = "rien ne fait attendre cette règle : une seule collecte ratée la déclenche";
        return (hint.to_owned(), at("alert", "règle sans for:"));
    }
    if broken == Broken::Early {
        return (
            "combien de temps l'expression doit-elle rester vraie avant « firing » ?".to_owned(),
            at("for", "cette attente est plus courte que celle demandée"),
        );
    }
    if run.pace.hold > asked.by {
        return (
            "combien de temps l'expression doit-elle rester vraie avant « firing » ?".to_owned(),
            at("for", "cette attente dépasse déjà la limite"),
        );
    }
    if !run.pace.expression.is_zero() {
        return (
            "une moyenne ou un maximum sur une durée met cette durée à changer d'avis".to_owned(),
            at("expr", "l'expression elle-même attend avant de devenir vraie"),
        );
    }
    let written = files.text.as_deref().is_some_and(|t| t.contains("evaluation_interval"));
    let minute = run.pace.evaluation == Duration::from_secs(60);
    if let Some(place) = own_interval(alert, cx, files, run) {
        return ("ce groupe de règles a son propre rythme d'évaluation".to_owned(), Some(place));
    }
    if minute && !written {
        return (
            "sans evaluation_interval, Prometheus n'évalue les règles qu'une fois par minute".to_owned(),
            in_config("global:", "evaluation_interval n'est pas écrit ici : 1 minute par défaut"),
        );
    }
    if run.pace.evaluation >= run.pace.scrape
        && run.pace.evaluation > asked.by.saturating_sub(asked.not_before)
    {
        let found = in_config("evaluation_interval", "évaluations trop espacées");
        return ("à quel rythme les règles sont-elles évaluées ?".to_owned(), found);
    }
    if run.pace.scrape > run.pace.evaluation {
        let found = in_config("scrape_interval", "collectes trop espacées");
        return ("à quel rythme la cible est-elle interrogée ?".to_owned(), found);
    }
    (
        "additionnez : collecte, évaluation, puis for".to_owned(),
        at("for", "cette attente, plus une collecte et une évaluation"),
    )
}

/// Position of the interval that a group of rules sets for itself, when that is the one in force.
fn own_interval(alert: &Alert, cx: &Cx<'_>, files: &Files, run: &Run) -> Option<Place> {
    let declared = files.alert(&alert.name, Some(run.pace.hold))?;
    let text = files.texts.get(&declared.path)?;
    let before = text.lines().take(declared.lines.get("alert").copied().unwrap_or(1));
    let (line, shown) = before.enumerate().filter(|(_, l)| l.trim_start().starts_with("interval:")).last()?;
    let length = span::parse(shown.split_once(':')?.1.split('#').next()?.trim().trim_matches(['"', '\'']))?;
    let file = files::submitted(cx.world, &declared.path, Some(text))?;
    (length == run.pace.evaluation)
        .then(|| files::line_place(file, line + 1, shown, "rythme propre à ce groupe de règles"))
}

/// It was measured outside of what its own configuration promises.
fn measured(alert: &Alert, cx: &Cx<'_>, files: &Files, run: &Run, judgement: Judgement) -> Miss {
    let promise = run.promise();
    let late = judgement == Judgement::Late;
    Miss {
        headline: format!("« {} » se déclenche trop {}", alert.name, if late { "tard" } else { "tôt" }),
        observed: format!("« firing » {}", when(&run.firing, run.factor)),
        control: format!(
            "« pending » vu {} ; d'après ses durées ({}), elle devait se déclencher entre {} et {}",
            when(&run.pending, run.factor),
            run.pace.sum(),
            told(promise.not_before),
            told(promise.by)
        ),
        noted: vec![format!("expression : {}", tell::cut(&run.rule.query, 120))],
        place: files::place(
            cx.world,
            files,
            &alert.name,
            "expr",
            "expression qui devient vraie à un autre moment que la panne",
        ),
        hint: "une moyenne ou un maximum sur une durée met cette durée à changer d'avis".to_owned(),
        earned: alert.partial,
        earned_for: "l'alerte voit bien l'arrêt".to_owned(),
        ..base(alert, run)
    }
}

/// It goes on although the service is back.
fn endless(alert: &Alert, cx: &Cx<'_>, files: &Files, run: &Run) -> Miss {
    let watched = (run.resolved.after.saturating_sub(run.started)) * run.factor;
    Miss {
        headline: format!("« {} » ne se termine pas quand « {} » revient", alert.name, alert.after.stop),
        expected: format!("l'alerte terminée une fois « {} » de nouveau collecté", alert.after.stop),
        observed: format!("toujours active {} après le démarrage", told(watched)),
        place: files::place(cx.world, files, &alert.name, "expr", "expression qui reste vraie"),
        hint: "que vaut l'expression quand le service répond de nouveau ?".to_owned(),
        earned: alert.partial,
        earned_for: "l'alerte se déclenche à temps".to_owned(),
        ..base(alert, run)
    }
}
