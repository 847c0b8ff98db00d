//! One run: a submission from its folder to its events.

mod builds;
mod copy;
mod intake;
mod judge;
mod listen;
mod plan;
mod reach;
mod secret;
mod warm;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::{self, Engine, ImagePolicy, Session, Stack};
use crate::error::{Fault, FaultKind};
use crate::event::{Event, FORMAT, Kept, Problem, RunFinished, RunStarted, Step, StepState};
use crate::lab::Lab;

pub use intake::wishes;
pub use warm::{Refreshed, Warm};

/// What a run is asked.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The submission's folder.
    pub dir: PathBuf,
    /// How it is named in the report.
    pub label: String,
    /// Where images may come from.
    pub images: ImagePolicy,
    /// Folder of the offline recipes.
    pub recipes: PathBuf,
    /// Judge only this check and what it needs.
    pub only: Option<String>,
    /// Measure times as they are, never divided.
    pub real_time: bool,
    /// Longest run.
    pub timeout: Duration,
}

/// Receives the events of a run, in order.
pub type Sink<'a> = dyn Fn(Event) + Send + Sync + 'a;

/// Shared by the parts of one run.
pub(crate) struct Ctx<'a> {
    pub engine: &'a Engine,
    pub lab: &'a Lab,
    pub options: &'a RunOptions,
    pub session: Arc<Session>,
    pub sink: &'a Sink<'a>,
    pub start: Instant,
    /// Leave the first copy up once it is judged.
    pub keep: bool,
}

impl Ctx<'_> {
    pub(crate) fn emit(&self, event: Event) {
        (self.sink)(event);
    }

    /// A step of the work, for progress displays.
    pub(crate) fn step(&self, name: &str, text: &str, state: StepState) {
        let at_ms = self.at_ms();
        self.emit(Event::Step(Step { name: name.to_owned(), text: text.to_owned(), state, at_ms }));
    }

    /// The same run, judged by this lab.
    fn judging<'b>(&'b self, lab: &'b Lab) -> Ctx<'b> {
        Ctx { lab, session: Arc::clone(&self.session), ..*self }
    }

    /// Since the start, in milliseconds.
    pub(crate) fn at_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Why the work of a run ended before its verdicts.
pub(crate) enum Stop {
    /// Files of the student are invalid.
    Invalid(Vec<Problem>),
    /// Refused by the policy.
    Refused(Vec<crate::event::Refusal>),
    /// Not graded.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Runs a lab on a submission: everything that it says goes to `sink`; `cancel` ends it early.
/// Whatever happens, everything that was created is removed before it returns.
pub async fn run(
    engine: &Engine,
    lab: &Lab,
    options: &RunOptions,
    cancel: impl Future<Output = ()>,
    sink: &Sink<'_>,
) {
    run_and_keep(engine, lab, options, cancel, None::<std::future::Ready<()>>, sink).await;
}

/// [`run`], but the first copy, once judged, stays up until `released` resolves, the services that
/// a check disturbed given back ([`Event::Kept`] says what is there). Nothing is kept without it,
/// nor of a run that gave no verdict.
pub async fn run_and_keep(
    engine: &Engine,
    lab: &Lab,
    options: &RunOptions,
    cancel: impl Future<Output = ()>,
    released: Option<impl Future<Output = ()>>,
    sink: &Sink<'_>,
) {
    let start = Instant::now();
    let session = match Session::open(&lab.id) {
        Ok(session) => Arc::new(session),
        Err(fault) => {
            sink(opening("00000000", lab, options));
            sink(Event::Faulted(fault));
            return finish(sink, start);
        }
    };
    sink(opening(&session.id, lab, options));
    let keep = released.is_some();
    let cx = Ctx { engine, lab, options, session: Arc::clone(&session), sink, start, keep };
    let tell = |notice| sink(Event::Notice(notice));
    let ended = tokio::select! {
        ended = work(&cx) => ended,
        never = engine::guard_disk(engine, &session, &tell) => match never {},
        () = cancel => Err(Stop::Fault(Fault::new(
            FaultKind::Interrupted,
            "interrompu à votre demande",
            "relancez quand vous voulez : rien n'a été noté",
        ))),
        () = tokio::time::sleep(options.timeout) => Err(Stop::Fault(Fault::new(
            FaultKind::Deadline,
            format!("la correction n'est pas finie après {} s", options.timeout.as_secs()),
            "relancez quand la machine est moins chargée, ou donnez plus de temps (--timeout)",
        ))),
    };
    let mut looked = Duration::ZERO;
    match (ended, released) {
        (Ok(stack), Some(released)) => looked = look_around(&cx, &stack, released).await,
        (Ok(_), None) => {}
        (Err(Stop::Invalid(problems)), _) => sink(Event::Invalid(problems)),
        (Err(Stop::Refused(refusals)), _) => sink(Event::Refused(refusals)),
        (Err(Stop::Fault(fault)), _) => sink(Event::Faulted(fault)),
    }
    cx.step("down", "nettoyage", StepState::Started);
    match session.close(engine).await {
        Ok(left) => {
            let state = if left.is_empty() { StepState::Done } else { StepState::Failed };
            cx.step("down", "nettoyage", state);
            sink(Event::Cleaned(left));
        }
        Err(fault) => {
            cx.step("down", "nettoyage", StepState::Failed);
            sink(Event::Faulted(fault));
        }
    }
    finish(sink, start + looked);
}

/// Says what stays up, waits for its release, and gives how long that took.
async fn look_around(cx: &Ctx<'_>, stack: &Stack, released: impl Future<Output = ()>) -> Duration {
    match stack.kept().await {
        Ok(kept) => {
            cx.emit(Event::Kept(Kept { at_ms: cx.at_ms(), ..kept }));
        }
        Err(fault) => {
            cx.emit(Event::Faulted(fault));
            return Duration::ZERO;
        }
    }
    let since = Instant::now();
    released.await;
    since.elapsed()
}

fn finish(sink: &Sink<'_>, start: Instant) {
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    sink(Event::RunFinished(RunFinished { elapsed_ms }));
}

fn opening(run: &str, lab: &Lab, options: &RunOptions) -> Event {
    Event::RunStarted(RunStarted {
        format: FORMAT,
        run: run.to_owned(),
        grader: env!("CARGO_PKG_VERSION").to_owned(),
        at: jiff::Timestamp::now().to_string(),
        lab: lab.id.clone(),
        lab_title: lab.title.clone(),
        submission: options.label.clone(),
        budget_ms: u64::try_from(lab.budget.0.as_millis()).ok(),
        checks: plan::selected(lab, options.only.as_deref()).into_iter().map(|c| c.card).collect(),
    })
}

/// Intake, canonical model, policy, images; then the stacks and the verdicts.
async fn work(cx: &Ctx<'_>) -> Result<Arc<Stack>, Stop> {
    let staged = intake::stage(cx, cx.session.dir())?;
    // A lab that draws is judged with the values of this student.
    let lab = intake::drawn(cx.lab, &staged.root)?;
    let cx = &cx.judging(&lab);
    // What earlier runs may have left, the probe's image and the model have nothing to do with each other.
    let (approved, probe_image, _) = tokio::join!(
        intake::approve(cx, &staged),
        engine::probe_image(cx.engine, &cx.session),
        engine::clean(cx.engine, false),
    );
    let (approved, probe_image) = (approved?, probe_image?);
    intake::images(cx, &approved).await?;
    plan::grade(cx, &staged, &approved, &probe_image).await
}
