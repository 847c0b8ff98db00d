//! The file of a course, read as `lab.toml` is: nothing unknown, mistakes with line and column.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{Adjustment, Attempts, Cost, Course, Deadline, Extension, Keep, dates};
use crate::lab::LabError;
use crate::lab::file::{fail, from_toml, position};
use crate::report::Detail;
use crate::time::Span;

/// The format of the file that this grader reads.
pub const FORMAT: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(default)]
    title: String,
    #[serde(default)]
    scale: Option<Spanned<f64>>,
    #[serde(default)]
    offset: Option<Spanned<String>>,
    #[serde(default)]
    detail: Detail,
    #[serde(default)]
    hidden: BTreeSet<String>,
    #[serde(default)]
    reveal: bool,
    #[serde(default)]
    deadline: Option<RawDeadline>,
    #[serde(default)]
    extension: Vec<RawExtension>,
    #[serde(default)]
    attempts: Option<RawAttempts>,
    #[serde(default)]
    bonus: RawBonus,
    #[serde(default)]
    adjustment: Vec<RawAdjustment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawDeadline {
    due: Spanned<String>,
    column: String,
    #[serde(default)]
    grace: Option<Span>,
    #[serde(default)]
    per_day: Option<Cost>,
    #[serde(default)]
    at_most: Option<Cost>,
    #[serde(default)]
    closed: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawExtension {
    keys: BTreeSet<String>,
    due: Spanned<String>,
    reason: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAttempts {
    #[serde(default)]
    column: Option<String>,
    #[serde(default)]
    cap: Option<Spanned<u32>>,
    #[serde(default)]
    keep: Option<Keep>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawBonus {
    #[serde(default)]
    checks: BTreeSet<String>,
    #[serde(default)]
    above: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAdjustment {
    key: String,
    points: Spanned<f64>,
    reason: Spanned<String>,
}

impl Cost {
    /// Reads « 2 points », « 0,5 point » or « 10 % ».
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("« {text} » : donnez « 2 points » ou « 10 % »");
        let text_ = text.trim();
        let split =
            text_.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(text_.len());
        let (value, unit) = text_.split_at(split);
        let value: f64 = value.replace(',', ".").parse().map_err(|_| wrong())?;
        match unit.trim() {
            "point" | "points" => Ok(Self::Points(value)),
            "%" if value <= 100.0 => Ok(Self::Percent(value)),
            _ => Err(wrong()),
        }
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What is wrong and where, before the file's name is known.
type Wrong = (Range<usize>, String);

/// Reads the text of a course's file.
///
/// # Errors
///
/// With line and column, in French.
pub fn parse(file: &str, text: &str) -> Result<Course, LabError> {
    let raw: Raw = from_toml(file, text, FORMAT)?;
    resolve(raw).map_err(|(span, what)| fail(file, Some(position(text, span.start)), what))
}

fn resolve(raw: Raw) -> Result<Course, Wrong> {
    let scale = match &raw.scale {
        None => 20.0,
        Some(scale) if [20.0, 100.0].contains(scale.get_ref()) => *scale.get_ref(),
        Some(scale) => return Err((scale.span(), "le barème est 20 ou 100".to_owned())),
    };
    let offset = match &raw.offset {
        None => None,
        Some(text) => Some(dates::offset(text.get_ref()).ok_or_else(|| {
            (text.span(), "décalage horaire attendu, par exemple \"+01:00\" ou \"Z\"".to_owned())
        })?),
    };
    let date = |text: &Spanned<String>| -> Result<Timestamp, Wrong> {
        // A date without an offset means nothing until the course says where its clock is.
        let own: Option<Timestamp> = text.get_ref().trim().parse().ok();
        own.or_else(|| dates::read(text.get_ref(), offset?)).ok_or_else(|| {
            let form = "une date s'écrit \"2026-11-20 23:59\", avec « offset = \"+01:00\" » en tête de fichier, ou \"2026-11-20T23:59:00+01:00\"";
            (text.span(), format!("« {} » : {form}", text.get_ref()))
        })
    };
    let points = |value: &Spanned<f64>, least: f64| -> Result<f64, Wrong> {
        let (points, most) = (*value.get_ref(), scale * 10.0);
        if points.is_finite() && (least..=most).contains(&points) {
            Ok((points * 100.0).round() / 100.0)
        } else {
            Err((value.span(), format!("un nombre de points entre {least} et {most} est attendu")))
        }
    };
    let reason = |text: &Spanned<String>| -> Result<String, Wrong> {
        let said = text.get_ref().trim().to_owned();
        if said.is_empty() { Err((text.span(), "un motif est nécessaire".to_owned())) } else { Ok(said) }
    };
    let mut deadline = None;
    if let Some(raw) = raw.deadline {
        let due = date(&raw.due)?;
        let closed = raw.closed.as_ref().map(date).transpose()?;
        if let (Some(at), Some(text)) = (closed, &raw.closed)
            && at < due
        {
            return Err((text.span(), "la clôture vient avant la date de remise".to_owned()));
        }
        deadline = Some(Deadline {
            due,
            closed,
            column: raw.column,
            grace: raw.grace.map_or(0, |span| i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX)),
            per_day: raw.per_day.unwrap_or(Cost::Points(0.0)),
            at_most: raw.at_most,
        });
    }
    let mut extensions = Vec::new();
    for one in raw.extension {
        let (due, reason) = (date(&one.due)?, reason(&one.reason)?);
        if deadline.is_none() {
            return Err((one.due.span(), "un délai accordé demande une section [deadline]".to_owned()));
        }
        extensions.push(Extension { keys: one.keys, due, reason });
    }
    let mut adjustments = Vec::new();
    for one in raw.adjustment {
        let (points, reason) = (points(&one.points, -scale * 10.0)?, reason(&one.reason)?);
        adjustments.push(Adjustment { key: one.key, points, reason });
    }
    let mut attempts = None;
    if let Some(raw) = raw.attempts {
        let cap = raw.cap.as_ref().map(|cap| *cap.get_ref());
        if let (Some(0), Some(text)) = (cap, &raw.cap) {
            return Err((text.span(), "au moins un envoi est permis".to_owned()));
        }
        attempts = Some(Attempts { column: raw.column, cap, keep: raw.keep });
    }
    Ok(Course {
        title: raw.title.trim().to_owned(),
        scale,
        offset: offset.unwrap_or(0),
        detail: raw.detail,
        hidden: raw.hidden,
        reveal: raw.reveal,
        deadline,
        extensions,
        attempts,
        above: raw.bonus.above.as_ref().map_or(Ok(0.0), |above| points(above, 0.0))?,
        bonus: raw.bonus.checks,
        adjustments,
    })
}
