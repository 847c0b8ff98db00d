//! What a twin is made of: what it takes from the service's container, and what it leaves.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HealthConfig, HostConfig, Mount,
    MountPoint, MountType, MountVolumeOptions, NetworkingConfig,
};

use crate::check::world::{TWIN_SCRATCH, TwinPlan};

/// What to create: the service's container without what makes it known to others.
pub(super) fn of(
    seen: ContainerInspectResponse,
    plan: &TwinPlan,
    files: Vec<(String, String)>,
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let config = seen.config.unwrap_or_default();
    let host = seen.host_config.unwrap_or_default();
    let networks: Vec<String> =
        seen.network_settings.and_then(|n| n.networks).unwrap_or_default().into_keys().collect();
    let mut mounts: Vec<Mount> = seen
        .mounts
        .unwrap_or_default()
        .into_iter()
        .filter(|m| !files.iter().any(|(inside, _)| Some(inside) == m.destination.as_ref()))
        .filter_map(|m| mount(m, &host, &labels))
        .collect();
    mounts.extend(files.into_iter().map(|(inside, outside)| Mount {
        target: Some(inside),
        source: Some(outside),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Mount::default()
    }));
    let mut tmpfs = host.tmpfs.unwrap_or_default();
    tmpfs.insert(TWIN_SCRATCH.to_owned(), "mode=1777,size=256m".to_owned());
    let command = config.cmd.unwrap_or_default();
    ContainerCreateBody {
        image: seen.image.or(config.image),
        cmd: Some(with_args(command, &plan.extra_args)),
        entrypoint: config.entrypoint,
        env: config.env,
        user: config.user,
        working_dir: config.working_dir,
        stop_signal: config.stop_signal,
        labels: Some(labels),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        host_config: Some(HostConfig {
            memory: host.memory,
            memory_swap: host.memory_swap,
            nano_cpus: host.nano_cpus,
            cpu_quota: host.cpu_quota,
            cpu_period: host.cpu_period,
            pids_limit: host.pids_limit,
            ulimits: host.ulimits,
            init: host.init,
            log_config: host.log_config,
            network_mode: networks.first().cloned().or(host.network_mode),
            cap_add: host.cap_add,
            cap_drop: host.cap_drop,
            dns: host.dns,
            dns_options: host.dns_options,
            dns_search: host.dns_search,
            extra_hosts: host.extra_hosts,
            group_add: host.group_add,
            readonly_rootfs: host.readonly_rootfs,
            security_opt: host.security_opt,
            sysctls: host.sysctls,
            shm_size: host.shm_size,
            mounts: Some(mounts),
            tmpfs: Some(tmpfs),
            ..HostConfig::default()
        }),
        networking_config: (!networks.is_empty()).then(|| NetworkingConfig {
            endpoints_config: Some(
                networks.into_iter().map(|name| (name, EndpointSettings::default())).collect(),
            ),
        }),
        ..ContainerCreateBody::default()
    }
}

/// The source of a bind as it was asked for: what the engine shows may be a path of its own machine.
fn asked_source(host: &HostConfig, target: &str) -> Option<String> {
    let mounts = host.mounts.iter().flatten();
    if let Some(mount) = mounts.clone().find(|m| m.target.as_deref() == Some(target)) {
        return mount.source.clone();
    }
    let needle = format!(":{target}");
    host.binds.iter().flatten().find_map(|bind| {
        let (at, _) = bind.rmatch_indices(&needle).find(|(at, _)| {
            let after = &bind[at + needle.len()..];
            after.is_empty() || after.starts_with(':')
        })?;
        Some(bind[..at].to_owned())
    })
}

