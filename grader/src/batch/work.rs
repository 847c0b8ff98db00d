//! The batch under way.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::doubt::{doubt, saturated};
use super::folders::{fingerprint, list};
use super::journal::{Ended, FORMAT, Journal, JournalError, Opened, Record, Terms};
use super::one::{Done, Job, attempt};
use super::output::{Output, student_page};
use super::pace::{Pace, Sample, time_left};
use super::plan::{Next, Past};
use super::roster::{Entry, put_together};
use super::{Setup, Teller, Told, Total, class, disk, machine};
use crate::compose;
use crate::error::{ExitCode, Fault, FaultKind};
use crate::report::class::{Stats, Submission, Summary};
use crate::report::{Outcome, Report};
use crate::reporter::class::About;

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Longest wait for an engine that went away.
const ENGINE: Duration = Duration::from_secs(180);

/// A folder to grade.
struct Due {
    terms: Terms,
    name: String,
    dir: std::path::PathBuf,
}

/// A run under way.
struct Running {
    due: usize,
    alone: bool,
    since: Instant,
    /// The machine at its busiest meanwhile.
    worst: Sample,
}

/// Why nothing more is begun.
enum Halt {
    Interrupted,
    Fault(Fault),
}

/// The batch under way.
pub(super) struct Work {
    setup: Arc<Setup>,
    tell: Arc<Teller>,
    output: Output,
    journal: Journal,
    past: Past,
    entries: Vec<Entry>,
    due: Vec<Due>,
    pace: Pace,
    began: Instant,
    halt: Option<Halt>,
    stop: watch::Sender<bool>,
    remarks: Vec<String>,
    spent: (usize, Duration),
}

impl Work {
    /// Reads the class and the journal.
    pub fn open(setup: Arc<Setup>, tell: Arc<Teller>) -> Result<Self, Fault> {
        let output = Output::open(&setup.out)
            .map_err(|e| disk(format!("le dossier « {} » ne s'écrit pas", setup.out.display()), e))?;
        let mut past = Past::default();
        let mut journal = Journal::open(&output.journal(), setup.resume, |record| past.push(&record))
            .map_err(|e| of(&e))?;
        let found = list(&setup.copies, &setup.out).map_err(|e| {
            let what = format!("le dossier « {} » ne se lit pas", setup.copies.display());
            Fault::new(FaultKind::Lab, what, "donnez le dossier qui contient un dossier par étudiant")
                .detail(e)
        })?;
        let put = put_together(&found, setup.roster.as_ref());
        let lab = conditions(&setup)?;
        let grader = env!("CARGO_PKG_VERSION").to_owned();
        let mut due: Vec<Due> = Vec::new();
        for entry in put.entries.iter().filter(|e| e.key == e.graded_as) {
            let Some(folder) = &entry.folder else { continue };
            let content = fingerprint(&folder.path);
            let terms = Terms { key: entry.key.clone(), content, lab: lab.clone(), grader: grader.clone() };
            due.push(Due { terms, name: folder.name.clone(), dir: folder.path.clone() });
        }
        let opened = Opened {
            format: FORMAT,
            grader,
            lab: setup.lab.id.clone(),
            at: jiff::Timestamp::now().to_string(),
        };
        let opened = Record::Opened(opened);
        journal.append(&opened).map_err(|e| of(&e))?;
        past.push(&opened);
        past.keep(&due.iter().map(|d| d.terms.clone()).collect::<Vec<_>>());
        let pace = Pace::new(setup.jobs, setup.lab.memory, &machine::look());
        let work = Self {
            tell,
            output,
            journal,
            past,
            entries: put.entries,
            due,
            pace,
            began: Instant::now(),
            halt: None,
            stop: watch::channel(false).0,
            remarks: put.told,
            spent: (0, Duration::ZERO),
            setup,
        };
        let left = work.due.iter().filter(|d| work.next(d) != Next::Done).count();
        (work.tell)(Told::Opened { total: work.due.len(), due: left, most: work.pace.most() });
        work.remarks.iter().for_each(|line| (work.tell)(Told::Remark(line)));
        Ok(work)
    }

    fn next(&self, due: &Due) -> Next {
        self.past.history(&due.terms).next()
    }

    fn queue(&self, next: Next) -> VecDeque<usize> {
        (0..self.due.len()).filter(|at| self.next(&self.due[*at]) == next).collect()
    }

    /// Grades what is due: side by side first, then what must be alone.
    pub async fn run(&mut self, cancel: impl Future<Output = ()>) {
        tokio::pin!(cancel);
        let together = self.queue(Next::Together);
        self.grade(together, false, &mut cancel).await;
        loop {
            let alone = self.queue(Next::Alone);
            if alone.is_empty() || self.halt.is_some() {
                return;
            }
            self.grade(alone, true, &mut cancel).await;
        }
    }

