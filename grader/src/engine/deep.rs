//! The rarer things that checks do to a running copy.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use bollard::query_parameters::{
    InspectContainerOptions, LogsOptionsBuilder, StopContainerOptionsBuilder, TopOptionsBuilder,
};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::build::{BuildRequest, build};
use super::fault::{engine_fault, from_text, is_gone};
use super::probe::Seat;
use super::world::StackWorld;
use super::{crash, image_scan, processes, registry, script};
use crate::check::deep::{
    Back, Deep, Delivery, Dotenv, Drawn, Exec, Executed, ImageSizes, Parcel, Process, ScriptRun, Trace,
    Weight,
};
use crate::check::world::{State, Vantage};
use crate::error::{Fault, FaultKind};

/// Bytes kept of the standard output of a command.
const KEEP_OUT: usize = 32 << 20;
/// Bytes kept of its standard error.
const KEEP_ERR: usize = 64 << 10;

fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

impl StackWorld {
    async fn container(&self, at: &Vantage) -> Result<String, Fault> {
        match at {
            Vantage::Twin(name) => self.stack.twin_id(name).await,
            Vantage::Service(service) => {
                let found = self.stack.running(service).await?;
                found.map(|instance| instance.id).ok_or_else(|| {
                    Fault::new(
                        FaultKind::Engine,
                        format!("le service « {service} » n'est pas en marche"),
                        "voyez pourquoi il s'arrête",
                    )
                })
            }
            Vantage::Network(_) | Vantage::Address(..) | Vantage::DefaultBridge => Err(Fault::new(
                FaultKind::Bug,
                "une commande se lance dans un service",
                "signalez ce défaut du correcteur",
            )),
        }
    }

    fn network(&self, key: &str) -> Result<String, Fault> {
        let found = self.stack.plan.model.networks().get(key).map(|network| network.name.clone());
        found.ok_or_else(|| {
            Fault::new(FaultKind::Bug, format!("le réseau « {key} » n'existe pas"), "signalez ce défaut")
        })
    }

