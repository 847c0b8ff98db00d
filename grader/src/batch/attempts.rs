//! The results of several batches of one class, one a hand-in, made one: what counts of each student is
//! chosen by the policy of the course. Nothing is graded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::disk;
use super::output::{Output, Results};
use super::publish::{Published, moved, read, unsuited};
use crate::course::{Chosen, Course, Keep, Known};
use crate::error::{Fault, FaultKind};
use crate::report::class::{Class, Head, Submission};
use crate::reporter::class::About;
use crate::reporter::html::Theme;

/// A student with a result of each batch: its place among them, then the result.
type Student = Vec<(usize, Submission)>;

/// Writes in `out` the results of which `course` says that they count, among those of `dirs`, in the order
/// of the hand-ins. A student is the same key everywhere.
///
/// # Errors
///
/// They are not results of one lab, they do not go with the course, it does not say what counts, or `out`
/// holds something else.
pub fn choose(dirs: &[PathBuf], out: &Path, course: &Course, theme: &Theme) -> Result<Published, Fault> {
    let Some(keep) = course.attempts.as_ref().and_then(|attempts| attempts.keep) else {
        let todo = "ajoutez au fichier du cours : [attempts], puis keep = \"last\", \"best\" ou \"first\"";
        return Err(Fault::new(FaultKind::Lab, "le cours ne dit pas quel envoi compte", todo));
    };
    let classes: Vec<Class> = dirs.iter().map(|dir| read(dir)).collect::<Result<_, _>>()?;
    let mut head = one_lab(&classes)?;
    let students = students(classes);
    let known = Known {
        keys: students.iter().filter_map(|all| Some(all.first()?.1.key.as_str())).collect(),
        columns: &head.columns,
        checks: head.checks.iter().map(|card| (card.id.as_str(), card.points)).collect(),
    };
    unsuited(&course.unknown(&known))?;
    let output = fresh(out)?;
    let write = |e| disk("les résultats ne s'écrivent pas", e);
    let several = students.iter().filter(|all| all.iter().filter(|(_, one)| one.page.is_some()).count() > 1);
    let several = several.count();
    // How many were sent is known here: what the class list says of it is of no use.
    let counting = Course { attempts: None, ..course.clone() };
    let (mut all, mut why) = (Vec::new(), Vec::new());
    for student in students {
        let (from, mut one, chosen) = chosen(course, keep, &head, student);
        output.take_as(&dirs[from], one.run_key(), &one.key).map_err(write)?;
        // Each has a file of their own: those who hand in together may not be in the same batch.
        one.graded_as.clear();
        if let Some(page) = &mut one.page {
            *page = Output::page(&one.key);
        }
        all.push(one);
        why.push(chosen.why);
    }
    counting.apply(&mut head, &mut all);
    for (one, why) in all.iter_mut().zip(why) {
        if let Some(settled) = &mut one.settled {
            settled.remarks.splice(0..0, why);
        }
    }
    let at = jiff::Timestamp::now().to_string();
    let results = Results { head: &head, all: &all, about: About { at: &at, ..About::default() }, theme };
    let wrong = output.write(&results, |one| one.report.as_deref().cloned()).map_err(write)?;
    Ok(Published {
        students: all.len(),
        several,
        moved: moved(&all),
        hidden: head.course.as_ref().map_or(0, |course| course.hidden.len()),
        remarks: Published::of_theme(wrong),
    })
}

/// What is the same for all, with the columns of every list.
fn one_lab(classes: &[Class]) -> Result<Head, Fault> {
    let Some(first) = classes.first() else { return Ok(Head::default()) };
    let mut head = first.head.clone();
    for class in classes {
        let other = &class.head;
        if (&other.lab, &other.checks) != (&head.lab, &head.checks) {
            let what = "ces résultats ne sont pas ceux du même TP, ou ses contrôles ont changé";
            let todo = "corrigez de nouveau les plus anciens (grader regrade), puis relancez";
            return Err(Fault::new(FaultKind::Lab, what, todo));
        }
        if class.submissions.iter().any(|one| one.place.is_some()) {
            let what = "ces résultats sont ceux d'une part de la classe";
            return Err(Fault::new(FaultKind::Lab, what, "réunissez d'abord les parts (grader merge)"));
        }
        let new = other.columns.iter().filter(|column| !head.columns.contains(column));
        let new: Vec<String> = new.cloned().collect();
        head.columns.extend(new);
    }
    Ok(head)
}