/// A mount of the service as the twin has it: nothing that the service writes to is shared.
fn mount(seen: MountPoint, host: &HostConfig, labels: &HashMap<String, String>) -> Option<Mount> {
    let target = seen.destination?;
    let mounts = host.mounts.iter().flatten();
    let subpath = mounts
        .clone()
        .find(|m| m.target.as_ref() == Some(&target))
        .and_then(|m| m.volume_options.as_ref()?.subpath.clone());
    let written = seen.rw.unwrap_or(true);
    match seen.typ.as_deref() {
        Some("bind") => Some(Mount {
            source: asked_source(host, &target).or(seen.source),
            target: Some(target),
            typ: Some(MountType::BIND),
            read_only: Some(true),
            ..Mount::default()
        }),
        Some("volume") => {
            // A subpath is one file or folder put there for sharing (the engine's proxied socket).
            let shared = !written || subpath.is_some();
            Some(Mount {
                target: Some(target),
                source: seen.name.filter(|_| shared),
                typ: Some(MountType::VOLUME),
                read_only: Some(!written),
                volume_options: Some(MountVolumeOptions {
                    labels: (!shared).then(|| labels.clone()),
                    subpath,
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            })
        }
        // A tmpfs is in `HostConfig.Tmpfs` or can be done without.
        _ => None,
    }
}

/// Adds arguments; one of the form `--name=value` replaces the argument of that name.
fn with_args(command: Vec<String>, extra: &[String]) -> Vec<String> {
    let names: Vec<&str> = extra
        .iter()
        .filter_map(|a| a.split_once('=').map(|(name, _)| name))
        .filter(|n| n.starts_with("--"))
        .collect();
    let mut kept: Vec<String> = Vec::new();
    let mut skip_value = false;
    for argument in command {
        if std::mem::take(&mut skip_value) {
            continue;
        }
        let (name, has_value) =
            argument.split_once('=').map_or((argument.as_str(), false), |(n, _)| (n, true));
        if names.contains(&name) {
            skip_value = !has_value;
        } else {
            kept.push(argument);
        }
    }
    kept.extend(extra.iter().cloned());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(items: &[&str]) -> Vec<String> {
        items.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn arguments_take_the_place_of_their_namesakes() {
        let command =
            args(&["--config.file=/etc/p.yml", "--storage.tsdb.path=/data", "--web.enable-lifecycle"]);
        let all = with_args(command, &args(&["--storage.tsdb.path=/tp", "--query.lookback-delta=30s"]));
        assert_eq!(
            all,
            [
                "--config.file=/etc/p.yml",
                "--web.enable-lifecycle",
                "--storage.tsdb.path=/tp",
                "--query.lookback-delta=30s"
            ]
        );
        let apart =
            with_args(args(&["--storage.tsdb.path", "/data", "-v"]), &args(&["--storage.tsdb.path=/tp"]));
        assert_eq!(apart, ["-v", "--storage.tsdb.path=/tp"]);
    }

    fn point(typ: &str, destination: &str, rw: bool) -> MountPoint {
        MountPoint {
            typ: Some(typ.into()),
            name: (typ == "volume").then(|| "donnees".into()),
            source: Some("/host/x".into()),
            destination: Some(destination.into()),
            rw: Some(rw),
            ..MountPoint::default()
        }
    }

    #[test]
    fn nothing_written_is_shared() {
        let labels = HashMap::from([("l".to_owned(), "v".to_owned())]);
        let of = |m: MountPoint, host: &HostConfig| mount(m, host, &labels).expect("a mount");
        let none = HostConfig::default();
        let fresh = of(point("volume", "/prometheus", true), &none);
        assert_eq!(fresh.source, None);
        assert_eq!(fresh.volume_options.and_then(|v| v.labels), Some(labels.clone()));
        assert_eq!(of(point("volume", "/certs", false), &none).source.as_deref(), Some("donnees"));
        assert_eq!(of(point("bind", "/etc/p", true), &none).read_only, Some(true));
        let socket = Mount {
            target: Some("/var/run/docker.sock".into()),
            volume_options: Some(MountVolumeOptions {
                subpath: Some("s".into()),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        };
        let shared = of(
            point("volume", "/var/run/docker.sock", true),
            &HostConfig { mounts: Some(vec![socket]), ..HostConfig::default() },
        );
        assert_eq!(shared.source.as_deref(), Some("donnees"));
        assert_eq!(shared.volume_options.and_then(|v| v.subpath).as_deref(), Some("s"));
        assert!(mount(point("tmpfs", "/t", true), &none, &labels).is_none());
        let binds = vec!["C:\\tp\\a:/etc/p:ro".to_owned(), "/x/b:/etc/pp".to_owned()];
        let host = HostConfig { binds: Some(binds), ..HostConfig::default() };
        assert_eq!(of(point("bind", "/etc/p", false), &host).source.as_deref(), Some("C:\\tp\\a"));
        assert_eq!(of(point("bind", "/etc/pp", false), &host).source.as_deref(), Some("/x/b"));
        assert_eq!(of(point("bind", "/etc", false), &host).source.as_deref(), Some("/host/x"));
    }

    #[test]
    fn a_twin_has_no_name_of_the_service() {
        let seen: ContainerInspectResponse = serde_json::from_value(serde_json::json!({
            "Image": "sha256:abc",
            "Config": {"Image": "prom/prometheus:v2.53.0", "Cmd": ["--config.file=/etc/p.yml"], "Hostname": "prom",
                "Labels": {"com.docker.compose.service": "prometheus", "traefik.enable": "true"}, "User": "nobody"},
            "HostConfig": {"PortBindings": {"9090/tcp": [{"HostPort": "9090"}]}, "NetworkMode": "x_backend"},
            "NetworkSettings": {"Networks": {"x_backend": {"Aliases": ["prometheus"], "IPAMConfig": {"IPv4Address": "10.0.0.9"}}}},
            "Mounts": [{"Type": "bind", "Source": "/s/prometheus.yml", "Destination": "/etc/p.yml", "RW": false}],
        }))
        .expect("an inspection");
        let files = vec![("/etc/p.yml".to_owned(), "/session/0".to_owned())];
        let made = super::of(seen, &TwinPlan::default(), files, HashMap::new());
        let text = serde_json::to_string(&made).expect("json");
        for word in ["compose", "traefik", "9090", "10.0.0.9", "Aliases\":[", "\"prom\""] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        let host = made.host_config.expect("host");
        let mounts = host.mounts.expect("mounts");
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].source.as_deref(), Some("/session/0"));
        assert_eq!(made.image.as_deref(), Some("sha256:abc"));
    }
}