    /// Runs to its end; what was said so far is in `seen` should it never come.
    async fn run_exec(&self, container: &str, run: &Exec, seen: &mut Executed) -> Result<(), Fault> {
        let doing = |e| engine_fault("une commande dans un conteneur", &e);
        let docker = &self.stack.engine.docker;
        let config = CreateExecOptions {
            attach_stdin: Some(!run.input.is_empty()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(run.command.clone()),
            env: Some(run.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            ..CreateExecOptions::default()
        };
        let id = docker.create_exec(container, config).await.map_err(doing)?.id;
        if let StartExecResults::Attached { mut output, mut input } =
            docker.start_exec(&id, None).await.map_err(doing)?
        {
            let feed = async {
                // A command that ends without reading all of it closes its input.
                let _ = input.write_all(&run.input).await;
                let _ = input.shutdown().await;
            };
            let read = async {
                while let Some(chunk) = output.next().await {
                    match chunk.map_err(doing)? {
                        LogOutput::StdErr { message } => {
                            let room = KEEP_ERR.saturating_sub(seen.err.len()).min(message.len());
                            seen.err.push_str(&String::from_utf8_lossy(&message[..room]));
                        }
                        other => {
                            let bytes = other.into_bytes();
                            let room = KEEP_OUT.saturating_sub(seen.out.len()).min(bytes.len());
                            seen.out.extend_from_slice(&bytes[..room]);
                        }
                    }
                }
                Ok::<(), Fault>(())
            };
            let ((), read) = tokio::join!(feed, read);
            read?;
        }
        seen.code = docker.inspect_exec(&id).await.map_err(doing)?.exit_code;
        Ok(())
    }

    /// Bytes of an image.
    async fn bytes_of(&self, tag: &str) -> Result<u64, Fault> {
        let seen = self.stack.engine.docker.inspect_image(tag).await;
        let seen = seen.map_err(|e| engine_fault("l'inspection d'une image", &e))?;
        Ok(seen.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    }

    async fn endpoint(&self, container: &str, network: &str) -> Result<Option<EndpointSettings>, Fault> {
        let seen = self
            .stack
            .engine
            .docker
            .inspect_container(container, None::<InspectContainerOptions>)
            .await
            .map_err(|e| engine_fault("l'inspection d'un conteneur", &e))?;
        let networks = seen.network_settings.and_then(|n| n.networks);
        Ok(networks.and_then(|mut all| all.remove(network)))
    }
}

#[async_trait]
impl Deep for StackWorld {
    async fn exec(&self, at: &Vantage, run: Exec) -> Result<Executed, Fault> {
        let container = self.container(at).await?;
        let mut seen = Executed::default();
        let ended = tokio::time::timeout(run.deadline, self.run_exec(&container, &run, &mut seen)).await;
        match ended {
            Ok(done) => done.map(|()| seen),
            Err(_) => Ok(Executed { code: None, ..seen }),
        }
    }

    async fn unplug(&self, container: &str, network: &str) -> Result<i64, Fault> {
        let name = self.network(network)?;
        if let Some(end) = self.endpoint(container, &name).await? {
            self.stack.unplugged.lock().await.insert((container.to_owned(), name.clone()), end);
        }
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: None };
        let done = self.stack.engine.docker.disconnect_network(&name, request).await;
        done.map_err(|e| engine_fault("le débranchement d'un réseau", &e))?;
        Ok(now_us())
    }

    async fn plug(&self, container: &str, network: &str) -> Result<(), Fault> {
        let name = self.network(network)?;
        let was = self.stack.unplugged.lock().await.remove(&(container.to_owned(), name.clone()));
        let end = was.map(|was| EndpointSettings {
            aliases: was.aliases,
            links: was.links,
            ..EndpointSettings::default()
        });
        let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: end };
        let done = self.stack.engine.docker.connect_network(&name, request).await;
        done.map_err(|e| engine_fault("le branchement d'un réseau", &e))
    }

    async fn pause(&self, container: &str) -> Result<i64, Fault> {
        let done = self.stack.engine.docker.pause_container(container).await;
        done.map_err(|e| engine_fault("la suspension d'un conteneur", &e))?;
        Ok(now_us())
    }

    async fn unpause(&self, container: &str) -> Result<i64, Fault> {
        let done = self.stack.engine.docker.unpause_container(container).await;
        done.map_err(|e| engine_fault("la reprise d'un conteneur", &e))?;
        Ok(now_us())
    }

    async fn halt(&self, container: &str) -> Result<(), Fault> {
        let now = StopContainerOptionsBuilder::new().t(0).build();
        let done = self.stack.engine.docker.stop_container(container, Some(now)).await;
        done.map_err(|e| engine_fault("l'arrêt d'un conteneur", &e))
    }

    async fn revive(&self, container: &str) -> Result<(), Fault> {
        let done = self.stack.engine.docker.start_container(container, None).await;
        done.map_err(|e| engine_fault("le démarrage d'un conteneur", &e))
    }

    async fn suspend(&self, service: &str) -> Result<i64, Fault> {
        self.stack.note_disturbed(service, true);
        self.set_stopped(service).await
    }

    async fn crash(&self, container: &str) -> Result<i64, Fault> {
        crash::end(&self.stack, container).await?;
        Ok(now_us())
    }

    async fn script(&self, run: ScriptRun) -> Result<Executed, Fault> {
        script::run(self, &run).await
    }

    async fn recreate_elsewhere(&self, service: &str) -> Result<bool, Fault> {
        let before = self.stack.instances(service).await?;
        self.stack.remove_service(service).await?;
        let mut holders = Vec::new();
        for (rank, instance) in before.iter().enumerate() {
            for attachment in &instance.attachments {
                let name = self.network(&attachment.network)?;
                let key = format!("hold:{service}:{}:{rank}", attachment.network);
                holders.push(async move { self.stack.probe(&key, Seat::Network(name)).await });
            }
        }
        // A network without room for them gives other addresses anyway, or the caller sees that it did not.
        futures_util::future::join_all(holders).await;
        crate::check::World::recreate(self, service).await
    }

    async fn inspections(&self, service: &str) -> Result<Vec<Value>, Fault> {
        let mut found = Vec::new();
        for instance in self.stack.instances(service).await? {
            let docker = &self.stack.engine.docker;
            match docker.inspect_container(&instance.id, None::<InspectContainerOptions>).await {
                Ok(seen) => found.push(
                    serde_json::to_value(seen)
                        .map_err(|e| from_text("l'inspection d'un conteneur", &e.to_string()))?,
                ),
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(engine_fault("l'inspection d'un conteneur", &e)),
            }
        }
        Ok(found)
    }

    async fn processes(&self, service: &str) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        for instance in self.stack.instances(service).await?.iter().filter(|i| i.state == State::Running) {
            let options = TopOptionsBuilder::new().ps_args("-eo pid,args").build();
            match self.stack.engine.docker.top_processes(&instance.id, Some(options)).await {
                Ok(top) => {
                    let rows = top.processes.unwrap_or_default();
                    found.extend(rows.into_iter().map(|mut row| row.pop().unwrap_or_default()));
                }
                // It ended meanwhile.
                Err(e) if matches!(super::fault::status(&e), Some(404 | 409 | 500)) => {}
                Err(e) => return Err(engine_fault("la liste des processus", &e)),
            }
        }
        Ok(found)
    }

