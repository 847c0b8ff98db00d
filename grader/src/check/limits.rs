//! `limits`: memory and processors that a service may take at most, as it asks for and as the engine applies.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::world::DeclaredLimits;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::{Fault, FaultKind};
use crate::event::{Fact, Miss, Verdict};
use crate::french::decimal;

/// Each of these services has a limit of memory and one of processors, in force on its containers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Services; all those of the file that run when there is none here.
    #[serde(default)]
    pub services: Vec<String>,
    /// Largest memory that a limit may leave to a service, for instance `1g` or `512m` (powers of 1024).
    #[serde(default)]
    pub memory: Option<String>,
    /// Most processors that a limit may leave to a service.
    #[serde(default)]
    pub cpus: Option<f64>,
    /// Largest sum of the memory limits, each counted once a container.
    #[serde(default)]
    pub total: Option<String>,
}

/// Bytes of `512m`, `1g`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.trim_end_matches('b');
    let (number, power) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 10),
        'm' => (&text[..text.len() - 1], 20),
        'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    number.parse::<u64>().ok()?.checked_shl(power).filter(|n| *n > 0)
}

/// Mebibytes, rounded up.
fn mib(bytes: u64) -> String {
    format!("{} Mio", bytes.div_ceil(1 << 20))
}

fn processors(cpus: f64) -> String {
    format!("{} processeur{}", decimal(cpus, 2), if cpus < 2.0 { "" } else { "s" })
}

/// What the engine applies to a container, by `docker inspect`: bytes and processors, zero without a limit.
fn applied(inspection: &Value) -> (u64, f64) {
    let host = &inspection["HostConfig"];
    let number = |key: &str| host[key].as_f64().filter(|n| *n > 0.0).unwrap_or(0.0);
    let cpus = match (number("NanoCpus"), number("CpuQuota"), number("CpuPeriod")) {
        (nano, ..) if nano > 0.0 => nano / 1e9,
        (_, quota, 0.0) => quota / 100_000.0,
        (_, quota, period) => quota / period,
    };
    (host["Memory"].as_u64().unwrap_or(0), cpus)
}

/// A limit that is missing or too large.
struct Lack {
    /// Key of the service, shown when it is there.
    key: &'static str,
    what: String,
    observed: String,
}

impl Limits {
    /// What is wrong with what a service asks for, if anything is.
    fn lack(&self, limits: &DeclaredLimits) -> Option<Lack> {
        let memory = self.memory.as_deref().and_then(bytes);
        let shown = |limits: &DeclaredLimits| {
            format!(
                "mémoire : {}, processeurs : {}",
                limits.memory.map_or("sans limite".to_owned(), mib),
                limits.cpus.map_or("sans limite".to_owned(), processors),
            )
        };
        let lack = |key, what: &str| Some(Lack { key, what: what.to_owned(), observed: shown(limits) });
        match (limits.memory, limits.cpus) {
            (None, None) => lack("deploy", "n'a aucune limite"),
            (None, _) => lack("mem_limit", "n'a pas de limite de mémoire"),
            (_, None) => lack("cpus", "n'a pas de limite de processeur"),
            (Some(own), _) if memory.is_some_and(|most| own > most) => {
                lack("mem_limit", "a droit à trop de mémoire")
            }
            (_, Some(own)) if self.cpus.is_some_and(|most| own > most + 1e-6) => {
                lack("cpus", "a droit à trop de processeurs")
            }
            _ => None,
        }
    }

    fn expected(&self) -> String {
        let most = |text: Option<String>| text.map_or(String::new(), |t| format!(" ({t} au plus)"));
        format!(
            "une limite de mémoire{} et une limite de processeur{} en vigueur",
            most(self.memory.as_deref().and_then(bytes).map(mib)),
            most(self.cpus.map(processors)),
        )
    }

