//! The policy's opinion of a folder.

use super::page::{Page, Tone};
use super::{Options, changes, check, notices, verdict};
use crate::event::{Decision, Opinion};
use crate::french::count;
use crate::reporter::clean;

/// The opinion as text; `model` is the rewritten file, when it was asked for.
pub fn opinion(opinion: &Opinion, model: Option<&str>, options: Options) -> String {
    let mut page = Page::new(options.width, options.color);
    page.title(Tone::Strong, "Politique", "· avis sur un projet Compose, rien n'est démarré", "");
    page.field("dossier", &opinion.submission);
    notices(&mut page, &opinion.notices);
    for refusal in &opinion.refusals {
        page.blank();
        check::refusal(&mut page, refusal);
    }
    for problem in &opinion.problems {
        page.blank();
        check::problem(&mut page, problem);
    }
    changes(&mut page, &opinion.changes);
    if let Some(model) = model {
        page.blank();
        page.text(Tone::Strong, "Le fichier qui serait démarré (sous-réseaux donnés en exemple)");
        page.blank();
        for line in model.lines() {
            page.line(&[(Tone::Plain, line)]);
        }
    }
    match opinion.decision {
        Decision::Accepted => {
            let what = match opinion.changes.len() {
                0 => "ce projet serait démarré tel quel".to_owned(),
                n => format!("ce projet serait démarré, avec {}", count(n, "changement", "changements")),
            };
            page.blank();
            page.title(Tone::Good, "Accepté", &format!("· {what}"), "");
            if model.is_none() {
                let command = format!("grader policy {} --model", clean::inline(&opinion.submission));
                page.command("suite", &command);
            }
        }
        Decision::Refused => verdict(&mut page, "Refusé", "ce projet ne serait pas démarré"),
        Decision::Invalid => verdict(&mut page, "Invalide", "ce projet ne peut pas être démarré"),
    }
    page.into_text()
}
