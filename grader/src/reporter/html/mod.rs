//! A run as one self-contained page: no script, nothing loaded, readable by keyboard and on paper.
//!
//! Every string is made visible and escaped where it enters the page, whatever the template does.

mod drawing;
mod theme;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, Output, State, context, escape_formatter};
use sha2::{Digest, Sha256};

pub use self::theme::Theme;
use super::{Reporter, clean};
use crate::event::{Event, Place, Timeline};
use crate::french;
use crate::report::class::Settled;
use crate::report::{Fold, Report};

/// Writes the page, once, at the end.
#[derive(Default)]
pub struct Html {
    fold: Fold,
}

impl Reporter for Html {
    fn event(&mut self, event: &Event, _out: &mut dyn Write) -> io::Result<()> {
        self.fold.push(event.clone());
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = std::mem::take(&mut self.fold).finish();
        let page = render(&report).map_err(io::Error::other)?;
        out.write_all(page.as_bytes())?;
        out.flush()
    }
}

/// The page of a report.
///
/// # Errors
///
/// When the template is wrong.
pub fn render(report: &Report) -> Result<String, Error> {
    render_with(report, &Theme::default())
}

/// The page of a report, by these templates.
///
/// # Errors
///
/// When the template is wrong.
pub fn render_with(report: &Report, theme: &Theme) -> Result<String, Error> {
    render_for(report, None, theme)
}

/// The page of a report, with the note that a course makes of it.
///
/// # Errors
///
/// When the template is wrong.
pub fn render_for(report: &Report, settled: Option<&Settled>, theme: &Theme) -> Result<String, Error> {
    let course = settled.map(|settled| {
        context! {
            headline => settled.headline(),
            lines => settled.lines(),
            partly => !settled.partly.is_empty(),
        }
    });
    let mut env = environment();
    env.add_template("report.html", &theme.report)?;
    env.get_template("report.html")?.render(context! {
        report => Value::from(Serde(report)),
        course => course,
        style => Value::from_safe_string(theme.report_css.clone()),
        style_hash => digest(&theme.report_css),
    })
}

/// What the content policy of a page calls this style or script.
pub(crate) fn digest(text: &str) -> Value {
    let digest = STANDARD.encode(Sha256::digest(text.as_bytes()));
    Value::from_safe_string(format!("sha256-{digest}"))
}

/// An environment in which every string is made visible and escaped, and the filters of the pages.
pub(crate) fn environment<'a>() -> Environment<'a> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_formatter(visible);
    env.add_filter("t", |text: String| french::typeset(&clean::inline(&text)));
    env.add_filter("number", french::number);
    env.add_filter("mark", french::mark);
    env.add_filter("percent", french::percent);
    env.add_filter("duration", french::duration);
    env.add_filter("moment", |at: String| french::moment(&at));
    env.add_filter("lines", |text: String| clean::block(&text));
    env.add_filter("marked", |place: Serde<Place>| marked(&place.0));
    env.add_filter("drawn", |line: Serde<Timeline>| Value::from(Serde(drawing::of(&line.0))));
    env
}

/// Shows what is hidden in a string, then escapes it.
fn visible(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.kind() == ValueKind::String && !value.is_safe() {
        let text = value.as_str().unwrap_or_default();
        return escape_formatter(out, state, &Value::from(clean::visible(text)));
    }
    escape_formatter(out, state, value)
}

/// The marked lines of the student's file, each in three parts: before the mark, under it, after it.
fn marked(place: &Place) -> Value {
    let marks = std::iter::once(&place.mark).chain(&place.also).map(|mark| {
        let chars: Vec<char> = mark.text.chars().collect();
        let from = mark.column.saturating_sub(1).min(chars.len());
        let to = (from + mark.width).min(chars.len());
        let part = |range: &[char]| range.iter().collect::<String>();
        context! {
            line => mark.line,
            before => part(&chars[..from]),
            under => part(&chars[from..to]),
            after => part(&chars[to..]),
            label => mark.label.as_str(),
        }
    });
    Value::from(marks.collect::<Vec<Value>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn page(events: Vec<Event>) -> String {
        render(&Report::fold(events)).expect("rendered")
    }

    #[test]
    fn every_outcome_has_a_page() {
        let all = [sample::mixed(), sample::perfect(), vec![]];
        for events in all {
            let page = page(events);
            assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
            assert!(!page.contains("<script") && !page.contains(" style=\""), "no script, no inline style");
            assert!(!page.contains("{{") && !page.contains("undefined") && !page.contains("none,"));
        }
    }

    #[test]
    fn a_hostile_string_is_only_text() {
        let mut events = sample::mixed();
        let hostile = "<script>alert(1)</script>\u{202e}\" onload=x ${{ 1 }} {{ 7*7 }}\u{1b}[2J";
        for event in &mut events {
            match event {
                Event::RunStarted(start) => start.submission = hostile.to_owned(),
                Event::Checked(checked) => {
                    if let crate::event::Verdict::Fail(miss) = &mut checked.verdict {
                        miss.observed = hostile.to_owned();
                        miss.noted = vec![hostile.to_owned()];
                        if let Some(place) = &mut miss.place {
                            place.file = hostile.to_owned();
                            place.mark.text = hostile.to_owned();
                        }
                    }
                }
                _ => {}
            }
        }
        let page = page(events);
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{1b}'));
        assert!(!page.contains("49") || page.contains("7*7"), "nothing of it is evaluated");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn whole_page() {
        insta::assert_snapshot!(page(sample::mixed()));
    }
}
