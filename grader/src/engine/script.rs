//! A script of the student's, in a container of the run: the networks of the stack, the submission read-only, the
//! filtered engine, no right, limits and a deadline.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, NetworkingConfig,
};
use bollard::query_parameters::RemoveContainerOptionsBuilder;

use super::fault::{engine_fault, from_text};
use super::tool;
use super::world::StackWorld;
use crate::check::deep::{Executed, ScriptRun};
use crate::error::{Fault, FaultKind};

/// Bytes of memory of a script and of what it starts.
const MEMORY: i64 = 256 << 20;
/// Bytes kept of what it says, on each stream.
const KEEP: usize = 64 << 10;
/// Where it finds the submission.
const FOLDER: &str = "/projet";

/// Runs a script and removes its container, whatever happens.
pub(super) async fn run(world: &StackWorld, ask: &ScriptRun) -> Result<Executed, Fault> {
    let stack = &world.stack;
    let (engine, docker) = (&stack.engine, &stack.engine.docker);
    let image = world.toolbox.image(engine, &stack.session, &ask.image).await?;
    let folder = stack.session.dir().join(format!("{}-projet", stack.project()));
    readable(&world.staged.root, &folder)
        .map_err(|e| from_text("la copie du projet pour un script", &e.to_string()))?;
    let made = docker.create_container(None, body(world, &image, &folder, ask)?).await;
    let id = made.map_err(|e| engine_fault("la création du conteneur d'un script", &e))?.id;
    let work = async {
        docker.start_container(&id, None).await.map_err(|e| engine_fault("le démarrage d'un script", &e))?;
        let code = match tokio::time::timeout(ask.deadline, tool::ended(engine, &id)).await {
            Ok(code) => Some(code?),
            Err(_) => None,
        };
        let (mut out, err) = tool::said(engine, &id).await?;
        out.truncate(KEEP);
        let err = String::from_utf8_lossy(&err[..err.len().min(KEEP)]).into_owned();
        Ok(Executed { code, out, err })
    };
    let done = work.await;
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    // Should this fail, the container is labelled: the sweep of the session removes it.
    let _ = docker.remove_container(&id, Some(force)).await;
    done
}

fn body(
    world: &StackWorld,
    image: &str,
    folder: &Path,
    ask: &ScriptRun,
) -> Result<ContainerCreateBody, Fault> {
    let model = &world.stack.plan.model;
    let door = model.engine().ok_or_else(|| {
        Fault::new(
            FaultKind::Bug,
            "pas d'accès filtré au moteur pour ce script",
            "signalez ce défaut du correcteur",
        )
    })?;
    let mut labels: HashMap<String, String> = world.stack.session.labels().clone().into_iter().collect();
    labels.insert("tp-docker.role".into(), "script".into());
    let names: Vec<String> = model.networks().values().map(|network| network.name.clone()).collect();
    let mounts = vec![
        Mount {
            target: Some(FOLDER.into()),
            source: Some(folder.display().to_string()),
            typ: Some(MountType::BIND),
            read_only: Some(true),
            ..Mount::default()
        },
        // The folder of the usual path, where nothing else is needed: no subpath to ask for.
        Mount {
            target: Some("/run".into()),
            source: Some(door.socket.clone()),
            typ: Some(MountType::VOLUME),
            read_only: Some(true),
            volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
            ..Mount::default()
        },
    ];
    let log = HostConfigLogConfig {
        typ: Some("local".into()),
        config: Some(HashMap::from([
            ("max-size".into(), "1m".into()),
            ("max-file".into(), "1".into()),
            ("compress".into(), "false".into()),
        ])),
    };
    let own =
        [("COMPOSE_PROJECT_NAME", door.view.shown_project.as_str()), ("HOME", "/tmp"), ("TERM", "dumb")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = own.iter().chain(&ask.env).map(|(name, value)| format!("{name}={value}"));
    let mut command = ask.command.iter().cloned();
    Ok(ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(command.next().into_iter().collect()),
        cmd: Some(command.collect()),
        env: Some(env.collect()),
        working_dir: Some(FOLDER.into()),
        user: Some("65534:65534".into()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            network_mode: Some(names.first().cloned().unwrap_or_else(|| "none".into())),
            // What leaves the networks of the stack dies at its first router.
            sysctls: Some(HashMap::from([("net.ipv4.ip_default_ttl".into(), "1".into())])),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            memory: Some(MEMORY),
            memory_swap: Some(MEMORY),
            nano_cpus: Some(1_000_000_000),
            pids_limit: Some(128),
            mounts: Some(mounts),
            tmpfs: Some(HashMap::from([("/tmp".into(), "rw,nosuid,nodev,noexec,size=16m,mode=1777".into())])),
            log_config: Some(log),
            init: Some(true),
            ..HostConfig::default()
        }),
        networking_config: (!names.is_empty()).then(|| NetworkingConfig {
            endpoints_config: Some(
                names.into_iter().map(|name| (name, EndpointSettings::default())).collect(),
            ),
        }),
        ..ContainerCreateBody::default()
    })
}

/// A new copy that any user can read; links are left out.
fn readable(from: &Path, to: &Path) -> std::io::Result<()> {
    // That of an earlier reading, of which nothing must stay.
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    let mut todo: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = todo.pop() {
        std::fs::create_dir_all(&to)?;
        open(&to, 0o755)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            let (kind, there) = (entry.file_type()?, to.join(entry.file_name()));
            if kind.is_dir() {
                todo.push((entry.path(), there));
            } else if kind.is_file() {
                std::fs::copy(entry.path(), &there)?;
                open(&there, 0o555)?;
            }
        }
    }
    Ok(())
}

fn open(path: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_for_everybody() {
        let dir = tempfile::tempdir().expect("a folder");
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir_all(from.join("scripts")).expect("made");
        std::fs::write(from.join("scripts/t.sh"), "exit 0").expect("written");
        std::os::unix::fs::symlink("scripts/t.sh", from.join("lien")).expect("linked");
        readable(&from, &to).expect("copied");
        readable(&from, &to).expect("copied again");
        assert_eq!(std::fs::read_to_string(to.join("scripts/t.sh")).expect("read"), "exit 0");
        assert!(!to.join("lien").exists());
    }
}
