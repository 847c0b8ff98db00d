//! The rarer things that kinds do, on a fake stack.

use async_trait::async_trait;
use serde_json::Value;

use super::super::deep::{
    Back, Deep, Delivery, Dotenv, Drawn, Exec, Executed, ImageSizes, Parcel, Process, ScriptRun, Trace,
    Weight,
};
use super::super::world::Vantage;
use super::FakeWorld;
use crate::error::Fault;

/// Plays the commands of a fake stack.
pub type FakeExec = Box<dyn Fn(&FakeWorld, &Vantage, &Exec) -> Executed + Send + Sync>;

/// Plays a script of a fake stack.
pub type FakeScript = Box<dyn Fn(&FakeWorld, &ScriptRun) -> Executed + Send + Sync>;

/// What the rarer things show.
#[derive(Default)]
pub struct Depths {
    /// Commands; without it, running one is a fault.
    pub exec: Option<FakeExec>,
    /// Inspections, by service.
    pub inspections: std::collections::BTreeMap<String, Vec<Value>>,
    /// Command lines, by service.
    pub processes: std::collections::BTreeMap<String, Vec<String>>,
    /// Processes with their users, by service.
    pub owners: std::collections::BTreeMap<String, Vec<Process>>,
    /// Weights of images, by service.
    pub sizes: std::collections::BTreeMap<String, ImageSizes>,
    /// Traces in images, by service.
    pub traces: std::collections::BTreeMap<String, Vec<Trace>>,
    /// Weights of images, by service.
    pub weights: std::collections::BTreeMap<String, Weight>,
    /// The drawn secret.
    pub drawn: Option<Drawn>,
    /// The `.env` of the run.
    pub dotenv: Option<Dotenv>,
    /// Whether a container whose process is ended is started again.
    pub revives: bool,
    /// Plays the student's script; without it, running one is a fault.
    pub script: Option<FakeScript>,
    /// The password of PostgreSQL, for those that do not come from its own loopback.
    pub password: Option<String>,
    /// What the receiver was sent, played from the world.
    pub deliveries: Option<Box<Play>>,
}

/// What a receiver was sent, from what was done to the world.
pub type Play = dyn Fn(&FakeWorld) -> Vec<Delivery> + Send + Sync;

impl FakeWorld {
    /// Whether a container is cut off or suspended now.
    pub fn is_cut(&self, container: &str) -> bool {
        self.lock().cut.get(container).is_some_and(|(_, until)| until.is_none())
    }

    /// Whether this password opens PostgreSQL.
    pub(super) fn lets_in(&self, ask: &super::super::world::wire::Postgres) -> bool {
        ask.host == "127.0.0.1" || self.deep.password.is_none() || self.deep.password == ask.password
    }
}

#[async_trait]
impl Deep for FakeWorld {
    async fn exec(&self, at: &Vantage, run: Exec) -> Result<Executed, Fault> {
        match &self.deep.exec {
            Some(exec) => Ok(exec(self, at, &run)),
            None => Err(super::super::kit::noise("aucune commande")),
        }
    }
    async fn unplug(&self, container: &str, _: &str) -> Result<i64, Fault> {
        self.pause(container).await
    }
    async fn plug(&self, container: &str, _: &str) -> Result<(), Fault> {
        self.unpause(container).await.map(drop)
    }
    async fn pause(&self, container: &str) -> Result<i64, Fault> {
        let now = self.unix_us();
        self.lock().cut.insert(container.to_owned(), (now, None));
        Ok(now)
    }
    async fn unpause(&self, container: &str) -> Result<i64, Fault> {
        let now = self.unix_us();
        if let Some((_, until)) = self.lock().cut.get_mut(container) {
            *until = Some(now);
        }
        Ok(now)
    }
    async fn halt(&self, container: &str) -> Result<(), Fault> {
        self.pause(container).await.map(drop)
    }
    async fn revive(&self, container: &str) -> Result<(), Fault> {
        self.unpause(container).await.map(drop)
    }
    async fn suspend(&self, service: &str) -> Result<i64, Fault> {
        super::super::World::freeze(self, service).await
    }
    async fn crash(&self, container: &str) -> Result<i64, Fault> {
        self.pause(container).await
    }
    async fn script(&self, run: ScriptRun) -> Result<Executed, Fault> {
        match &self.deep.script {
            Some(script) => Ok(script(self, &run)),
            None => Err(super::super::kit::noise("aucun script")),
        }
    }
    async fn recreate_elsewhere(&self, service: &str) -> Result<bool, Fault> {
        super::super::World::recreate(self, service).await
    }
    async fn inspections(&self, service: &str) -> Result<Vec<Value>, Fault> {
        let mut seen = self.deep.inspections.get(service).cloned().unwrap_or_default();
        for one in seen.iter_mut().filter(|_| self.deep.revives) {
            if one["Id"].as_str().is_some_and(|id| self.is_cut(id)) {
                one["State"]["StartedAt"] = "later".into();
            }
        }
        Ok(seen)
    }
    async fn processes(&self, service: &str) -> Result<Vec<String>, Fault> {
        Ok(self.deep.processes.get(service).cloned().unwrap_or_default())
    }
    async fn owners(&self, service: &str) -> Result<Vec<Process>, Fault> {
        Ok(self.deep.owners.get(service).cloned().unwrap_or_default())
    }
    async fn image_sizes(&self, service: &str) -> Result<Option<ImageSizes>, Fault> {
        Ok(self.deep.sizes.get(service).cloned())
    }
    async fn traces(&self, service: &str, _: &[String]) -> Result<Vec<Trace>, Fault> {
        Ok(self.deep.traces.get(service).cloned().unwrap_or_default())
    }
    async fn weight(&self, service: &str) -> Result<Option<Weight>, Fault> {
        Ok(self.deep.weights.get(service).cloned())
    }
    async fn publish(&self, _: &str, parcels: &[Parcel]) -> Result<Vec<Back>, Fault> {
        // The last one that takes a name keeps it.
        let last = |one: &Parcel| parcels.iter().rfind(|p| (&p.path, &p.tag) == (&one.path, &one.tag));
        let back = |one: &Parcel| Back { same: last(one) == Some(one), digest: "sha256:0".into() };
        Ok(parcels.iter().map(back).collect())
    }
    fn drawn(&self) -> Option<&Drawn> {
        self.deep.drawn.as_ref()
    }
    fn dotenv(&self) -> Option<&Dotenv> {
        self.deep.dotenv.as_ref()
    }
    async fn deliveries(&self) -> Result<Option<Vec<Delivery>>, Fault> {
        Ok(self.deep.deliveries.as_ref().map(|play| play(self)))
    }
}
