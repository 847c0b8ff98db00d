//! The filtered engine of a copy: a container of ours that has the real socket and serves a
//! filtered one in a volume, before anything of the student's is started.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, SystemInfo, SystemInfoCgroupVersionEnum,
    VolumeCreateRequest,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    LogsOptionsBuilder,
};
use futures_util::StreamExt;

use super::connect::Engine;
use super::fault::engine_fault;
use super::session::Session;
use crate::compose::EngineAccess;
use crate::error::{Fault, FaultKind};

/// Longest wait for the filtered socket.
const PATIENCE: Duration = Duration::from_secs(15);

/// What this machine can give in the place of its own files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ability {
    /// A path within a volume can be mounted.
    pub subpath: bool,
    /// Read-only mounts are so down to the last file system below.
    pub cgroups: bool,
}

impl Default for Ability {
    fn default() -> Self {
        Self { subpath: true, cgroups: true }
    }
}

impl Engine {
    /// What this machine can give in the place of its own files.
    pub async fn ability(&self, session: &Session) -> Result<Ability, Fault> {
        let args = ["version".to_owned(), "--short".to_owned()];
        let none = std::collections::BTreeMap::new();
        let said =
            self.tools.run(session, &self.tools.compose, &args, &none, Duration::from_secs(10)).await?;
        let info = self.docker.info().await.map_err(|e| engine_fault("la lecture de ses réglages", &e))?;
        let one = info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1);
        let kernel = version(info.kernel_version.as_deref().unwrap_or_default());
        Ok(Ability {
            // Both sides must know them.
            subpath: self.api >= (1, 45) && version(&said.text) >= (2, 24),
            cgroups: !one || (self.api >= (1, 44) && kernel >= (5, 12)),
        })
    }
}

