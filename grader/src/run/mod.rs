//! One run: a submission from its folder to its events.

mod builds;
mod judge;
mod listen;
mod plan;
mod reach;
mod secret;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::compose::{self, ComposeTool, ConfigError, Limits};
use crate::engine::{self, Engine, ImagePolicy, Resolved, Session};
use crate::error::{Fault, FaultKind};
use crate::event::{Event, FORMAT, Place, Problem, RunFinished, RunStarted, Step, StepState};
use crate::lab::Lab;

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
}

impl Ctx<'_> {
    pub(crate) fn emit(&self, event: Event) {
        (self.sink)(event);
    }

    /// A step of the work, for progress displays.
    pub(crate) fn step(&self, name: &str, text: &str, state: StepState) {
        let at_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.emit(Event::Step(Step { name: name.to_owned(), text: text.to_owned(), state, at_ms }));
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
    let cx = Ctx { engine, lab, options, session: Arc::clone(&session), sink, start };
    let ended = tokio::select! {
        ended = work(&cx) => ended,
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
    match ended {
        Ok(()) => {}
        Err(Stop::Invalid(problems)) => sink(Event::Invalid(problems)),
        Err(Stop::Refused(refusals)) => sink(Event::Refused(refusals)),
        Err(Stop::Fault(fault)) => sink(Event::Faulted(fault)),
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
    finish(sink, start);
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
async fn work(cx: &Ctx<'_>) -> Result<(), Stop> {
    cx.step("intake", "lecture de la copie", StepState::Started);
    let limits = Limits::default();
    let staged_dir = cx.session.dir().join("copie");
    std::fs::create_dir_all(&staged_dir).map_err(|e| {
        Stop::Fault(
            Fault::new(FaultKind::Disk, "le dossier temporaire est plein ou interdit", "libérez de la place")
                .detail(e),
        )
    })?;
    let staged = compose::stage(&cx.options.dir, &staged_dir, &limits).map_err(Stop::Invalid)?;
    let staged = Arc::new(staged);
    cx.step("intake", "lecture de la copie", StepState::Done);
    cx.step("config", "lecture du fichier Compose", StepState::Started);
    let tool = ComposeTool::at(&cx.engine.tools.compose);
    // What earlier runs may have left, the probe's image and the model have nothing to do with each other.
    let (model, probe_image, _) = tokio::join!(
        compose::canonical(&staged, &tool),
        engine::probe_image(cx.engine, &cx.session),
        engine::clean(cx.engine, false),
    );
    let model = model.map_err(|e| match e {
        ConfigError::Student(problems) => Stop::Invalid(problems),
        ConfigError::Refused(refusals) => Stop::Refused(refusals),
        ConfigError::Machine(fault) => Stop::Fault(fault),
    })?;
    let probe_image = probe_image?;
    for notice in model.notices() {
        cx.emit(Event::Notice(notice.clone()));
    }
    cx.step("config", "lecture du fichier Compose", StepState::Done);
    let approved = compose::approve(model).map_err(Stop::Refused)?;
    images(cx, &approved).await?;
    let drawn = match &cx.lab.experiments.secret {
        Some(name) => secret::draw(approved.model(), name)?,
        None => None,
    };
    plan::grade(cx, &staged, &approved, &probe_image, drawn).await
}

/// Makes the images of our tools ready too, that no check has to wait for them. One that cannot be
/// had makes the checks that need it inconclusive, and nothing else.
async fn tools(
    cx: &Ctx<'_>,
    places: &BTreeMap<String, Option<Place>>,
    recipes: &BTreeMap<String, engine::Recipe>,
    say: &(dyn Fn(&str, bool) + Sync),
) -> Result<(), Stop> {
    let checks = plan::selected(cx.lab, cx.options.only.as_deref());
    let mut wanted: Vec<String> = checks.iter().flat_map(|c| c.check.tools()).collect();
    wanted.sort();
    wanted.dedup();
    wanted.retain(|image| !places.contains_key(image));
    let policy = cx.options.images;
    for one in engine::ensure_images(cx.engine, &cx.session, &wanted, recipes, policy, say).await? {
        if let Resolved::Ready(used) = one {
            cx.emit(Event::Image(used));
        }
    }
    Ok(())
}

/// Makes the images of the active services ready, those that their Dockerfiles start from included.
async fn images(cx: &Ctx<'_>, approved: &compose::ApprovedModel) -> Result<(), Stop> {
    cx.step("images", "images", StepState::Started);
    let model = approved.model();
    let mut places: BTreeMap<String, Option<Place>> = BTreeMap::new();
    for need in model.images() {
        places.entry(need.image).or_insert(need.place);
    }
    for from in model.from_images() {
        let file = from.dockerfile.as_ref().map(|f| f.display().to_string());
        let place = file.and_then(|file| model.source().place_in(&file, &from.image, "image de départ"));
        places.entry(from.image).or_insert(place);
    }
    let wanted: Vec<String> = places.keys().cloned().collect();
    let recipes = engine::recipes(&cx.options.recipes)?;
    let say = |image: &str, done: bool| {
        let state = if done { StepState::Done } else { StepState::Started };
        cx.step(&format!("image:{image}"), &format!("image {image}"), state);
    };
    let ready =
        engine::ensure_images(cx.engine, &cx.session, &wanted, &recipes, cx.options.images, &say).await?;
    let mut unknown = Vec::new();
    for one in ready {
        match one {
            Resolved::Ready(used) => cx.emit(Event::Image(used)),
            Resolved::Unknown { image, detail } => unknown.push(Problem {
                code: "image-unknown".into(),
                what: format!("l'image « {image} » n'existe pas"),
                place: places.get(&image).cloned().flatten(),
                todo: "vérifiez le nom et l'étiquette de l'image".into(),
                detail,
            }),
            Resolved::Unavailable { image, detail } => {
                return Err(Stop::Fault(
                    Fault::new(
                        FaultKind::Image,
                        format!("l'image « {image} » ne peut pas être obtenue sur cette machine"),
                        "vérifiez la connexion au registre, ou prenez l'image que l'énoncé demande",
                    )
                    .detail(detail),
                ));
            }
        }
    }
    tools(cx, &places, &recipes, &say).await?;
    cx.step("images", "images", StepState::Done);
    if unknown.is_empty() { Ok(()) } else { Err(Stop::Invalid(unknown)) }
}