    async fn owners(&self, service: &str) -> Result<Vec<Process>, Fault> {
        let docker = &self.stack.engine.docker;
        let told = docker.info().await.map_err(|e| engine_fault("la description du moteur", &e))?;
        let moved = |option: &String| option.contains("name=rootless") || option.contains("name=userns");
        if told.security_options.iter().flatten().any(moved) {
            return Err(Fault::new(
                FaultKind::Engine,
                "ce moteur donne aux conteneurs d'autres numéros d'utilisateur : root ne s'y reconnaît pas",
                "corrigez sur un moteur ordinaire (ni « rootless », ni « userns-remap »)",
            ));
        }
        let mut found = Vec::new();
        for instance in self.stack.instances(service).await?.iter().filter(|i| i.state == State::Running) {
            let main = match docker.inspect_container(&instance.id, None::<InspectContainerOptions>).await {
                Ok(seen) => seen.state.and_then(|state| state.pid),
                Err(e) if is_gone(&e) => continue,
                Err(e) => return Err(engine_fault("l'inspection d'un conteneur", &e)),
            };
            let options = TopOptionsBuilder::new().ps_args("-eo pid,ppid,uid,args").build();
            match docker.top_processes(&instance.id, Some(options)).await {
                Ok(top) => {
                    found.extend(processes::beneath(main.unwrap_or(0), &top.processes.unwrap_or_default()));
                }
                // It ended meanwhile.
                Err(e) if matches!(super::fault::status(&e), Some(404 | 409 | 500)) => {}
                Err(e) => return Err(engine_fault("la liste des processus", &e)),
            }
        }
        Ok(found)
    }

