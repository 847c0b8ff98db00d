//! Keys of a service.

use serde_json::Value;

use super::Verdict::{Allow, Check, Neutralise, Refuse};
use super::service_checks as checks;
use super::{Judge, Table, rule, table};
use crate::compose::grants;

const TUNING: &str = "réglage fin de la machine, sans effet sur ce qui est vérifié";

const READ: &str = "déjà pris en compte par Docker Compose";

pub(super) static SERVICE: Table = table(
    "service",
    &[
        // What runs.
        rule("image", Check(checks::image)),
        rule("build", Check(super::build::judge)),
        rule("command", Allow),
        rule("entrypoint", Allow),
        rule("environment", Check(checks::environment)),
        // Gone from the canonical model; judged by the gate before Compose reads them.
        rule("env_file", Neutralise(READ)),
        rule("label_file", Neutralise(READ)),
        rule("working_dir", Allow),
        rule("user", Allow),
        rule("umask", Allow),
        rule("group_add", Allow),
        rule("hostname", Allow),
        rule("domainname", Allow),
        rule("container_name", Allow),
        rule("init", Allow),
        rule("tty", Allow),
        rule("stdin_open", Allow),
        rule("stop_signal", Allow),
        rule("stop_grace_period", Allow),
        rule("read_only", Allow),
        rule("tmpfs", Allow),
        rule("profiles", Allow),
        rule("labels", Allow),
        rule("annotations", Neutralise("les annotations s'adressent au moteur, pas à la pile")),
        rule("attach", Allow),
        rule("platform", Neutralise("l'image de cette machine est utilisée")),
        rule("pull_policy", Neutralise("les images sont préparées avant la correction")),
        rule("pull_refresh_after", Neutralise("les images sont préparées avant la correction")),
        rule("develop", Neutralise("ne sert qu'à « docker compose watch »")),
        rule("extends", Neutralise(READ)),
        // Life.
        rule("restart", Allow),
        rule("depends_on", Check(|j, p, v| super::top::each(j, p, v, |j, p, v| j.object(p, v, &DEPENDENCY)))),
        rule("healthcheck", Check(|j, p, v| j.object(p, v, &HEALTH))),
        rule("scale", Allow),
        rule("deploy", Check(|j, p, v| j.object(p, v, &DEPLOY))),
        rule("logging", Neutralise("journal local, limité à 5 Mio")),
        rule("post_start", Check(checks::hooks)),
        rule("pre_stop", Check(checks::hooks)),
        rule("pre_start", Refuse("host-program")),
        // Network.
        rule("networks", Check(|j, p, v| super::top::each(j, p, v, |j, p, v| j.object(p, v, &LINK)))),
        rule("network_mode", Check(checks::network_mode)),
        rule("ports", Check(checks::ports)),
        rule("expose", Allow),
        rule("links", Allow),
        rule("external_links", Refuse("external-links")),
        rule("extra_hosts", Check(checks::extra_hosts)),
        rule("dns", Allow),
        rule("dns_opt", Allow),
        rule("dns_search", Allow),
        rule("mac_address", Neutralise("l'adresse matérielle est choisie par Docker")),
        // Files.
        rule("volumes", Check(checks::volumes)),
        rule("volumes_from", Check(checks::volumes_from)),
        rule("secrets", Check(|j, p, v| checks::items(j, p, v, &GRANT))),
        rule("configs", Check(|j, p, v| checks::items(j, p, v, &GRANT))),
        // Limits.
        rule("mem_limit", Allow),
        rule("mem_reservation", Allow),
        rule("mem_swappiness", Neutralise(TUNING)),
        rule("memswap_limit", Neutralise(TUNING)),
        rule("cpus", Allow),
        rule("cpu_shares", Allow),
        rule("cpu_quota", Allow),
        rule("cpu_period", Allow),
        rule("cpu_count", Neutralise(TUNING)),
        rule("cpu_percent", Neutralise(TUNING)),
        rule("cpu_rt_period", Neutralise(TUNING)),
        rule("cpu_rt_runtime", Neutralise(TUNING)),
        rule("cpuset", Neutralise(TUNING)),
        rule("blkio_config", Neutralise(TUNING)),
        rule("pids_limit", Allow),
        rule("ulimits", Check(checks::ulimits)),
        rule("shm_size", Allow),
        rule("storage_opt", Neutralise(TUNING)),
        rule("oom_kill_disable", Refuse("oom")),
        rule("oom_score_adj", Neutralise(TUNING)),
        rule("isolation", Neutralise("ne sert que sous Windows")),
        // Rights.
        rule("privileged", Refuse("privileged")),
        rule("cap_add", Check(checks::cap_add)),
        rule("cap_drop", Allow),
        rule("security_opt", Check(checks::security_opt)),
        rule("devices", Refuse("devices")),
        rule("device_cgroup_rules", Refuse("devices")),
        rule("gpus", Refuse("devices")),
        rule("cgroup", Check(|j, p, v| checks::only(j, p, v, &["private"], "namespace-host"))),
        rule("cgroup_parent", Refuse("cgroup")),
        rule("pid", Refuse("namespace-host")),
        rule("ipc", Check(checks::ipc)),
        rule("uts", Refuse("namespace-host")),
        rule("userns_mode", Refuse("namespace-host")),
        rule("sysctls", Check(checks::sysctls)),
        rule("runtime", Refuse("runtime")),
        rule("credential_spec", Refuse("host-program")),
        rule("provider", Refuse("host-program")),
        rule("models", Refuse("host-program")),
        rule("use_api_socket", Refuse("docker-sock")),
    ],
);

