//! The rarer things that kinds do, on a fake stack.

use async_trait::async_trait;
use serde_json::Value;

use super::super::deep::{Deep, Delivery, Drawn, Exec, Executed, Trace};
use super::super::world::Vantage;
use super::FakeWorld;
use crate::error::Fault;

/// Plays the commands of a fake stack.
pub type FakeExec = Box<dyn Fn(&FakeWorld, &Vantage, &Exec) -> Executed + Send + Sync>;

/// What the rarer things show.
#[derive(Default)]
pub struct Depths {
    /// Commands; without it, running one is a fault.
    pub exec: Option<FakeExec>,
    /// Inspections, by service.
    pub inspections: std::collections::BTreeMap<String, Vec<Value>>,
    /// Command lines, by service.
    pub processes: std::collections::BTreeMap<String, Vec<String>>,
    /// Traces in images, by service.
    pub traces: std::collections::BTreeMap<String, Vec<Trace>>,
    /// The drawn secret.
    pub drawn: Option<Drawn>,
    /// What the receiver was sent, played from the world.
    pub deliveries: Option<Box<dyn Fn(&FakeWorld) -> Vec<Delivery> + Send + Sync>>,
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
        self.lock().cut.insert(container.to_owned());
        Ok(self.unix_us())
    }
    async fn plug(&self, container: &str, _: &str) -> Result<(), Fault> {
        self.lock().cut.remove(container);
        Ok(())
    }
    async fn pause(&self, container: &str) -> Result<i64, Fault> {
        self.lock().cut.insert(container.to_owned());
        Ok(self.unix_us())
    }
    async fn unpause(&self, container: &str) -> Result<(), Fault> {
        self.lock().cut.remove(container);
        Ok(())
    }
    async fn inspections(&self, service: &str) -> Result<Vec<Value>, Fault> {
        Ok(self.deep.inspections.get(service).cloned().unwrap_or_default())
    }
    async fn processes(&self, service: &str) -> Result<Vec<String>, Fault> {
        Ok(self.deep.processes.get(service).cloned().unwrap_or_default())
    }
    async fn traces(&self, service: &str, _: &[String]) -> Result<Vec<Trace>, Fault> {
        Ok(self.deep.traces.get(service).cloned().unwrap_or_default())
    }
    fn drawn(&self) -> Option<&Drawn> {
        self.deep.drawn.as_ref()
    }
    async fn deliveries(&self) -> Result<Option<Vec<Delivery>>, Fault> {
        Ok(self.deep.deliveries.as_ref().map(|play| play(self)))
    }
}
