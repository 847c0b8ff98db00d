//! The batch under way.

mod score;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::doubt::saturated;
use super::folders::{fingerprint, list};
use super::journal::{FORMAT, Journal, JournalError, Opened, Record, Terms};
use super::one::{Done, Job, attempt};
use super::output::Output;
use super::pace::{Pace, Sample};
use super::part::Part;
use super::plan::{Next, Past};
use super::publish::unsuited;
use super::roster::{Entry, put_together};
use super::ruler::ruler;
use super::{Setup, Teller, Told, disk, machine};
use crate::compose;
use crate::course::Known;
use crate::error::{Fault, FaultKind};
use crate::report::class::Ruler;

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Longest wait for an engine that went away.
const ENGINE: Duration = Duration::from_secs(180);

/// A folder to grade.
struct Due {
    terms: Terms,
    name: String,
    dir: std::path::PathBuf,
    /// What was drawn for this student.
    draw: Option<String>,
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
    /// With their places in the whole class, when this is one part of several.
    entries: Vec<(Option<usize>, Entry)>,
    ruler: Ruler,
    due: Vec<Due>,
    pace: Pace,
    began: Instant,
    halt: Option<Halt>,
    /// Since when the engine does not answer, and how that was told.
    lost: Option<(Instant, Fault)>,
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
        suits(&setup, &put.entries)?;
        let entries = part(&setup.part, put.entries);
        let lab = conditions(&setup)?;
        let ruler = ruler(&setup.lab).map_err(|e| disk("le dossier du TP ne se lit pas", e))?;
        let grader = env!("CARGO_PKG_VERSION").to_owned();
        let mut due: Vec<Due> = Vec::new();
        for (_, entry) in entries.iter().filter(|(_, e)| e.key == e.graded_as) {
            let Some(folder) = &entry.folder else { continue };
            let content = fingerprint(&folder.path);
            let terms = Terms { key: entry.key.clone(), content, lab: lab.clone(), grader: grader.clone() };
            let draw = setup.lab.drawn_in(&folder.path);
            due.push(Due { terms, name: folder.name.clone(), dir: folder.path.clone(), draw });
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
        let mut work = Self {
            tell,
            output,
            journal,
            past,
            entries,
            ruler,
            due,
            pace,
            began: Instant::now(),
            halt: None,
            lost: None,
            stop: watch::channel(false).0,
            remarks: put.told,
            spent: (0, Duration::ZERO),
            setup,
        };
        let left = work.due.iter().filter(|d| work.next(d) != Next::Done).count();
        (work.tell)(Told::Opened { total: work.due.len(), due: left, most: work.pace.most() });
        work.remarks.iter().for_each(|line| (work.tell)(Told::Remark(line)));
        // A template that is wrong is told now rather than at the end of the evening.
        work.try_theme()?;
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
            while self.may_begin(alone, running.len(), &now) {
                let Some(at) = queue.pop_front() else { break };
                match self.begin(at, alone, &mut set) {
                    Ok(id) => {
                        running.insert(id, Running { due: at, alone, since: Instant::now(), worst: now });
                    }
                    Err(fault) => self.stop(Halt::Fault(fault)),
                }
            }
            if running.is_empty() && (queue.is_empty() || self.halt.is_some()) {
                return;
            }
            tokio::select! {
                Some(ended) = set.join_next_with_id() => {
                    let (id, done) = match ended {
                        Ok((id, done)) => (id, Some(done)),
                        Err(e) => (e.id(), None),
                    };
                    if let Some(run) = running.remove(&id) {
                        let under_way = running.values().map(|run| run.since.elapsed()).sum();
                        if let Some(at) = self.end(&run, done, under_way).await {
                            queue.push_front(at);
                        }
                    }
                }
                _ = look.tick() => {
                    now = machine::look();
                    for run in running.values_mut().filter(|run| now.strain > run.worst.strain) {
                        run.worst = now;
                    }
                    self.look(&now, alone).await;
                }
                () = &mut *cancel, if self.halt.is_none() => self.stop(Halt::Interrupted),
            }
        }
    }

    /// What the machine, and an engine that went away, change.
    async fn look(&mut self, now: &Sample, alone: bool) {
        if !alone && self.pace.look(self.began.elapsed(), now) {
            let why =
                if now.is_saturated() { saturated(now) } else { "la machine est plus calme".to_owned() };
            (self.tell)(Told::Remark(&format!("{} de front : {why}", self.pace.now())));
        }
        let Some((since, fault)) = self.lost.clone() else { return };
        if self.answers().await {
            self.lost = None;
            (self.tell)(Told::Remark("le moteur répond de nouveau"));
        } else if since.elapsed() > ENGINE {
            self.stop(Halt::Fault(fault));
        }
    }

    fn may_begin(&self, alone: bool, running: usize, now: &Sample) -> bool {
        let room = if alone { running == 0 } else { self.pace.admits(running, now) };
        room && self.halt.is_none() && self.lost.is_none()
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
            events: self.output.new_events(&due.terms.key),
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
}

/// The course speaks of this class and of this lab: told before anything is graded.
fn suits(setup: &Setup, entries: &[Entry]) -> Result<(), Fault> {
    let Some(course) = &setup.course else { return Ok(()) };
    let known = Known {
        keys: entries.iter().map(|entry| entry.key.as_str()).collect(),
        columns: setup.roster.as_ref().map(|roster| roster.columns.as_slice()).unwrap_or_default(),
        checks: setup.lab.checks.iter().map(|c| (c.card.id.as_str(), c.card.points)).collect(),
    };
    unsuited(&course.unknown(&known))
}

/// The entries of this part of the class, with their places in the whole of it.
fn part(part: &Part, entries: Vec<Entry>) -> Vec<(Option<usize>, Entry)> {
    let is_shard = matches!(part, Part::Shard { .. });
    let placed = entries.into_iter().enumerate().map(|(at, entry)| (is_shard.then_some(at), entry));
    placed.filter(|(_, entry)| part.holds(&entry.graded_as)).collect()
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

pub(super) fn of(error: &JournalError) -> Fault {
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
