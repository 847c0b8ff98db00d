//! French typography of everything that a student reads.

use crate::event::{Notice, Problem, Refusal};

/// French typography: no-break spaces inside guillemets and before double punctuation.
pub(super) fn typeset(text: &str) -> String {
    let mut out = text.replace("« ", "«\u{a0}").replace(" »", "\u{a0}»");
    for sign in [':', ';', '?'] {
        out = out.replace(&format!(" {sign} "), &format!("\u{a0}{sign} "));
        if let Some(head) = out.strip_suffix(&format!(" {sign}")) {
            out = format!("{head}\u{a0}{sign}");
        }
    }
    out
}

/// Typesets every French part.
pub(super) fn typeset_problems(mut problems: Vec<Problem>) -> Vec<Problem> {
    for problem in &mut problems {
        problem.what = typeset(&problem.what);
        problem.todo = typeset(&problem.todo);
    }
    problems
}

/// Typesets every French part.
pub(super) fn typeset_refusals(mut refusals: Vec<Refusal>) -> Vec<Refusal> {
    for refusal in &mut refusals {
        for text in [&mut refusal.what, &mut refusal.why, &mut refusal.instead] {
            *text = typeset(text);
        }
    }
    refusals
}

/// Typesets every French part.
pub(super) fn typeset_notices(mut notices: Vec<Notice>) -> Vec<Notice> {
    for notice in &mut notices {
        notice.text = typeset(&notice.text);
    }
    notices
}
