//! Which queries of a dashboard are what is wanted, and in which panels.

use super::fetch::Board;
use super::promtool::Values;
use super::values::{Match, Way, compare};
use super::{Panels, Want};
use crate::check::grafana::dashboard::{Panel, Target};

/// A query that may be what is wanted.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub board: &'a Board,
    pub panel: &'a Panel,
    pub target: &'a Target,
}

impl Candidate<'_> {
    /// The expression, its variables replaced.
    pub fn expr(&self) -> String {
        self.board.fill(&self.target.expr)
    }

    /// The unit in which its values are shown.
    pub fn unit(&self) -> &str {
        self.target.unit.as_deref().unwrap_or(&self.panel.unit)
    }

    /// Whether it is right but for a unit that its values are not in.
    pub fn is_mislabelled(&self, want: &Want, values: &Values) -> bool {
        let same = |m: &String| compare(values, &[&self.expr()], m, want.way()) == Match::Same;
        !want.share && unit_factor(self.unit()) > 100.0 && want.means.iter().any(same)
    }

    /// Whether a query, alone or with the others of its panel, means what is wanted.
    pub fn fits(&self, want: &Want, values: &Values) -> bool {
        let alone = self.expr();
        if self.right(want, values, &[alone.as_str()]) {
            return !want.alone || self.is_alone();
        }
        let together: Vec<String> = self.panel.targets.iter().map(|t| self.board.fill(&t.expr)).collect();
        let together: Vec<&str> = together.iter().map(String::as_str).collect();
        !want.alone && self.right(want, values, &together)
    }

    /// Whether it is right by itself in a panel that draws more than is wanted.
    pub fn is_crowded(&self, want: &Want, values: &Values) -> bool {
        want.alone && !self.is_alone() && self.right(want, values, &[&self.expr()])
    }

    /// Whether its panel asks nothing else.
    fn is_alone(&self) -> bool {
        let own = self.expr();
        self.panel.targets.iter().all(|t| self.board.fill(&t.expr) == own)
    }

    fn right(&self, want: &Want, values: &Values, seen: &[&str]) -> bool {
        let unit = unit_factor(self.unit());
        want.means.iter().any(|reference| match compare(values, seen, reference, want.way()) {
            // Of a share, whatever the unit, the parts are in the drawing.
            Match::Same => want.share || unit <= 100.0,
            Match::Scaled(by) => (unit - 1.0).abs() > 1e-9 && (by / unit - 1.0).abs() < 0.006,
            Match::Other => false,
        })
    }

    /// Its panel's place in the dashboard.
    fn place(&self) -> usize {
        self.board.panels.iter().position(|p| std::ptr::eq(p, self.panel)).unwrap_or_default()
    }
}

/// All queries of a dashboard.
pub(super) fn candidates(board: &Board) -> Vec<Candidate<'_>> {
    let of = |panel| move |target| Candidate { board, panel, target };
    board.panels.iter().flat_map(|panel| panel.targets.iter().map(of(panel))).collect()
}

/// Units in which a value in seconds is rightly multiplied.
fn unit_factor(unit: &str) -> f64 {
    match unit {
        "ms" => 1e3,
        "µs" | "us" => 1e6,
        "ns" => 1e9,
        "percent" => 100.0,
        _ => 1.0,
    }
}

impl Want {
    /// How a query is compared with what is wanted.
    pub(super) fn way(&self) -> Way {
        Way { share: self.share, every: self.every }
    }
}

impl Panels {
    /// The queries of a dashboard that fit each want; where panels must differ, those of the panels
    /// that can serve it while others serve the other wants.
    pub(super) fn fitting<'a>(&self, board: &'a Board, values: &Values) -> Vec<Vec<Candidate<'a>>> {
        let mut fit = self.fitting_alone(board, values);
        if self.distinct {
            let places: Vec<Vec<usize>> =
                fit.iter().map(|of| of.iter().map(Candidate::place).collect()).collect();
            for (of, kept) in fit.iter_mut().zip(apart(&places)) {
                of.retain(|c| kept.contains(&c.place()));
            }
        }
        fit
    }

    /// The queries that fit each want, whatever serves the others.
    pub(super) fn fitting_alone<'a>(&self, board: &'a Board, values: &Values) -> Vec<Vec<Candidate<'a>>> {
        let all = candidates(board);
        let loose =
            |want: &Want, c: &Candidate<'_>| want.uses.iter().any(|m| values.reads(&c.target.expr, m));
        self.wants
            .iter()
            .map(|want| {
                let fit = |c: &&Candidate<'a>| {
                    if want.means.is_empty() { loose(want, c) } else { c.fits(want, values) }
                };
                all.iter().filter(fit).copied().collect()
            })
            .collect()
    }
}

/// The panels that can serve each want when no panel serves two, as many wants as possible served.
fn apart(options: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let served = matched(options);
    let most = served.iter().flatten().count();
    let open: Vec<Vec<usize>> = options
        .iter()
        .zip(&served)
        .map(|(of, by)| if by.is_some() { of.clone() } else { Vec::new() })
        .collect();
    let can = |want: usize, panel: usize| {
        let mut forced = open.clone();
        forced[want] = vec![panel];
        matched(&forced).iter().flatten().count() == most
    };
    let kept = |(want, of): (usize, &Vec<usize>)| of.iter().copied().filter(|p| can(want, *p)).collect();
    open.iter().enumerate().map(kept).collect()
}

/// A greatest matching: the panel of each want.
fn matched(options: &[Vec<usize>]) -> Vec<Option<usize>> {
    fn seat(
        want: usize,
        options: &[Vec<usize>],
        found: &mut [Option<usize>],
        tried: &mut Vec<usize>,
    ) -> bool {
        for &panel in &options[want] {
            if tried.contains(&panel) {
                continue;
            }
            tried.push(panel);
            let holder = found.iter().position(|f| *f == Some(panel));
            if holder.is_none_or(|other| seat(other, options, found, tried)) {
                found[want] = Some(panel);
                return true;
            }
        }
        false
    }
    let mut found = vec![None; options.len()];
    for want in 0..options.len() {
        seat(want, options, &mut found, &mut Vec::new());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_panel_serves_two_wants() {
        assert_eq!(apart(&[vec![0], vec![0], vec![0]]), [vec![0], vec![], vec![]]);
        assert_eq!(apart(&[vec![0, 1], vec![0], vec![2]]), [vec![1], vec![0], vec![2]]);
        assert_eq!(apart(&[vec![0, 1], vec![0, 1], vec![1, 2]]), [vec![0, 1], vec![0, 1], vec![2]]);
        assert_eq!(apart(&[vec![], vec![3, 4], vec![4]]), [vec![], vec![3], vec![4]]);
        assert!(apart(&[]).is_empty());
    }
}