static DEPENDENCY: Table =
    table("service.depends_on", &[rule("condition", Allow), rule("required", Allow), rule("restart", Allow)]);

static HEALTH: Table = table(
    "service.healthcheck",
    &[
        rule("test", Allow),
        rule("interval", Allow),
        rule("timeout", Allow),
        rule("retries", Allow),
        rule("start_period", Allow),
        rule("start_interval", Allow),
        rule("disable", Allow),
    ],
);

static LINK: Table = table(
    "service.networks",
    &[
        rule("aliases", Allow),
        rule("ipv4_address", Allow),
        rule("ipv6_address", Allow),
        rule("link_local_ips", Neutralise("adresses locales choisies par Docker")),
        rule("mac_address", Neutralise("l'adresse matérielle est choisie par Docker")),
        rule("interface_name", Neutralise("le nom de l'interface est choisi par Docker")),
        rule("driver_opts", Neutralise("options du pilote sans effet ici")),
        rule("priority", Allow),
        rule("gw_priority", Allow),
        rule("use_service_name_alias", Allow),
    ],
);

pub(super) static GRANT: Table = table(
    "service.secrets",
    &[
        rule("source", Allow),
        rule("target", Allow),
        rule("uid", Allow),
        rule("gid", Allow),
        rule("mode", Allow),
    ],
);

const SWARM: &str = "sans effet hors d'un essaim (Swarm)";

static DEPLOY: Table = table(
    "service.deploy",
    &[
        rule("mode", Allow),
        rule("replicas", Allow),
        rule("labels", Neutralise(SWARM)),
        rule("endpoint_mode", Neutralise(SWARM)),
        rule("placement", Neutralise(SWARM)),
        rule("update_config", Neutralise(SWARM)),
        rule("rollback_config", Neutralise(SWARM)),
        rule("restart_policy", Check(|j, p, v| j.object(p, v, &RESTART))),
        rule("resources", Check(|j, p, v| j.object(p, v, &RESOURCES))),
    ],
);

static RESTART: Table = table(
    "service.deploy.restart_policy",
    &[rule("condition", Allow), rule("delay", Allow), rule("max_attempts", Allow), rule("window", Allow)],
);

static RESOURCES: Table = table(
    "service.deploy.resources",
    &[
        rule("limits", Check(|j, p, v| j.object(p, v, &AMOUNTS))),
        rule("reservations", Check(|j, p, v| j.object(p, v, &AMOUNTS))),
    ],
);

static AMOUNTS: Table = table(
    "service.deploy.resources.limits",
    &[
        rule("cpus", Allow),
        rule("memory", Allow),
        rule("pids", Allow),
        rule("devices", Refuse("devices")),
        rule("generic_resources", Refuse("devices")),
    ],
);

/// Judges one service.
pub(super) fn judge(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let dropped = grants::dropped(value);
    let mut rest = value.clone();
    for (key, why) in dropped {
        if let Some(members) = rest.as_object_mut() {
            members.shift_remove(key);
        }
        let at = path.iter().chain([&key]).map(|part| (*part).to_owned()).collect();
        judge.dropped.push((at, why));
    }
    super::monitor::judge(judge, path, value);
    judge.object(path, &rest, &SERVICE);
}

/// Tables of this file, by section of the schema.
pub(super) static TABLES: &[(&str, &Table)] = &[
    ("service", &SERVICE),
    ("service.depends_on", &DEPENDENCY),
    ("service.healthcheck", &HEALTH),
    ("service.networks", &LINK),
    ("service.secrets", &GRANT),
    ("service.configs", &GRANT),
    ("service.build.secrets", &GRANT),
    ("service.deploy", &DEPLOY),
    ("service.deploy.restart_policy", &RESTART),
    ("service.deploy.resources", &RESOURCES),
    ("service.deploy.resources.limits", &AMOUNTS),
    ("service.deploy.resources.reservations", &AMOUNTS),
];