    async fn grade<C>(&mut self, mut queue: VecDeque<usize>, alone: bool, cancel: &mut std::pin::Pin<&mut C>)
    where
        C: Future<Output = ()>,
    {
        let mut set: JoinSet<Done> = JoinSet::new();
        let mut running: HashMap<tokio::task::Id, Running> = HashMap::new();
        let mut look = tokio::time::interval(LOOK);
        let mut now = machine::look();
        loop {
            while self.halt.is_none() && self.may_begin(alone, running.len(), &now) {
                let Some(at) = queue.pop_front() else { break };
                match self.begin(at, alone, &mut set) {
                    Ok(id) => {
                        running.insert(id, Running { due: at, alone, since: Instant::now(), worst: now });
                    }
                    Err(fault) => self.stop(Halt::Fault(fault)),
                }
            }
            if running.is_empty() {
                return;
            }
            tokio::select! {
                Some(ended) = set.join_next_with_id() => {
                    let (id, done) = match ended {
                        Ok((id, done)) => (id, Some(done)),
                        Err(e) => (e.id(), None),
                    };
                    if let Some(run) = running.remove(&id) {
                        let others = Others { waiting: queue.len(), running: &running };
                        let time = others.time();
                        if let Some(at) = self.end(run, done, time).await {
                            queue.push_front(at);
                        }
                    }
                }
                _ = look.tick() => {
                    now = machine::look();
                    for run in running.values_mut().filter(|run| now.strain > run.worst.strain) {
                        run.worst = now;
                    }
                    if !alone && self.pace.look(self.began.elapsed(), &now) {
                        let why = if now.is_saturated() { saturated(&now) } else { "la machine est plus calme".to_owned() };
                        (self.tell)(Told::Remark(&format!("{} de front : {why}", self.pace.now())));
                    }
                }
                () = &mut *cancel, if self.halt.is_none() => self.stop(Halt::Interrupted),
            }
        }
    }

    fn may_begin(&self, alone: bool, running: usize, now: &Sample) -> bool {
        if alone { running == 0 } else { self.pace.admits(running, now) }
    }

    fn stop(&mut self, halt: Halt) {
        self.halt.get_or_insert(halt);
        self.stop.send_replace(true);
    }

    fn begin(&mut self, at: usize, alone: bool, set: &mut JoinSet<Done>) -> Result<tokio::task::Id, Fault> {
        let due = &self.due[at];
        let history = self.past.history(&due.terms);
        let why = || match &history.best {
            Some(best) => best.doubt.clone().unwrap_or_else(|| best.result.why.clone()),
            None => "la correction s'est arrêtée plusieurs fois pendant cette copie".to_owned(),
        };
        let job = Job {
            key: due.terms.key.clone(),
            name: due.name.clone(),
            dir: due.dir.clone(),
            events: self
                .output
                .new_events(&due.terms.key)
                .map_err(|e| disk("le dossier des résultats ne s'écrit pas", e))?,
            alone: alone.then(|| (why(), history.best.as_ref().map(|best| best.result.clone()))),
        };
        let began = Record::Began(due.terms.clone());
        self.journal.append(&began).map_err(|e| of(&e))?;
        self.past.push(&began);
        let alone = job.alone.as_ref().map(|(why, _)| why.as_str());
        (self.tell)(Told::Began { key: &job.key, name: &job.name, alone });
        let run = attempt(Arc::clone(&self.setup), job, self.stop.subscribe(), Arc::clone(&self.tell));
        Ok(set.spawn(run).id())
    }

