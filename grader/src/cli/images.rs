//! `images list` and `images build`.

use super::args::ImagesBuild;
use super::{places, shell};
use crate::engine::{self, Engine, Resolved, Session};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::event::Grade;

fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Real => "réelle",
        Grade::Equivalent => "équivalente",
        Grade::Double => "doublure",
    }
}

/// `grader images list`
pub async fn list() -> ExitCode {
    let work = async {
        let recipes = engine::recipes(&places::labs()?.join("images"))?;
        let engine = Engine::connect().await.ok();
        for recipe in recipes.values() {
            let built = match &engine {
                Some(engine) if engine::is_built(engine, recipe).await => "construite",
                Some(_) => "à construire",
                None => "moteur absent",
            };
            let name = recipe.image.as_deref().unwrap_or(&recipe.folder);
            shell::say(&format!(
                "{name:<22} {:<12} {built:<13} {}",
                word(recipe.offline.grade),
                recipe.offline.inside
            ));
            shell::say(&format!("{:<22} diffère : {}", "", recipe.offline.differs));
        }
        Ok::<_, Fault>(())
    };
    match work.await {
        Ok(()) => ExitCode::Passed,
        Err(e) => shell::fault(&e),
    }
}

/// `grader images build`
pub async fn build(args: &ImagesBuild) -> ExitCode {
    match build_all(args).await {
        Ok(()) => ExitCode::Passed,
        Err(e) => shell::fault(&e),
    }
}

/// `grader images ready`: says whether everything is there; changes nothing.
pub async fn ready(args: &ImagesBuild) -> ExitCode {
    let work = async {
        let images = wanted(args)?;
        let recipes = engine::recipes(&places::labs()?.join("images"))?;
        let engine = Engine::connect().await?;
        engine::missing_images(&engine, &images, &recipes).await
    };
    match work.await {
        Ok(missing) if missing.is_empty() => ExitCode::Passed,
        Ok(missing) => {
            shell::say(&format!("images à préparer : {}", missing.join(", ")));
            ExitCode::Environment
        }
        Err(e) => shell::fault(&e),
    }
}

/// Images that the labs name.
fn wanted(args: &ImagesBuild) -> Result<Vec<String>, Fault> {
    let labs = places::labs()?;
    let bad =
        |e: crate::lab::LabError| Fault::new(FaultKind::Lab, e.to_string(), "grader list montre les TP");
    let ids: Vec<String> = if args.labs.is_empty() {
        let dirs = crate::lab::list(&labs);
        dirs.iter().filter_map(|d| d.file_name()).map(|n| n.to_string_lossy().into_owned()).collect()
    } else {
        args.labs.clone()
    };
    let mut images = Vec::new();
    for id in ids {
        images.extend(crate::lab::load(&labs, &id).map_err(bad)?.images);
    }
    images.sort();
    images.dedup();
    Ok(images)
}

async fn build_all(args: &ImagesBuild) -> Result<(), Fault> {
    let images = wanted(args)?;
    let recipes = engine::recipes(&places::labs()?.join("images"))?;
    let engine = Engine::connect().await?;
    let session = Session::open("images")?;
    let say = |image: &str, done: bool| {
        shell::complain(&format!("image {image} : {}", if done { "prête" } else { "préparation…" }));
    };
    let made = tokio::select! {
        made = async {
            engine::probe_image(&engine, &session).await?;
            engine::ensure_images(&engine, &session, &images, &recipes, args.images.into(), &say).await
        } => made,
        () = shell::interrupted() => Err(Fault::new(
            FaultKind::Interrupted,
            "interrompu à votre demande",
            "relancez : ce qui est déjà prêt ne sera pas refait",
        )),
    };
    session.close(&engine).await?;
    for one in made? {
        match one {
            Resolved::Ready(used) => {
                let kind = used.offline.as_ref().map_or_else(
                    || "officielle".to_owned(),
                    |o| format!("hors ligne, {} : {}", word(o.grade), o.inside),
                );
                shell::say(&format!("{:<22} {kind}", used.image));
            }
            Resolved::Unknown { image, detail } | Resolved::Unavailable { image, detail } => {
                return Err(Fault::new(
                    FaultKind::Image,
                    format!("l'image « {image} » ne peut pas être obtenue"),
                    "vérifiez la connexion au registre d'images ou aux dépôts de paquets, puis relancez",
                )
                .detail(detail));
            }
        }
    }
    Ok(())
}
