//! From a folder to a model that may run, and its images.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Ctx, Stop, plan};
use crate::check::deep::Dotenv;
use crate::compose::{
    self, ApprovedModel, ComposeModel, ComposeTool, ConfigError, DotenvWish, Limits, Staged, Wishes,
};
use crate::engine::{self, Resolved};
use crate::error::{Fault, FaultKind};
use crate::event::{Event, Place, Problem, StepState};
use crate::lab::Lab;
use crate::lab::draw::Ticket;

/// The copy of the submission, in `room`.
pub(super) fn stage(cx: &Ctx<'_>, room: &Path) -> Result<Arc<Staged>, Stop> {
    cx.step("intake", "lecture de la copie", StepState::Started);
    let into = room.join("copie");
    std::fs::create_dir_all(&into).map_err(|e| {
        let what = "le dossier temporaire est plein ou interdit";
        Stop::Fault(Fault::new(FaultKind::Disk, what, "libérez de la place").detail(e))
    })?;
    let wishes = wishes(cx.lab, &cx.session.secret);
    let staged =
        compose::stage_for(&cx.options.dir, &into, &Limits::default(), &wishes).map_err(Stop::Invalid)?;
    cx.step("intake", "lecture de la copie", StepState::Done);
    Ok(Arc::new(staged))
}

/// What a lab wishes of the copy; the secrets that it draws come from `secret`.
pub fn wishes(lab: &Lab, secret: &str) -> Wishes {
    let experiments = &lab.experiments;
    Wishes {
        over: experiments.over.clone(),
        profile: experiments.profile.clone(),
        profiles: experiments.profiles.clone(),
        dotenv: experiments.dotenv.as_ref().map(|dotenv| DotenvWish {
            example: dotenv.example.clone(),
            drawn: dotenv.secrets.iter().map(|name| (name.clone(), value(secret, name))).collect(),
        }),
    }
}

/// The value of a secret of this session: the same at each reading.
fn value(secret: &str, name: &str) -> String {
    format!("k{}", hex::encode(&Sha256::digest(format!("{secret}\n{name}"))[..12]))
}

/// The model that Compose reads in it, accepted by the policy.
pub(super) async fn approve(cx: &Ctx<'_>, staged: &Staged) -> Result<ApprovedModel, Stop> {
    cx.step("config", "lecture du fichier Compose", StepState::Started);
    let tool = ComposeTool::at(&cx.engine.tools.compose);
    let model = compose::canonical(staged, &tool).await.map_err(|e| match e {
        ConfigError::Student(problems) => Stop::Invalid(problems),
        ConfigError::Refused(refusals) => Stop::Refused(refusals),
        ConfigError::Machine(fault) => Stop::Fault(fault),
    })?;
    for notice in model.notices() {
        cx.emit(Event::Notice(notice.clone()));
    }
    cx.step("config", "lecture du fichier Compose", StepState::Done);
    compose::approve(model).map_err(Stop::Refused)
}

/// The `.env` of the run, with where a secret has a value that nobody gave it.
pub(super) async fn dotenv(
    cx: &Ctx<'_>,
    staged: &Staged,
    model: &ComposeModel,
) -> Result<Option<Arc<Dotenv>>, Stop> {
    let Some(dotenv) = model.dotenv() else { return Ok(None) };
    let tool = ComposeTool::at(&cx.engine.tools.compose);
    let fallbacks = compose::fallbacks(staged, &tool, model).await?;
    let unused = compose::unused(dotenv, model.json());
    Ok(Some(Arc::new(Dotenv { fallbacks, unused, ..dotenv.clone() })))
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
pub(super) async fn images(cx: &Ctx<'_>, approved: &ApprovedModel) -> Result<(), Stop> {
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

/// The lab with the values that this submission's own ticket draws.
pub(super) fn drawn(lab: &Lab, copy: &Path) -> Result<Lab, Stop> {
    let Some(draw) = &lab.draw else { return Ok(lab.clone()) };
    let told = std::fs::read(copy.join(&draw.file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let ticket = match &told {
        Ok(text) => Ticket::read(text, &lab.id),
        Err(_) => Err("il n'est pas dans le dossier rendu"),
    };
    let ticket = ticket.map_err(|why| {
        Stop::Invalid(vec![Problem {
            code: "draw".into(),
            what: format!("le tirage de ce TP manque, ou n'est plus celui du départ (fichier {}) : {why}", draw.file),
            place: None,
            todo: format!(
                "remettez le fichier {} que « grader init {id} » avait écrit ; « grader reset {id} » le redonne avec le départ, et garde votre travail à part",
                draw.file,
                id = lab.id
            ),
            detail: String::new(),
        }])
    })?;
    lab.drawn(ticket).map_err(|e| Stop::Fault(Fault::new(FaultKind::Lab, e.to_string(), "corrigez lab.toml")))
}