    async fn image_sizes(&self, service: &str) -> Result<Option<ImageSizes>, Fault> {
        let Some(request) = self.stack.plan.builds.get(service) else { return Ok(None) };
        let Some(tag) = &request.tag else { return Ok(None) };
        let mut sizes = ImageSizes { image: self.bytes_of(tag).await?, feeders: Vec::new() };
        for (index, (name, text)) in request.feeders.iter().enumerate() {
            let scratch = tempfile::Builder::new().prefix("etape-").tempdir_in(self.stack.session.dir());
            let scratch = scratch.map_err(|e| from_text("l'étape d'une image", &e.to_string()))?;
            let dockerfile = scratch.path().join("Dockerfile");
            std::fs::write(&dockerfile, text)
                .map_err(|e| from_text("l'étape d'une image", &e.to_string()))?;
            let repository = tag.rsplit_once(':').map_or(tag.as_str(), |(name, _)| name);
            let stage = format!("{repository}:etape-{index}");
            let request =
                BuildRequest { dockerfile, target: None, tag: Some(stage.clone()), ..request.clone() };
            let outcome = build(&self.stack.engine, &self.stack.session, &request).await?;
            if !outcome.ok {
                // The whole was built from it: not the student's doing.
                return Err(from_text("la construction d'une étape", &outcome.log));
            }
            sizes.feeders.push((name.clone(), self.bytes_of(&stage).await?));
        }
        Ok(Some(sizes))
    }

    async fn traces(&self, service: &str, needles: &[String]) -> Result<Vec<Trace>, Fault> {
        let builds = &self.stack.plan.builds;
        let Some(tag) = builds.get(service).and_then(|build| build.tag.clone()) else {
            return Ok(Vec::new());
        };
        let ours: Vec<String> = builds.values().filter_map(|build| build.tag.clone()).collect();
        image_scan::traces(&self.stack.engine, &tag, &ours, needles).await
    }

    async fn weight(&self, service: &str) -> Result<Option<Weight>, Fault> {
        match self.stack.plan.builds.get(service).and_then(|build| build.tag.clone()) {
            Some(tag) => registry::weight(&self.stack.engine, &tag, &self.starts).await.map(Some),
            None => Ok(None),
        }
    }

    async fn publish(&self, image: &str, parcels: &[Parcel]) -> Result<Vec<Back>, Fault> {
        registry::publish(self, image, parcels).await
    }

    fn drawn(&self) -> Option<&Drawn> {
        self.drawn.as_deref()
    }

    fn dotenv(&self) -> Option<&Dotenv> {
        self.dotenv.as_deref()
    }

    async fn deliveries(&self) -> Result<Option<Vec<Delivery>>, Fault> {
        let Some(service) = self.stack.plan.model.receiver() else { return Ok(None) };
        let log = whole_log(self, service).await?;
        Ok(Some(log.lines().filter_map(delivery).collect()))
    }
}

/// Bytes read of the receiver's log.
const KEEP_LOG: usize = 8 << 20;

/// All that a service has said on its standard output.
async fn whole_log(world: &StackWorld, service: &str) -> Result<String, Fault> {
    let mut text = Vec::new();
    for instance in world.stack.instances(service).await? {
        let options = LogsOptionsBuilder::new().stdout(true).build();
        let mut stream = world.stack.engine.docker.logs(&instance.id, Some(options));
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| engine_fault("la lecture d'un journal", &e))?;
            text.extend_from_slice(&chunk.into_bytes());
            if text.len() > KEEP_LOG {
                break;
            }
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A line of the receiver's log.
fn delivery(line: &str) -> Option<Delivery> {
    let said: Value = serde_json::from_str(line).ok()?;
    let said = said.get("received")?;
    let body = said.get("body")?.as_str()?;
    Some(Delivery {
        at_us: said.get("at_us")?.as_i64()?,
        from: said.get("from")?.as_str()?.parse().ok(),
        path: said.get("path")?.as_str()?.to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receiver_is_read() {
        let line = r#"{"received":{"at_us":12,"from":"10.0.0.2","method":"POST","path":"/alertes","body":"{\"status\":\"firing\"}"}}"#;
        let seen = delivery(line).expect("a delivery");
        assert_eq!((seen.at_us, seen.path.as_str()), (12, "/alertes"));
        assert_eq!(seen.body["status"], "firing");
        assert_eq!(delivery("listening"), None);
        let odd = r#"{"received":{"at_us":1,"from":"?","method":"GET","path":"/","body":"non"}}"#;
        assert_eq!(delivery(odd).map(|d| (d.from, d.body)), Some((None, Value::Null)));
    }
}
