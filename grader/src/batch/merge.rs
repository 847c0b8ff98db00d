//! The parts of a class, graded on several machines, put together again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::disk;
use super::journal::{Journal, Record};
use super::output::{Output, Results};
use super::work::of;
use crate::error::{Fault, FaultKind};
use crate::report::class::{Class, Head, Stats, Submission};
use crate::reporter::class::About;
use crate::reporter::html::Theme;

/// Puts together the results of `parts` in `out`: what one batch would have written. The order of the parts
/// does not matter.
///
/// # Errors
///
/// A part is missing, is there twice, or is of another class or lab; something cannot be read or written.
pub fn merge(parts: &[PathBuf], out: &Path, theme: &Theme) -> Result<Stats, Fault> {
    let classes: Vec<Class> = parts.iter().map(|dir| class(dir)).collect::<Result<_, _>>()?;
    let (head, all) = together(classes)?;
    let write = |e| disk("les résultats ne s'écrivent pas", e);
    let output = Output::open(out).map_err(write)?;
    let mut journal = Journal::open(&output.journal(), false, drop).map_err(|e| of(&e))?;
    for part in parts {
        let mut records: Vec<Record> = Vec::new();
        let old = Journal::open(&part.join("journal.jsonl"), true, |record| records.push(record));
        drop(old.map_err(|e| of(&e))?);
        for record in &records {
            journal.append(record).map_err(|e| of(&e))?;
        }
        for one in &all {
            output.take(part, one.run_key()).map_err(write)?;
        }
    }
    let at = jiff::Timestamp::now().to_string();
    let about = About { at: &at, ..About::default() };
    let report = |one: &Submission| one.report.as_deref().cloned();
    output.write(&Results { head: &head, all: &all, about, theme }, report).map_err(write)?;
    Ok(Stats::of(&head, &all))
}

fn class(dir: &Path) -> Result<Class, Fault> {
    let file = dir.join("class.json");
    let unusable = |e: &dyn std::fmt::Display| {
        let what = format!("« {} » ne se lit pas", file.display());
        Fault::new(FaultKind::Lab, what, "donnez les dossiers que « grader batch --shard » a écrits")
            .detail(e)
    };
    Class::read(BufReader::new(File::open(&file).map_err(|e| unusable(&e))?)).map_err(|e| unusable(&e))
}

/// The whole class, in its order.
fn together(parts: Vec<Class>) -> Result<(Head, Vec<Submission>), Fault> {
    let wrong = |what: String| {
        Err(Fault::new(FaultKind::Lab, what, "donnez toutes les parts d'une même classe, chacune une fois"))
    };
    let Some(head) = parts.first().map(|part| part.head.clone()) else {
        return wrong("aucune part".to_owned());
    };
    if parts.iter().any(|part| part.head != head) {
        return wrong(
            "ces parts ne sont pas de la même classe, du même TP, du même cours ou du même correcteur"
                .to_owned(),
        );
    }
    let mut all: Vec<Submission> = parts.into_iter().flat_map(|part| part.submissions).collect();
    let mut seen = BTreeSet::new();
    for one in &all {
        let Some(place) = one.place else {
            return wrong("ces résultats ne sont pas ceux d'une part (« grader batch --shard »)".to_owned());
        };
        if !seen.insert(place) {
            return wrong(format!("« {} » est dans deux parts", one.key));
        }
    }
    if let Some(missing) = (0..seen.len()).find(|place| !seen.contains(place)) {
        return wrong(format!(
            "il manque une part : la ligne {} de la classe n'est dans aucune",
            missing + 1
        ));
    }
    all.sort_by_key(|one| one.place);
    for one in &mut all {
        one.place = None;
    }
    Ok((head, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::journal::{FORMAT, Opened};
    use crate::batch::part::Part;
    use crate::report::class::sample;

    /// A part as a batch writes it.
    fn written(root: &Path, part: &Part) -> PathBuf {
        let class = sample::class();
        let dir = root.join(format!("{part:?}").replace(|c: char| !c.is_alphanumeric(), "-"));
        let output = Output::open(&dir).expect("opened");
        let opened = Opened { format: FORMAT, grader: "0".into(), lab: "02".into(), at: String::new() };
        let mut journal = Journal::open(&output.journal(), false, drop).expect("opened");
        journal.append(&Record::Opened(opened)).expect("written");
        let is_shard = *part != Part::All;
        let placed = class.submissions.into_iter().enumerate();
        let all: Vec<Submission> = placed
            .filter(|(_, one)| part.holds(&one.key))
            .map(|(place, one)| Submission { place: is_shard.then_some(place), ..one })
            .collect();
        let results =
            Results { head: &class.head, all: &all, about: About::default(), theme: &Theme::default() };
        output.write(&results, |one| one.report.as_deref().cloned()).expect("written");
        dir
    }

    fn bytes(dir: &Path, name: &str) -> Vec<u8> {
        std::fs::read(dir.join(name)).expect("read")
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        let root = tempfile::tempdir().expect("a folder");
        let whole = written(root.path(), &Part::All);
        for of in [1, 2, 3, 7] {
            let mut parts: Vec<PathBuf> =
                (1..=of).map(|index| written(root.path(), &Part::Shard { index, of })).collect();
            parts.reverse();
            let out = root.path().join(format!("out-{of}"));
            merge(&parts, &out, &Theme::default()).expect("merged");
            for name in ["gradebook.csv", "class.json", "junit.xml"] {
                assert_eq!(bytes(&out, name), bytes(&whole, name), "{name}, {of} parts");
            }
            // The journal can be gone on with.
            let mut records = 0;
            Journal::open(&out.join("journal.jsonl"), true, |_| records += 1).expect("read");
            assert_eq!(records, of);
            assert!(merge(&parts, &out, &Theme::default()).is_err(), "results are there");
            let short = |parts: &[PathBuf]| merge(parts, &root.path().join("never"), &Theme::default());
            if of > 1 {
                let there = |dir: &PathBuf| !class(dir).expect("a class").submissions.is_empty();
                let last = parts.iter().position(there).expect("one");
                let twice = [parts.clone(), vec![parts[last].clone()]].concat();
                assert!(short(&twice).is_err_and(|e| e.what.contains("deux parts")));
            }
        }
        assert!(merge(&[whole], &root.path().join("never"), &Theme::default()).is_err());
    }
}