/// The students, in the order in which the batches have them.
fn students(classes: Vec<Class>) -> Vec<Student> {
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<Student> = Vec::new();
    for (from, class) in classes.into_iter().enumerate() {
        for one in class.submissions {
            let place = *at.entry(one.key.clone()).or_insert_with(|| {
                all.push(Vec::new());
                all.len() - 1
            });
            all[place].push((from, one));
        }
    }
    all
}

/// What counts of a student, and of which batch it is.
fn chosen(course: &Course, keep: Keep, head: &Head, student: Student) -> (usize, Submission, Chosen) {
    let chosen = course.choose(keep, head, &student.iter().map(|(_, one)| one).collect::<Vec<_>>());
    let mut student = student;
    let (from, one) = student.swap_remove(chosen.at);
    (from, one, chosen)
}

/// The folder of the results: new, or one that an earlier choice wrote.
fn fresh(out: &Path) -> Result<Output, Fault> {
    let is_new = !std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    let is_ours = out.join("class.json").is_file() && !out.join("journal.jsonl").exists();
    if !is_new && !is_ours {
        let what = format!("« {} » contient autre chose", out.display());
        return Err(Fault::new(FaultKind::Lab, what, "donnez à --into un nouveau dossier"));
    }
    Output::open(out).map_err(|e| disk(format!("le dossier « {} » ne s'écrit pas", out.display()), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course;
    use crate::report::class::sample;
    use crate::report::{Report, sample as runs};
    use crate::reporter::{JsonLines, Reporter as _};

    const COURSE: &str = r#"
format = 1
offset = "+01:00"
[deadline]
due = "2026-11-20 23:59"
column = "remis"
per-day = "2 points"
closed = "2026-11-29 23:59"
[attempts]
keep = "best"
cap = 3
"#;

    fn policy(text: &str) -> Course {
        course::parse("cours.toml", text).unwrap_or_else(|e| panic!("{e}"))
    }

    type Run = Option<(Vec<crate::event::Event>, &'static str)>;

    /// Results as a batch leaves them, with the platform's dates.
    fn written(dir: &Path, all: Vec<(&str, Run)>) {
        let output = Output::open(dir).expect("opened");
        let mut head = sample::head();
        head.columns.push("remis".into());
        let mut submissions = Vec::new();
        for (key, run) in all {
            let (events, remis) = run.map_or((None, ""), |(events, remis)| (Some(events), remis));
            if let Some(events) = &events {
                let mut lines = Vec::new();
                for event in events {
                    JsonLines.event(event, &mut lines).expect("written");
                }
                std::fs::write(output.new_events(key), lines).expect("written");
                output.adopt(key).expect("kept");
            }
            let mut one = sample::submission(key, events.map(Report::fold));
            one.identity.insert("remis".into(), remis.into());
            submissions.push(one);
        }
        let results =
            Results { head: &head, all: &submissions, about: About::default(), theme: &Theme::default() };
        output.write(&results, |one| one.report.as_deref().cloned()).expect("written");
        std::fs::write(output.journal(), "").expect("written");
    }

    /// Three batches: what each student of the gradebook gets, and the whole of it.
    fn class(root: &Path) -> Vec<PathBuf> {
        let dirs: Vec<PathBuf> = (1..=3).map(|n| root.join(format!("envoi-{n}"))).collect();
        let early = "2026-11-18 10:00";
        written(
            &dirs[0],
            vec![
                ("once", Some((runs::missed(), early))),
                ("better", Some((runs::missed(), early))),
                ("worse", Some((runs::perfect(), early))),
                ("never", None),
            ],
        );
        written(
            &dirs[1],
            vec![
                ("once", None),
                ("better", Some((runs::perfect(), "2026-11-21 10:00"))),
                ("worse", Some((runs::missed(), "2026-11-19 10:00"))),
                ("never", None),
            ],
        );
        // After the closing date.
        written(&dirs[2], vec![("worse", Some((runs::perfect(), "2026-12-03 10:00")))]);
        dirs
    }

    fn row(out: &Path, key: &str) -> Submission {
        let file = std::fs::File::open(out.join("class.json")).expect("there");
        let class = Class::read(std::io::BufReader::new(file)).expect("a class");
        class.submissions.into_iter().find(|one| one.key == key).expect("there")
    }

    #[test]
    fn what_counts_is_chosen_and_told() {
        let root = tempfile::tempdir().expect("a folder");
        let (dirs, out) = (class(root.path()), root.path().join("resultats"));
        let book = |keep: &str| {
            let text = COURSE.replace("\"best\"", &format!("\"{keep}\""));
            let done = choose(&dirs, &out, &policy(&text), &Theme::default()).expect("written");
            assert_eq!((done.students, done.several), (4, 2));
            std::fs::read_to_string(out.join("gradebook.csv")).expect("read")
        };
        let line = |book: &str, key: &str| {
            let found = book.lines().find(|line| line.contains(&format!(";{key};")));
            found.unwrap_or_else(|| panic!("{key}: {book}")).to_owned()
        };
        let best = book("best");
        let better = line(&best, "better");
        assert!(better.contains("20 − 2 de retard (1\u{a0}jour) = 18"), "{better}");
        assert!(better.contains("envoi 2 sur 2, le 21/11/2026 à 10:00 : le meilleur"), "{better}");
        assert!(better.contains("envoi 1 6,7/20 · envoi 2 18/20"), "{better}");
        let worse = line(&best, "worse");
        assert!(worse.contains("envoi 1 sur 3, le 18/11/2026 à 10:00 : le meilleur de ceux qui comptent"));
        assert!(worse.contains("sans effet, après la clôture : envoi 3"), "{worse}");
        for alone in ["once", "never"] {
            assert!(!line(&best, alone).contains("envoi"), "{best}");
        }
        let last = line(&book("last"), "worse");
        assert!(
            last.contains("envoi 2 sur 3, le 19/11/2026 à 10:00 : le dernier de ceux qui comptent"),
            "{last}"
        );
        assert!(!last.contains("/20 ·"), "only where they are compared: {last}");
        assert!(line(&book("first"), "better").contains("envoi 1 sur 2"));
        // The student reads it too, and the page is of what counts, whatever was there before.
        book("best");
        let page = std::fs::read_to_string(out.join("students/better/index.html")).expect("read");
        assert!(page.contains("le meilleur") && page.replace("&#x2f;", "/").contains("18/20"));
        assert_eq!(row(&out, "better").result.score.map(|s| s.note), Some(20.0));
        assert!(out.join("runs/better.jsonl").is_file() && !out.join("runs/never.jsonl").exists());
        assert_eq!(
            std::fs::read(out.join("runs/better.jsonl")).expect("read"),
            std::fs::read(dirs[1].join("runs/better.jsonl")).expect("read")
        );
    }

    #[test]
    fn the_platform_says_in_what_order_and_how_many() {
        let root = tempfile::tempdir().expect("a folder");
        let (mut dirs, out) = (class(root.path()), root.path().join("resultats"));
        let text = COURSE.replace("cap = 3", "cap = 1");
        // Given in another order: the dates decide.
        dirs.reverse();
        choose(&dirs, &out, &policy(&text), &Theme::default()).expect("written");
        let better = row(&out, "better").settled.expect("settled");
        assert_eq!(better.note, Some(6.7));
        assert!(better.remarks[0].starts_with("envoi 1 sur 2"), "{better:?}");
        assert_eq!(
            better.remarks.last().map(String::as_str),
            Some("sans effet, au-delà de 1\u{a0}envoi permis : envoi 2")
        );
        // What is hidden is not to be guessed from the notes of others.
        let text = COURSE.replace("format = 1", "format = 1\nhidden = [\"isol-bdd\"]");
        choose(&dirs, &out, &policy(&text), &Theme::default()).expect("written");
        let better = row(&out, "better").settled.expect("settled");
        assert_eq!(better.remarks.len(), 1, "which one counts, no note: {better:?}");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let dirs = class(root.path());
        let refused = |dirs: &[PathBuf], out: &str, text: &str| {
            let done = choose(dirs, &root.path().join(out), &policy(text), &Theme::default());
            done.map(|done| format!("{done:?}"))
                .unwrap_or_else(|e| format!("refused: {} ; {}", e.what, e.todo))
        };
        let said = refused(&dirs, "r", &COURSE.replace("keep", "#"));
        assert!(said.contains("ne dit pas quel envoi compte"), "{said}");
        assert!(refused(&dirs, "envoi-1", COURSE).contains("contient autre chose"));
        let mut other = read(&dirs[2]).expect("a class");
        other.head.checks.pop();
        let text = serde_json::to_string(&other).expect("JSON");
        std::fs::write(dirs[2].join("class.json"), text).expect("written");
        assert!(refused(&dirs, "r", COURSE).contains("pas ceux du même TP"));
        assert!(!root.path().join("r").exists(), "nothing is written");
    }
}
