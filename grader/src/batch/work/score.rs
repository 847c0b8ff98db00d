//! What came of a run: scored, dropped, or to be done again; then the results.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Halt, Running, Work, of};
use crate::batch::doubt::doubt;
use crate::batch::journal::{Ended, Record, Terms};
use crate::batch::one::Done;
use crate::batch::output::{Results, class_page, student_page};
use crate::batch::pace::time_left;
use crate::batch::plan::Next;
use crate::batch::roster::Entry;
use crate::batch::{Told, Total, class, disk};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::report::class::{Receipt, Stats, Submission, Summary};
use crate::report::{Outcome, Report};
use crate::reporter::class::About;

/// Longest wait for the engine's answer, when it is asked whether it is still there.
const ANSWER: Duration = Duration::from_secs(5);

impl Work {
    /// Takes note of a run that ended; gives it back when it has to begin again.
    pub(super) async fn end(
        &mut self,
        run: &Running,
        done: Option<Done>,
        under_way: Duration,
    ) -> Option<usize> {
        let Some(done) = done else {
            self.stop(Halt::Fault(Fault::new(FaultKind::Bug, "défaut du correcteur", "signalez-le")));
            return None;
        };
        let terms = self.due[run.due].terms.clone();
        if let Some(e) = done.unwritten {
            self.drop_attempt(&terms);
            self.stop(Halt::Fault(disk("les résultats ne s'écrivent plus", e)));
            return None;
        }
        let cut = done.report.exit() == ExitCode::Interrupted;
        if cut || self.lost_engine(&done.report).await {
            self.drop_attempt(&terms);
            return (self.halt.is_none()).then_some(run.due);
        }
        self.spent = (self.spent.0 + 1, self.spent.1 + run.since.elapsed());
        if let Err(fault) = self.score(run, &terms, &done.report, under_way) {
            self.stop(Halt::Fault(fault));
        }
        None
    }

    /// An attempt that does not count. What cannot be written is counted as a crash at the next opening.
    fn drop_attempt(&mut self, terms: &Terms) {
        self.output.discard(&terms.key);
        let dropped = Record::Dropped(terms.clone());
        self.past.push(&dropped);
        if let Err(e) = self.journal.append(&dropped) {
            self.stop(Halt::Fault(of(&e)));
        }
    }

    /// True when the run was spoilt by an engine that went away: nothing begins until it answers again.
    async fn lost_engine(&mut self, report: &Report) -> bool {
        let Outcome::NotGraded(fault) = &report.outcome else { return false };
        // One that answers now was refused something: an attempt like another.
        if !matches!(fault.kind, FaultKind::NoEngine | FaultKind::Engine) || self.answers().await {
            return false;
        }
        if self.lost.is_none() {
            (self.tell)(Told::Remark("le moteur ne répond plus : la correction attend son retour"));
            self.lost = Some((Instant::now(), fault.clone()));
        }
        true
    }

    pub(super) async fn answers(&self) -> bool {
        matches!(tokio::time::timeout(ANSWER, self.setup.engine.version()).await, Ok(Ok(_)))
    }

    fn score(
        &mut self,
        run: &Running,
        terms: &Terms,
        report: &Report,
        under_way: Duration,
    ) -> Result<(), Fault> {
        let write = |e| disk("les résultats ne s'écrivent plus", e);
        let result = Summary::of(report);
        let again = doubt(&self.setup.lab, report, &run.worst, run.alone);
        if self.past.history(terms).is_beaten_by(result.standing) {
            self.output.adopt(&terms.key).map_err(write)?;
        } else {
            self.output.discard(&terms.key);
        }
        let ended = Ended {
            terms: terms.clone(),
            run: report.run.as_ref().map(|r| r.id.clone()).unwrap_or_default(),
            alone: run.alone,
            doubt: again.clone(),
            result: result.clone(),
            receipt: Some(Receipt::of(&self.ruler, &terms.content, self.due[run.due].draw.clone(), report)),
        };
        let ended = Record::Ended(Box::new(ended));
        self.journal.append(&ended).map_err(|e| of(&e))?;
        self.past.push(&ended);
        let due = &self.due[run.due];
        let again = again.filter(|_| self.next(due) == Next::Alone);
        let done = self.due.iter().filter(|d| self.next(d) == Next::Done).count();
        let at_once = if run.alone { 1 } else { self.pace.now() };
        let left = time_left(self.spent.0, self.spent.1, self.due.len() - done, under_way, at_once);
        (self.tell)(Told::Ended {
            key: &terms.key,
            name: &due.name,
            result: &result,
            again: again.as_deref(),
            done: (done, self.due.len()),
            left,
        });
        Ok(())
    }

    /// Makes a page of each kind out of nothing.
    pub(super) fn try_theme(&mut self) -> Result<(), Fault> {
        let ours = |e| Fault::new(FaultKind::Bug, "une page ne se dessine pas", "signalez-le").detail(e);
        let (_, report) = student_page(&Report::fold([]), None, &self.setup.theme).map_err(ours)?;
        let head = class::head(&self.setup.lab, &[]);
        let (_, page) = class_page(&head, &[], &About::default(), &self.setup.theme).map_err(ours)?;
        self.blame(report);
        self.blame(page);
        Ok(())
    }

    /// Says once that a template of the instructor's fails.
    fn blame(&mut self, wrong: Option<String>) {
        if let Some(wrong) = wrong {
            let line = format!("un de vos modèles de page échoue, le nôtre le remplace : {wrong}");
            if !self.remarks.contains(&line) {
                (self.tell)(Told::Remark(&line));
                self.remarks.push(line);
            }
        }
    }

    /// Writes the results: a pure function of the journal, of the students' events and of the course.
    pub fn close(mut self) -> Result<Total, Fault> {
        let write = |e| disk("les résultats ne s'écrivent pas", e);
        let terms: HashMap<&str, &Terms> =
            self.due.iter().map(|d| (d.terms.key.as_str(), &d.terms)).collect();
        let row = |(place, entry): &(Option<usize>, Entry)| Submission {
            place: *place,
            ..class::row(entry, terms.get(entry.graded_as.as_str()).copied(), &self.past)
        };
        let mut rows: Vec<Submission> = self.entries.iter().map(row).collect();
        let columns = self.setup.roster.as_ref().map(|r| r.columns.as_slice()).unwrap_or_default();
        let mut head = class::head(&self.setup.lab, columns);
        if let Some(course) = &self.setup.course {
            course.apply(&mut head, &mut rows);
        }
        let pending = self.due.iter().filter(|d| self.past.history(&d.terms).best.is_none()).count();
        let report = |one: &Submission| {
            one.page.as_ref()?;
            self.output.report(one.run_key())
        };
        let at = jiff::Timestamp::now().to_string();
        let about = About { at: &at, pending, remarks: &self.remarks };
        let results = Results { head: &head, all: &rows, about, theme: &self.setup.theme };
        let wrong = self.output.write(&results, report).map_err(write)?;
        self.blame(wrong);
        let (interrupted, fault) = match self.halt {
            Some(Halt::Interrupted) => (true, None),
            Some(Halt::Fault(fault)) => (false, Some(fault)),
            None => (false, None),
        };
        Ok(Total { stats: Some(Stats::of(&head, &rows)), pending, interrupted, fault })
    }
}
