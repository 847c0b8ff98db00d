//! Points, note on 20 and sections.

use serde::{Deserialize, Serialize};

use super::{CheckResult, Standing};

/// The note of a run. Points of ungraded checks are in doubt: neither earned nor missed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Score {
    /// Points earned.
    pub earned: f64,
    /// Points missed.
    pub missed: f64,
    /// Points « non notés ».
    pub ungraded: f64,
    /// Points of the lab.
    pub total: f64,
    /// Note on 20, one decimal: the lowest it can be.
    pub note: f64,
    /// Note on 20, one decimal: the highest it can be. Equal to `note` when nothing is in doubt.
    pub note_max: f64,
    /// `earned` in hundredths of `total`, one decimal.
    pub percent: f64,
}

impl Score {
    /// Adds the checks up.
    pub fn of<'a>(checks: impl IntoIterator<Item = &'a CheckResult>) -> Self {
        let (mut earned, mut ungraded, mut total) = (0.0, 0.0, 0.0);
        for check in checks {
            total += check.card.points;
            earned += check.earned;
            if check.standing == Standing::Ungraded {
                ungraded += check.card.points;
            }
        }
        let (earned, ungraded, total) = (tidy(earned), tidy(ungraded), tidy(total));
        let share = |points: f64, on: f64| {
            if total > 0.0 { (points / total * on * 10.0).round().clamp(0.0, on * 10.0) / 10.0 } else { 0.0 }
        };
        Self {
            earned,
            missed: tidy((total - earned - ungraded).max(0.0)),
            ungraded,
            total,
            note: share(earned, 20.0),
            note_max: share(earned + ungraded, 20.0),
            percent: share(earned, 100.0),
        }
    }

    /// True when points are in doubt: the note is then « entre X et Y ».
    pub fn is_provisional(&self) -> bool {
        self.ungraded > 0.0
    }
}

/// What was gained and missed in one section of the lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Section {
    /// French title.
    pub title: String,
    /// Its share of the note.
    pub score: Score,
    /// Ids of the checks that are not « acquis », in lab order.
    pub short_of: Vec<String>,
}

/// The sections, in the order in which the lab first names them.
pub(super) fn sections(checks: &[CheckResult]) -> Vec<Section> {
    let mut titles: Vec<&str> = Vec::new();
    for check in checks {
        if !titles.contains(&check.card.section.as_str()) {
            titles.push(&check.card.section);
        }
    }
    let section = |title: &&str| {
        let of = || checks.iter().filter(|check| check.card.section == *title);
        Section {
            title: (*title).to_owned(),
            score: Score::of(of()),
            short_of: of()
                .filter(|check| check.standing != Standing::Passed)
                .map(|check| check.card.id.clone())
                .collect(),
        }
    };
    titles.iter().map(section).collect()
}

/// Points without the dust of binary fractions: thousandths at most, finite.
pub(super) fn tidy(points: f64) -> f64 {
    let tidied = (points * 1_000.0).round() / 1_000.0;
    if tidied.is_finite() { tidied } else { 0.0 }
}
