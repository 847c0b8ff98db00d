//! A stack brought up by the library itself, to look at what its containers see.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grader::compose::{self, ComposeTool, Limits, Plan};
use grader::engine::{self, Engine, ImagePolicy, Session, Stack, StackPlan};
use grader::error::Fault;
use tp_tests::Submission;
pub use tp_tests::docker;

/// One copy of a submission, running.
pub struct Running {
    pub engine: Engine,
    pub session: Arc<Session>,
    pub stack: Stack,
}

fn told<E: std::fmt::Debug>(what: &str) -> impl Fn(E) -> String + '_ {
    move |error| format!("{what}: {error:?}")
}

impl Running {
    /// From a folder to a running stack. Nothing is built.
    pub async fn up(submission: &Submission) -> Result<Self, String> {
        let engine = Engine::connect().await.map_err(told("engine"))?;
        let session = Arc::new(Session::open("trial").map_err(told("session"))?);
        match Self::start(&engine, &session, submission.path()).await {
            Ok(stack) => Ok(Self { engine, session, stack }),
            Err(error) => {
                let _ = session.close(&engine).await;
                Err(error)
            }
        }
    }

    async fn start(engine: &Engine, session: &Arc<Session>, dir: &Path) -> Result<Stack, String> {
        let into = session.dir().join("copie");
        std::fs::create_dir_all(&into).map_err(told("folder"))?;
        let staged = compose::stage(dir, &into, &Limits::default()).map_err(told("stage"))?;
        let tool = ComposeTool::at(&engine.tools.compose);
        let model = compose::canonical(&staged, &tool).await.map_err(told("canonical"))?;
        let approved = compose::approve(model).map_err(told("policy"))?;
        let images: Vec<String> = approved.model().images().into_iter().map(|need| need.image).collect();
        let recipes = engine::recipes(&tp_tests::root().join("labs/images")).map_err(told("recipes"))?;
        let policy = ImagePolicy { pull: false, recipes: true };
        engine::ensure_images(engine, session, &images, &recipes, policy, &|_, _| {})
            .await
            .map_err(told("images"))?;
        let ability = engine.ability(session).await.map_err(told("ability"))?;
        let plan = Plan {
            project: format!("tp{}a", session.id),
            labels: session.labels().clone(),
            subnets: session
                .reserve_subnets(engine, approved.subnets_needed())
                .await
                .map_err(told("subnets"))?,
            start_interval: engine.knows_start_interval(),
            subpath: ability.subpath,
            cgroups: ability.cgroups,
            copies: Some(session.dir().join("fichiers")),
            ..Plan::default()
        };
        let plan = StackPlan {
            model: compose::sandbox(&approved, &plan),
            builds: BTreeMap::new(),
            probe_image: engine::probe_image(engine, session).await.map_err(told("probe"))?,
            breakable: Vec::new(),
        };
        let stack = Stack::new(engine, session, plan).map_err(told("stack"))?;
        let error = stack.up(&[], false).await.map_err(told("up"))?;
        let up = stack.settle(&[], error, Duration::from_secs(60)).await.map_err(told("settle"))?;
        if up.compose_error.is_some() || !up.not_ready.is_empty() {
            return Err(format!("{up:?}"));
        }
        Ok(stack)
    }

    /// Name of a container of this copy.
    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.stack.project())
    }

    /// Runs a program in a service's container; gives what it said on both outputs.
    pub fn exec(&self, service: &str, command: &[&str]) -> String {
        let name = self.container(service);
        docker(&[&["exec", &name], command].concat())
    }

    /// Removes everything, and says that nothing is left.
    pub async fn down(self) -> Result<bool, Fault> {
        drop(self.stack);
        self.session.close(&self.engine).await.map(|left| left.is_empty())
    }
}

/// Asks again until the answer is as wanted, at most 30 s; gives the last answer otherwise.
pub async fn until(mut ask: impl FnMut() -> String, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let said = ask();
        if wanted(&said) {
            return Ok(said);
        }
        if Instant::now() > deadline {
            return Err(said);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
