//! `retention`: how long Prometheus keeps its samples, as its own API says.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::prom::{span, told};
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Prometheus keeps its samples for this long.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Retention {
    /// Service.
    pub service: String,
    /// Port of its API.
    pub port: u16,
    /// Duration as Prometheus writes it, `15d`.
    pub time: String,
    /// The duration must have been given, even when it is the default one.
    #[serde(default)]
    pub explicit: bool,
}

/// The flags that give it, the old one last.
const FLAGS: [&str; 2] = ["storage.tsdb.retention.time", "storage.tsdb.retention"];

/// The duration in `15d`, `15d or 1GiB`, `1GiB`.
fn time_in(retention: &str) -> Option<std::time::Duration> {
    retention.split(" or ").find_map(span::parse)
}

#[async_trait]
impl Check for Retention {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        match span::parse(&self.time) {
            Some(_) => Ok(()),
            None => Err(format!("retention.time : « {} » n'est pas une durée de Prometheus", self.time)),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let prom = match told::reach(cx, &self.service, self.port).await? {
            Ok(prom) => prom,
            Err(miss) => return tell::fail(miss),
        };
        let (info, flags) = (prom.runtime_info().await?, prom.flags().await?);
        let (info, flags) = match (info, flags) {
            (Ok(info), Ok(flags)) => (info, flags),
            (Err(trouble), _) | (_, Err(trouble)) => {
                return tell::fail(told::silent(cx.world, &self.service, self.port, &trouble).await?);
            }
        };
        let seen = tell::cut(&info.storage_retention, 60);
        let fact = Fact::new("retention", seen.clone(), format!("rétention en vigueur : {seen}"));
        let given =
            FLAGS.iter().any(|f| flags.get(*f).and_then(|v| span::parse(v)).is_some_and(|d| !d.is_zero()));
        let base = Miss {
            expected: format!("les mesures sont gardées {}", self.time),
            place: tell::at(cx.world, &self.service, "command", "options de Prometheus"),
            try_it: "curl -s http://localhost:9090/api/v1/status/runtimeinfo".to_owned(),
            facts: vec![fact.clone()],
            ..Miss::default()
        };
        let wanted = span::parse(&self.time);
        if time_in(&info.storage_retention) != wanted {
            return tell::fail(Miss {
                headline: format!("Prometheus ne garde pas ses mesures {}", self.time),
                observed: format!(
                    "rétention en vigueur : {}",
                    if seen.is_empty() { "inconnue" } else { &seen }
                ),
                noted: FLAGS
                    .iter()
                    .filter_map(|f| Some(format!("--{f} vaut {}", tell::cut(flags.get(*f)?, 40))))
                    .collect(),
                hint: "Prometheus dit lui-même, dans son interface, la durée qu'il applique".to_owned(),
                ..base
            });
        }
        if self.explicit && !given {
            return tell::fail(Miss {
                headline: "la rétention n'est écrite nulle part".to_owned(),
                observed: format!("{seen}, mais c'est la valeur par défaut de cette version"),
                hint: "une valeur par défaut peut changer à la prochaine version : celle-ci se choisit"
                    .to_owned(),
                ..base
            });
        }
        tell::pass(vec![fact])
    }
}

impl Retention {
    /// Whether a text of Prometheus says the asked duration.
    #[cfg(test)]
    fn is_said_by(&self, retention: &str) -> bool {
        time_in(retention) == span::parse(&self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(time: &str) -> Retention {
        Retention { service: "prometheus".into(), port: 9090, time: time.into(), explicit: false }
    }

    #[test]
    fn forms() {
        for said in ["15d", "360h", "2w1d", "15d or 1GiB", "1GiB or 15d"] {
            assert!(asked("15d").is_said_by(said), "{said}");
        }
        for said in ["", "15h", "1GiB", "16d", "15d1s", "0s"] {
            assert!(!asked("15d").is_said_by(said), "{said}");
        }
        assert!(asked("quinze").validate(&Experiments::default()).is_err());
    }

    proptest! {
        /// Equal durations are equal in any spelling, with or without a size.
        #[test]
        fn any_spelling(hours in 1u64..5_000, size in proptest::option::of(1u32..512)) {
            let tail = size.map(|s| format!(" or {s}GB")).unwrap_or_default();
            let written = span::write(std::time::Duration::from_secs(hours * 3600));
            let said = format!("{hours}h{tail}");
            prop_assert!(asked(&written).is_said_by(&said));
            let other = format!("{}h{tail}", hours + 1);
            prop_assert!(!asked(&written).is_said_by(&other));
        }
    }
}
