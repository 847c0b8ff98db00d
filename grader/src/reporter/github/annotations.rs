//! Annotations, within what Actions keeps: 10 of a kind in a step.

use std::io;

use crate::event::{Level as Severity, Place, Verdict};
use crate::report::{CheckResult, Outcome, Report, Standing};
use crate::reporter::encode::command::{Commands, Level, Spot};
use crate::reporter::words;

/// Annotations of a kind that a step may show.
const MOST: usize = 10;

/// One annotation.
struct Note {
    level: Level,
    spot: Option<Spot>,
    title: String,
    message: String,
}

/// Writes the annotations of a run; `root` is the submission's folder in the repository.
pub fn annotate(commands: &mut Commands<'_>, report: &Report, root: &str) -> io::Result<()> {
    let notes = notes(report, root);
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let of: Vec<&Note> = notes.iter().filter(|note| note.level == level).collect();
        let shown = if of.len() > MOST { MOST - 1 } else { of.len() };
        for note in &of[..shown] {
            commands.annotate(level, note.spot.as_ref(), &note.title, &note.message)?;
        }
        if of.len() > shown {
            let more = format!("et {} autres : tout est dans le résumé et dans le rapport", of.len() - shown);
            commands.annotate(level, None, &words::lab(report), &more)?;
        }
    }
    Ok(())
}

fn notes(report: &Report, root: &str) -> Vec<Note> {
    let mut notes = vec![Note {
        level: if words::is_final(report) { Level::Notice } else { Level::Warning },
        spot: None,
        title: words::lab(report),
        message: words::verdict(report),
    }];
    let at = |place: Option<&Place>| place.and_then(|place| spot(place, root));
    match &report.outcome {
        Outcome::Graded => {}
        Outcome::Refused(refusals) => notes.extend(refusals.iter().map(|refusal| Note {
            level: Level::Error,
            spot: at(refusal.place.as_ref()),
            title: format!("refusé · {}", refusal.what),
            message: format!("pourquoi : {}\nà la place : {}", refusal.why, refusal.instead),
        })),
        Outcome::Invalid(problems) => notes.extend(problems.iter().map(|problem| Note {
            level: Level::Error,
            spot: at(problem.place.as_ref()),
            title: format!("invalide · {}", problem.what),
            message: format!("à faire : {}", problem.todo),
        })),
        Outcome::NotGraded(fault) => notes.push(Note {
            level: Level::Error,
            spot: None,
            title: "non noté".to_owned(),
            message: format!("{}\nà faire : {}", fault.what, fault.todo),
        }),
    }
    notes.extend(report.checks.iter().filter_map(|result| of_check(result, report, root)));
    notes.extend(report.notices.iter().map(|notice| Note {
        level: match notice.level {
            Severity::Info => Level::Notice,
            Severity::Warning => Level::Warning,
        },
        spot: at(notice.place.as_ref()),
        title: "à savoir, sans effet sur la note".to_owned(),
        message: notice.text.clone(),
    }));
    notes
}

fn of_check(result: &CheckResult, report: &Report, root: &str) -> Option<Note> {
    match (&result.verdict, result.standing) {
        (Some(Verdict::Fail(miss)), _) => {
            // The place is the annotation's own.
            let parts = words::parts(miss).into_iter().filter(|(label, _)| *label != "où");
            let lines: Vec<String> = parts.map(|(label, text)| format!("{label} : {text}")).collect();
            Some(Note {
                level: Level::Error,
                spot: miss.place.as_ref().and_then(|place| spot(place, root)),
                title: format!("{} · {} · {}", result.card.id, words::headline(result), words::share(result)),
                message: lines.join("\n"),
            })
        }
        (_, Standing::Ungraded) if report.score.is_some() => Some(Note {
            level: Level::Warning,
            spot: None,
            title: format!("{} · non noté · {}", result.card.id, words::share(result)),
            message: words::reason(result),
        }),
        // What blocks it is told already.
        _ => None,
    }
}

/// The place in the repository; nothing when the path leaves the submission.
fn spot(place: &Place, root: &str) -> Option<Spot> {
    let inside = place.file.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let file = if root.is_empty() { place.file.clone() } else { format!("{root}/{}", place.file) };
    let column = place.mark.column.max(1);
    let end_column = column.saturating_add(place.mark.width.max(1));
    inside.then(|| Spot { file, line: place.mark.line.max(1), column, end_column })
}