    /// Takes note of a run that ended; gives it back when it has to begin again.
    async fn end(&mut self, run: Running, done: Option<Done>, others: (usize, Duration)) -> Option<usize> {
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
        if let Err(fault) = self.score(&run, &terms, &done.report, others) {
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

    /// True when the run was spoilt by an engine that went away; waits for it, and stops the batch when
    /// it does not come back.
    async fn lost_engine(&mut self, report: &Report) -> bool {
        let Outcome::NotGraded(fault) = &report.outcome else { return false };
        let gone = fault.kind == FaultKind::NoEngine;
        if !gone && (fault.kind != FaultKind::Engine || self.answers().await) {
            return false;
        }
        (self.tell)(Told::Remark("le moteur ne répond plus : la correction attend son retour"));
        let since = Instant::now();
        let mut pause = Duration::from_millis(500);
        while !self.answers().await {
            if since.elapsed() > ENGINE || self.halt.is_some() {
                self.stop(Halt::Fault(fault.clone()));
                return true;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        (self.tell)(Told::Remark("le moteur répond de nouveau"));
        true
    }

    async fn answers(&self) -> bool {
        matches!(tokio::time::timeout(Duration::from_secs(10), self.setup.engine.version()).await, Ok(Ok(_)))
    }

    fn score(
        &mut self,
        run: &Running,
        terms: &Terms,
        report: &Report,
        others: (usize, Duration),
    ) -> Result<(), Fault> {
        let write = |e| disk("les résultats ne s'écrivent plus", e);
        let result = Summary::of(report);
        let again = doubt(&self.setup.lab, report, &run.worst, run.alone);
        if self.past.history(terms).is_beaten_by(result.standing) {
            let (page, wrong) = student_page(report, &self.setup.theme).map_err(write)?;
            self.blame(wrong);
            self.output.write_page(&terms.key, &page).map_err(write)?;
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
        };
        let ended = Record::Ended(Box::new(ended));
        self.journal.append(&ended).map_err(|e| of(&e))?;
        self.past.push(&ended);
        let due = &self.due[run.due];
        let again = again.filter(|_| self.next(due) == Next::Alone);
        let (waiting, under_way) = others;
        let alone = self.queue(Next::Alone).len();
        let left = time_left(self.spent.0, self.spent.1, waiting + alone, under_way, self.pace.now());
        let done = self.due.iter().filter(|d| self.next(d) == Next::Done).count();
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

    /// Writes the results: a pure function of the journal and of the students' events.
    pub fn close(mut self) -> Result<Total, Fault> {
        let write = |e| disk("les résultats ne s'écrivent pas", e);
        let terms: HashMap<&str, &Terms> =
            self.due.iter().map(|d| (d.terms.key.as_str(), &d.terms)).collect();
        let row = |entry: &Entry| class::row(entry, terms.get(entry.graded_as.as_str()).copied(), &self.past);
        let rows: Vec<Submission> = self.entries.iter().map(row).collect();
        let columns = self.setup.roster.as_ref().map(|r| r.columns.as_slice()).unwrap_or_default();
        let head = class::head(&self.setup.lab, columns);
        let pending = self.due.iter().filter(|d| self.past.history(&d.terms).best.is_none()).count();
        for key in self.due.iter().map(|d| d.terms.key.as_str()).filter(|key| !self.output.has_page(key)) {
            // Lost between two writings, or removed by somebody.
            if let Some(report) = self.output.report(key) {
                let (page, _) = student_page(&report, &self.setup.theme).map_err(write)?;
                self.output.write_page(key, &page).map_err(write)?;
            }
        }
        let graded_as: HashMap<&str, &str> =
            self.entries.iter().map(|e| (e.key.as_str(), e.graded_as.as_str())).collect();
        let report = |one: &Submission| {
            one.page.as_ref()?;
            self.output.report(graded_as.get(one.key.as_str())?)
        };
        self.output.class(&head, &rows, report).map_err(write)?;
        self.output.gradebook(&head, &rows).map_err(write)?;
        let at = jiff::Timestamp::now().to_string();
        let about = About { at: &at, pending, remarks: &self.remarks };
        let wrong = self.output.index(&head, &rows, &about, &self.setup.theme).map_err(write)?;
        self.blame(wrong);
        let (interrupted, fault) = match self.halt {
            Some(Halt::Interrupted) => (true, None),
            Some(Halt::Fault(fault)) => (false, Some(fault)),
            None => (false, None),
        };
        Ok(Total { stats: Some(Stats::of(&head, &rows)), pending, interrupted, fault })
    }
}

/// What else is to be done, for the time that is left.
struct Others<'a> {
    waiting: usize,
    running: &'a HashMap<tokio::task::Id, Running>,
}

impl Others<'_> {
    fn time(&self) -> (usize, Duration) {
        let under_way = self.running.values().map(|run| run.since.elapsed()).sum();
        (self.waiting + self.running.len(), under_way)
    }
}

/// What a verdict depends on besides the submission and the grader: the lab, the images that stand in for
/// others, how time is measured.
fn conditions(setup: &Setup) -> Result<String, Fault> {
    let print = |path: &Path| {
        compose::fingerprint(path).map_err(|e| disk(format!("« {} » ne se lit pas", path.display()), e))
    };
    let offline = if setup.images.recipes { print(&setup.recipes)? } else { String::new() };
    let lab = print(&setup.lab.dir.join("lab.toml"))?;
    let short = |text: &str| text.chars().take(24).collect::<String>();
    let time = if setup.real_time { "-real" } else { "" };
    Ok(format!("{}-{}{time}", short(&lab), short(&offline)))
}

fn of(error: &JournalError) -> Fault {
    let kind = match error {
        JournalError::Io { .. } => FaultKind::Disk,
        JournalError::Busy
        | JournalError::Used
        | JournalError::Damaged { .. }
        | JournalError::Version { .. } => FaultKind::Lab,
    };
    let (what, todo) = match error.to_string().split_once(" ; ") {
        Some((what, todo)) => (what.to_owned(), todo.to_owned()),
        None => (error.to_string(), "vérifiez la place et les droits de ce dossier".to_owned()),
    };
    Fault::new(kind, what, todo)
}