    fn miss(&self, cx: &Cx<'_>, service: &str, lack: Lack) -> Miss {
        // Whichever of the two ways the student chose; the service itself when there is none.
        let place = ["deploy", lack.key].iter().find_map(|key| {
            let place = tell::at(cx.world, service, key, "les limites de ce service")?;
            place.mark.text.contains(key).then_some(place)
        });
        Miss {
            headline: format!("« {service} » {}", lack.what),
            expected: self.expected(),
            observed: lack.observed,
            place: place.or_else(|| cx.world.place(&["services", service], "ce service")),
            hint: "sans limite, un service peut prendre toute la machine et faire tomber les autres avec lui ; réserver (reservations:) n'est pas limiter (limits:)"
                .to_owned(),
            try_it: format!(
                "docker inspect -f '{{{{.HostConfig.Memory}}}} {{{{.HostConfig.NanoCpus}}}}' $(docker compose ps -q {service})"
            ),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Limits {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        for text in [&self.memory, &self.total].into_iter().flatten() {
            bytes(text).ok_or_else(|| format!("limits: « {text} » is no quantity of memory"))?;
        }
        if self.cpus.is_some_and(|cpus| cpus <= 0.0) {
            Err("limits.cpus is not positive".into())
        } else {
            Ok(())
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = cx.world.declared();
        let mut names: Vec<&String> = self.services.iter().collect();
        if names.is_empty() {
            for service in declared.services.keys() {
                if !kit::running(cx.world, service).await?.is_empty() {
                    names.push(service);
                }
            }
        }
        let (mut facts, mut total) = (Vec::new(), 0_u64);
        for service in names {
            let Some(limits) = declared.services.get(service).map(|s| s.limits) else {
                return tell::fail(tell::absent(declared, service).unwrap_or_default());
            };
            if let Some(lack) = self.lack(&limits) {
                return tell::fail(self.miss(cx, service, lack));
            }
            let (asked, cpus) = (limits.memory.unwrap_or(0), limits.cpus.unwrap_or(0.0));
            let containers = cx.world.inspections(service).await?;
            if containers.is_empty() {
                return tell::fail(tell::stopped(cx.world, service).await?);
            }
            for inspection in &containers {
                total = total.saturating_add(asked);
                let seen = applied(inspection);
                // The run may only narrow them.
                if seen.0 == 0 || seen.0 > asked || seen.1 <= 0.0 || seen.1 > cpus + 1e-6 {
                    return Err(Fault::new(
                        FaultKind::Engine,
                        format!("le moteur n'applique pas les limites de « {service} »"),
                        "regardez les avertissements à la fin de « docker info » : le noyau doit savoir limiter la mémoire et les processeurs",
                    )
                    .detail(format!("asked {asked} bytes and {cpus} cpus, applied {} and {}", seen.0, seen.1)));
                }
                let told = format!("« {service} » : {} et {} en vigueur", mib(seen.0), processors(seen.1));
                facts.push(Fact::new(&format!("limits-{service}"), json!([seen.0, seen.1]), told));
            }
        }
        if let Some(most) = self.total.as_deref().and_then(bytes)
            && total > most
        {
            return tell::fail(Miss {
                headline: "les limites de mémoire, ensemble, dépassent ce qui est permis".to_owned(),
                expected: format!("{} au plus pour toute la pile", mib(most)),
                observed: format!("{} en additionnant les limites", mib(total)),
                hint: "une limite dit ce qu'un service peut prendre au pire ; leur somme doit tenir dans la machine"
                    .to_owned(),
                try_it: "docker stats --no-stream".to_owned(),
                facts,
                ..Miss::default()
            });
        }
        tell::pass(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::FakeWorld;
    use super::super::tests::{fails, passes, unsure};
    use super::super::{Cx, Memo};
    use super::*;

    const MIB: u64 = 1 << 20;

    fn world(limits: DeclaredLimits, host: &Value) -> FakeWorld {
        let mut world = FakeWorld::lab02();
        world.declared.services.get_mut("api").expect("api").limits = limits;
        world.deep.inspections.insert("api".into(), vec![json!({ "HostConfig": host })]);
        world
    }

    async fn judged(check: &Limits, world: &FakeWorld) -> Verdict {
        let (memo, experiments) = (Memo::default(), Experiments::default());
        let cx = Cx { world, experiments: &experiments, memo: &memo, second: None };
        match check.judge(&cx).await {
            Ok(verdict) => verdict,
            Err(fault) => Verdict::Inconclusive { fault, facts: vec![] },
        }
    }

    fn check() -> Limits {
        Limits {
            services: vec!["api".into()],
            memory: Some("512m".into()),
            cpus: Some(1.0),
            total: Some("512m".into()),
        }
    }

    fn asks(memory: Option<u64>, cpus: Option<f64>) -> DeclaredLimits {
        DeclaredLimits { memory, cpus }
    }

    #[tokio::test]
    async fn limits_are_asked_for_and_applied() {
        let host = json!({ "Memory": 256 * MIB, "NanoCpus": 500_000_000_u64 });
        passes(&judged(&check(), &world(asks(Some(256 * MIB), Some(0.5)), &host)).await);
        let quota = json!({ "Memory": 256 * MIB, "CpuQuota": 50_000, "CpuPeriod": 100_000 });
        passes(&judged(&check(), &world(asks(Some(256 * MIB), Some(0.5)), &quota)).await);
        for (memory, cpus, word) in [
            (None, None, "aucune limite"),
            (None, Some(0.5), "limite de mémoire"),
            (Some(256 * MIB), None, "limite de processeur"),
            (Some(1024 * MIB), Some(0.5), "trop de mémoire"),
            (Some(256 * MIB), Some(1.5), "trop de processeurs"),
        ] {
            // The copy that runs has limits of ours, whatever was asked for.
            fails(&judged(&check(), &world(asks(memory, cpus), &host)).await, word);
        }
        let none = Limits { services: vec!["web".into()], ..check() };
        fails(&judged(&none, &world(asks(None, None), &host)).await, "web");
    }

    #[tokio::test]
    async fn an_engine_that_applies_nothing_costs_no_point() {
        for host in [
            json!({ "Memory": 0, "NanoCpus": 500_000_000_u64 }),
            json!({ "Memory": 256 * MIB, "NanoCpus": 0 }),
            json!({ "Memory": 512 * MIB, "NanoCpus": 500_000_000_u64 }),
        ] {
            unsure(&judged(&check(), &world(asks(Some(256 * MIB), Some(0.5)), &host)).await);
        }
    }

    #[tokio::test]
    async fn the_sum_counts_every_container() {
        let host = json!({ "HostConfig": { "Memory": 300 * MIB, "NanoCpus": 500_000_000_u64 } });
        let mut world = world(asks(Some(300 * MIB), Some(0.5)), &Value::Null);
        world.deep.inspections.insert("api".into(), vec![host.clone()]);
        passes(&judged(&check(), &world).await);
        world.deep.inspections.insert("api".into(), vec![host.clone(), host]);
        fails(&judged(&check(), &world).await, "ensemble");
    }

    #[tokio::test]
    async fn without_names_all_that_run_are_judged() {
        let host = json!({ "Memory": 256 * MIB, "NanoCpus": 500_000_000_u64 });
        let all = Limits { services: vec![], ..check() };
        fails(&judged(&all, &world(asks(Some(256 * MIB), Some(0.5)), &host)).await, "postgres");
    }

    #[test]
    fn quantities() {
        assert_eq!(bytes("512m"), Some(512 * MIB));
        assert_eq!(bytes("1G"), Some(1024 * MIB));
        assert_eq!(bytes("64kb"), Some(64 << 10));
        for text in ["", "g", "-1m", "1.5g", "0", "lots"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
