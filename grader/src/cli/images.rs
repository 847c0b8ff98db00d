//! `images list` and `images build`.

use std::sync::Arc;

use super::args::ImagesBuild;
use super::{places, shell};
use crate::engine::{self, Engine, Recipe, Session};
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
            shell::say(&format!("{name:<22} {:<12} {built:<13} {}", word(recipe.offline.grade), recipe.offline.inside));
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

async fn build_all(args: &ImagesBuild) -> Result<(), Fault> {
    let labs = places::labs()?;
    let recipes = engine::recipes(&labs.join("images"))?;
    let wanted: Vec<String> = if args.labs.is_empty() {
        recipes.keys().cloned().collect()
    } else {
        let mut folders = Vec::new();
        for id in &args.labs {
            let lab = crate::lab::load(&labs, id).map_err(|e| {
                Fault::new(FaultKind::Lab, e.to_string(), "grader list montre les TP")
            })?;
            let covers = |r: &&Recipe| lab.images.iter().any(|image| r.covers(image));
            folders.extend(recipes.values().filter(covers).map(|r| r.folder.clone()));
        }
        folders
    };
    let engine = Engine::connect().await?;
    let session = Arc::new(Session::open("images")?);
    let say = |folder: &str, done: bool| {
        shell::complain(&format!("image {folder} : {}", if done { "construite" } else { "construction…" }));
    };
    let built = tokio::select! {
        built = engine::build_recipes(&engine, &session, &recipes, &wanted, &say) => built,
        () = shell::interrupted() => Err(Fault::new(
            FaultKind::Interrupted,
            "interrompu à votre demande",
            "relancez : ce qui est déjà construit ne le sera pas deux fois",
        )),
    };
    session.close(&engine).await?;
    built
}