/// The first two numbers of a version, zeros where it has none.
pub fn version(text: &str) -> (u32, u32) {
    let digits = text.trim().trim_start_matches('v');
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The engine's socket as the engine itself sees it: in its own virtual machine where it has one.
fn socket_path(host: &str, info: &SystemInfo) -> String {
    const USUAL: &str = "/var/run/docker.sock";
    let desktop = info.operating_system.as_deref().is_some_and(|os| os.contains("Docker Desktop"));
    if !cfg!(target_os = "linux") || desktop {
        return USUAL.to_owned();
    }
    host.strip_prefix("unix://").unwrap_or(USUAL).to_owned()
}

fn fault(what: &str, detail: &str) -> Fault {
    Fault::new(FaultKind::Probe, what, "relancez ; si cela recommence, signalez ce défaut du correcteur")
        .detail(detail)
}

/// A volume with the labels of the session.
async fn make_volume(engine: &Engine, session: &Session, name: &str) -> Result<(), Fault> {
    let request = VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(session.labels().clone().into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    let made = engine.docker.create_volume(request).await;
    made.map(drop).map_err(|e| engine_fault("la création d'un volume", &e))
}

fn mounts(access: &EngineAccess, real: &str) -> Vec<Mount> {
    let mount = |typ, source: &str, target: &str, read_only| Mount {
        typ: Some(typ),
        source: Some(source.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    };
    let mut mounts = vec![
        mount(MountType::BIND, real, "/engine.sock", true),
        mount(MountType::VOLUME, &access.socket, "/door", false),
    ];
    if let Some((files, root)) = &access.stand_ins {
        mounts.push(mount(MountType::VOLUME, files, "/stand-ins/docker", false));
        mounts.push(mount(MountType::VOLUME, root, "/stand-ins/rootfs", false));
    }
    mounts
}

fn body(
    session: &Session,
    image: &str,
    access: &EngineAccess,
    info: &SystemInfo,
    host: &str,
) -> Result<ContainerCreateBody, Fault> {
    let view = serde_json::to_string(&access.view)
        .map_err(|e| fault("la vue du moteur ne s'écrit pas", &e.to_string()))?;
    let mut command: Vec<String> =
        ["engine", "--upstream", "/engine.sock", "--listen", "/door/docker.sock", "--view", &view]
            .map(str::to_owned)
            .to_vec();
    if access.stand_ins.is_some() {
        command.extend(["--stand-ins".to_owned(), "/stand-ins".to_owned()]);
    }
    let mut labels: HashMap<String, String> = session.labels().clone().into_iter().collect();
    labels.insert("tp-docker.role".into(), "engine".into());
    let options = info.security_options.clone().unwrap_or_default();
    let remapped = options.iter().any(|option| option.contains("name=userns"));
    Ok(ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(command),
        labels: Some(labels),
        host_config: Some(HostConfig {
            mounts: Some(mounts(access, &socket_path(host, info))),
            network_mode: Some("none".into()),
            cap_drop: Some(vec!["ALL".into()]),
            memory: Some(64 << 20),
            pids_limit: Some(32),
            readonly_rootfs: Some(true),
            // `label=disable`: elsewhere than on SELinux it means nothing.
            security_opt: Some(vec!["no-new-privileges".into(), "label=disable".into()]),
            // The socket belongs to the machine's own root.
            userns_mode: remapped.then(|| "host".into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

/// Starts a filtered engine and waits until it listens.
pub(super) async fn open(
    engine: &Engine,
    session: &Session,
    image: &str,
    access: &EngineAccess,
) -> Result<(), Fault> {
    let docker = &engine.docker;
    make_volume(engine, session, &access.socket).await?;
    if let Some((files, root)) = &access.stand_ins {
        make_volume(engine, session, files).await?;
        make_volume(engine, session, root).await?;
    }
    let info = docker.info().await.map_err(|e| engine_fault("la lecture de ses réglages", &e))?;
    let body = body(session, image, access, &info, &engine.host)?;
    let options = CreateContainerOptionsBuilder::new().name(&format!("{}-door", access.socket)).build();
    let made = docker.create_container(Some(options), body).await;
    let id = made.map_err(|e| engine_fault("la création de l'accès filtré au moteur", &e))?.id;
    let started = docker.start_container(&id, None).await;
    started.map_err(|e| engine_fault("le démarrage de l'accès filtré au moteur", &e))?;
    listening(engine, &id).await
}

/// Waits until the socket is there: it appears only once it is listened to.
async fn listening(engine: &Engine, id: &str) -> Result<(), Fault> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(10);
    loop {
        let options = ContainerArchiveInfoOptionsBuilder::new().path("/door/docker.sock").build();
        if engine.docker.get_container_archive_info(id, Some(options)).await.is_ok() {
            return Ok(());
        }
        let seen = engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let seen = seen.map_err(|e| engine_fault("l'inspection de l'accès filtré au moteur", &e))?;
        let running = seen.state.and_then(|s| s.running) == Some(true);
        if !running || Instant::now() > deadline {
            let log = log(engine, id).await;
            return Err(fault("l'accès filtré au moteur ne démarre pas", &log));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

async fn log(engine: &Engine, id: &str) -> String {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("10").build();
    let mut stream = engine.docker.logs(id, Some(options));
    let mut text = String::new();
    while let Some(Ok(chunk)) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk.into_bytes()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_sorts() {
        assert_eq!(version("2.26.1-4\n"), (2, 26));
        assert_eq!(version("v2.24.0"), (2, 24));
        assert_eq!(version("6.18.44-fc-v595"), (6, 18));
        assert_eq!(version(""), (0, 0));
        assert_eq!(version("v2.26.1-4"), (2, 26));
        assert_eq!(version("26.1.5+dfsg1"), (26, 1));
        assert_eq!(version("dev"), (0, 0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_socket_is_where_the_engine_sees_it() {
        let info = |os: &str| SystemInfo { operating_system: Some(os.into()), ..SystemInfo::default() };
        let debian = info("Debian GNU/Linux 12");
        assert_eq!(socket_path("unix:///var/run/docker.sock", &debian), "/var/run/docker.sock");
        assert_eq!(socket_path("unix:///run/user/1000/docker.sock", &debian), "/run/user/1000/docker.sock");
        assert_eq!(socket_path("tcp://127.0.0.1:2375", &debian), "/var/run/docker.sock");
        let desktop = info("Docker Desktop");
        assert_eq!(
            socket_path("unix:///home/u/.docker/desktop/docker.sock", &desktop),
            "/var/run/docker.sock"
        );
    }
}
