//! A copy that stays up once it is judged, for its author to look around.

use std::time::{Duration, Instant};

use bollard::query_parameters::RestartContainerOptionsBuilder;

use super::stack::Stack;
use crate::check::world::{Health, State};
use crate::error::Fault;
use crate::event::{Kept, KeptService};

/// Longest wait for what a check disturbed to be well again.
const MEND: Duration = Duration::from_secs(20);

impl Stack {
    /// Notes that a check begins (`true`) or ends to disturb a service.
    pub(super) fn note_disturbed(&self, service: &str, still: bool) {
        let mut disturbed = self.disturbed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        disturbed.insert(service.to_owned(), still);
    }

    /// Gives back the services that a check disturbed: what is still frozen or stopped is restarted
    /// (a restarted container has new processes and a new loopback interface), then all of them are
    /// waited for, within bounds.
    pub async fn mend(&self) -> Result<(), Fault> {
        let disturbed =
            self.disturbed.lock().map_or_else(|e| e.into_inner().clone(), |disturbed| disturbed.clone());
        for service in disturbed.iter().filter(|(_, still)| **still).map(|(service, _)| service) {
            for instance in self.instances(service).await? {
                let at_once = RestartContainerOptionsBuilder::new().t(0).build();
                // One that will not start again is shown as it is.
                let _ = self.engine.docker.restart_container(&instance.id, Some(at_once)).await;
            }
        }
        let deadline = Instant::now() + MEND;
        for service in disturbed.keys() {
            while Instant::now() < deadline {
                let found = self.instances(service).await?;
                let sick = |h| matches!(h, Some(Health::Starting | Health::Unhealthy));
                if found.iter().all(|i| i.state == State::Running && !sick(i.health)) {
                    break;
                }
                self.watch.next(Duration::from_millis(200)).await;
            }
        }
        Ok(())
    }

    /// What one needs to know to look around.
    pub async fn kept(&self) -> Result<Kept, Fault> {
        let mut services = Vec::new();
        for service in self.plan.model.services().keys() {
            let found = self.instances(service).await?;
            services.push(KeptService {
                service: service.clone(),
                running: found.iter().any(|i| i.state == State::Running),
                published: found
                    .iter()
                    .flat_map(|i| &i.published)
                    .map(|(p, a)| (*p, a.to_string()))
                    .collect(),
            });
        }
        let networks = self.plan.model.networks().values().map(|n| n.name.clone()).collect();
        Ok(Kept { project: self.project().to_owned(), services, networks, at_ms: 0 })
    }
}
