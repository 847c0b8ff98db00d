//! Submissions that look alike. Files become tokens (Compose files in a form of their own, without the order of
//! keys, comments, nor the names that a student chooses), tokens become winnowed fingerprints (Schleimer,
//! Wilkerson, Aiken, 2003), those of the starter are left out, and pairs that share many are ranked. Pure but
//! for [`read`].
//!
//! Resemblance is a reason to look, never a verdict.

mod lex;
mod page;
mod print;
mod read;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub use page::page;
pub use read::read;

use self::print::{Print, grams, prints};

/// Fingerprints in more submissions than this (or a tenth of a large class) are everybody's.
const COMMON: usize = 10;
/// A submission with fewer fingerprints of its own is not compared.
const LEAST: usize = 5;
/// Least share of a pair that is told.
const SHARE: f64 = 0.2;
/// Pairs told.
const PAIRS: usize = 50;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path in the submission.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What somebody handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// For people.
    pub name: String,
    /// The files that are compared, by path.
    pub files: Vec<File>,
    /// What was drawn for this student, as their folder says it.
    pub draw: Option<String>,
}

/// Two submissions that share something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The one whose name comes first.
    pub a: usize,
    /// The other.
    pub b: usize,
    /// Fingerprints in both.
    pub shared: usize,
    /// Part of `a`'s own work that is in `b`, from 0 to 1.
    pub of_a: f64,
    /// Part of `b`'s own work that is in `a`.
    pub of_b: f64,
    /// They hold the same drawn number, which chance does not do.
    pub same_draw: bool,
}

/// What comes of it.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The most alike first.
    pub pairs: Vec<Pair>,
    /// Those with too little of their own to be compared.
    pub little: Vec<usize>,
    own: Vec<HashMap<u64, Vec<Print>>>,
}

/// The lines of one file that another submission has too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passages {
    /// Index of the file.
    pub file: usize,
    /// Lines, from 1.
    pub lines: BTreeSet<usize>,
}

/// Compares every submission with every other, what `starter` gives them left out.
pub fn compare(all: &[Work], starter: &[File]) -> Comparison {
    let given: HashSet<u64> = starter.iter().flat_map(|file| grams(&lex::tokens(file))).collect();
    let mut own: Vec<HashMap<u64, Vec<Print>>> = all.iter().map(|work| of(work, &given)).collect();
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, prints) in own.iter().enumerate() {
        for hash in prints.keys() {
            holders.entry(*hash).or_default().push(at);
        }
    }
    let common = COMMON.max(all.len() / 10);
    for prints in &mut own {
        prints.retain(|hash, _| holders.get(hash).is_none_or(|who| who.len() <= common));
    }
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for who in holders.values().filter(|who| who.len() <= common) {
        for (at, a) in who.iter().enumerate() {
            for b in &who[at + 1..] {
                *shared.entry((*a, *b)).or_default() += 1;
            }
        }
    }
    for (a, b) in same_draws(all) {
        shared.entry((a, b)).or_default();
    }
    let mut pairs: Vec<Pair> =
        shared.into_iter().filter_map(|((a, b), count)| pair(all, &own, (a, b), count)).collect();
    let worth = |pair: &Pair| (pair.same_draw, pair.of_a.max(pair.of_b), pair.of_a.min(pair.of_b));
    pairs.sort_by(|x, y| {
        let ((dx, mx, nx), (dy, my, ny)) = (worth(x), worth(y));
        let names = |p: &Pair| (&all[p.a].name, &all[p.b].name);
        dy.cmp(&dx)
            .then(my.total_cmp(&mx))
            .then(ny.total_cmp(&nx))
            .then(y.shared.cmp(&x.shared))
            .then(names(x).cmp(&names(y)))
    });
    pairs.truncate(PAIRS);
    let little = (0..all.len()).filter(|at| own[*at].len() < LEAST).collect();
    Comparison { pairs, little, own }
}

impl Comparison {
    /// The lines of `of` that `with` has too, file by file.
    pub fn passages(&self, of: usize, with: usize) -> Vec<Passages> {
        let mut files: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (hash, places) in &self.own[of] {
            if self.own[with].contains_key(hash) {
                for place in places {
                    files.entry(place.file).or_default().extend(&place.lines);
                }
            }
        }
        files.into_iter().map(|(file, lines)| Passages { file, lines }).collect()
    }
}

/// Fingerprints of a submission that the starter does not have.
fn of(work: &Work, given: &HashSet<u64>) -> HashMap<u64, Vec<Print>> {
    let mut own: HashMap<u64, Vec<Print>> = HashMap::new();
    for (at, file) in work.files.iter().enumerate() {
        for print in prints(&lex::tokens(file), at) {
            if !given.contains(&print.hash) {
                own.entry(print.hash).or_default().push(print);
            }
        }
    }
    own
}

/// Pairs with the same drawn number.
fn same_draws(all: &[Work]) -> Vec<(usize, usize)> {
    let mut by: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, work) in all.iter().enumerate() {
        if let Some(draw) = &work.draw {
            by.entry(draw).or_default().push(at);
        }
    }
    let pairs = |who: &Vec<usize>| {
        let some: Vec<usize> = who.iter().copied().take(COMMON).collect();
        some.iter().enumerate().flat_map(|(i, a)| some[i + 1..].iter().map(|b| (*a, *b))).collect::<Vec<_>>()
    };
    by.values().flat_map(pairs).collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of fingerprints")]
fn pair(
    all: &[Work],
    own: &[HashMap<u64, Vec<Print>>],
    (a, b): (usize, usize),
    shared: usize,
) -> Option<Pair> {
    let same_draw = all[a].draw.is_some() && all[a].draw == all[b].draw;
    let (a, b) = if (&all[a].name, a) <= (&all[b].name, b) { (a, b) } else { (b, a) };
    let share = |of: usize| if own[of].is_empty() { 0.0 } else { shared as f64 / own[of].len() as f64 };
    let (of_a, of_b) = (share(a), share(b));
    let enough = own[a].len().min(own[b].len()) >= LEAST && of_a.max(of_b) >= SHARE;
    (enough || same_draw).then_some(Pair { a, b, shared, of_a, of_b, same_draw })
}
