//! `origin`: a value that really travelled from the database. The second copy sees PostgreSQL
//! through a relay that shifts years: no clock of the application is that far ahead.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cache::access::Store;
use super::cache::value::{leaves, years};
use super::cache::{Call, call};
use super::experiment::Request;
use super::world::{RelaySeen, World};
use super::{Check, Cx, Experiments, Stage, kit, outage, tell};
use crate::error::{Fault, FaultKind};
use crate::event::{Fact, Miss, Verdict};

/// A field of a fresh answer comes from the database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Origin {
    /// Request.
    pub request: Request,
    /// JSON field of the value, which holds a complete date.
    pub field: String,
    /// PostgreSQL service.
    pub store: String,
    /// Value of the source field for a fresh answer.
    pub fresh: String,
}

/// What the years of a value say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Those of the relay.
    Shifted,
    /// Those of the present, as any clock shows them.
    Local,
    /// Others.
    Other,
    /// There are none.
    None,
}

/// Reads the years of a value. `now` are the years that a clock may show at this moment.
pub fn reading(text: &str, now: &[i32], shift: i32) -> Reading {
    let seen = years(text);
    if seen.iter().any(|y| now.iter().any(|n| n + shift == *y)) {
        Reading::Shifted
    } else if seen.iter().any(|y| now.contains(y)) {
        Reading::Local
    } else if seen.is_empty() {
        Reading::None
    } else {
        Reading::Other
    }
}

/// The years that a clock may show now, whatever its time zone.
fn years_now() -> Vec<i32> {
    let now = jiff::Timestamp::now();
    let mut found: Vec<i32> = [-50_400, 0, 50_400]
        .into_iter()
        .filter_map(|s| now.checked_add(jiff::SignedDuration::from_secs(s)).ok())
        .map(|t| i32::from(t.to_zoned(jiff::tz::TimeZone::UTC).year()))
        .collect();
    found.dedup();
    found
}

/// A fresh answer and what the relay saw meanwhile.
struct Observed {
    call: Call,
    rows: Option<RelaySeen>,
}

impl Observed {
    /// Whether the database is known to have given no date meanwhile.
    fn is_without_a_date(&self) -> bool {
        self.rows.is_some_and(|rows| rows.shifted == 0)
    }
}

/// How often a fresh answer without a date of the database is looked at again.
const MORE: usize = 2;

/// Answers asked for until one is fresh.
const TRIES: usize = 10;

/// After as many that are not, although the store of the cache is empty, the application is made anew: what it
/// keeps by itself is another check's business.
const TRIES_BEFORE_ANEW: usize = 3;

impl Origin {
    async fn observe(&self, cx: &Cx<'_>, world: &dyn World) -> Result<Observed, Fault> {
        outage::revive(world, &self.request.service).await?;
        let (_, mut ip) = kit::needed(world, &self.request.service).await?;
        let cache = cx.experiments.cache.as_ref();
        let source = cache.map_or("source", |c| c.source_field.as_str());
        let store = match cache {
            Some(c) => Some(Store::open(world, &c.store, c.store_port).await?),
            None => None,
        };
        let mut last = Observed { call: Call::default(), rows: None };
        for tried in 0..TRIES {
            if tried == TRIES_BEFORE_ANEW {
                world.recreate(&self.request.service).await?;
                ip = kit::needed(world, &self.request.service).await?.1;
            }
            if let Some(store) = &store {
                store.flush(world).await?;
            }
            let before = world.relay_seen().await?;
            last.call = call(world, &self.request, ip, (source, &self.field), 5_000).await?;
            // The relay tells its counts a moment after they move.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let after = world.relay_seen().await?;
            last.rows = before.zip(after).map(|(b, a)| RelaySeen {
                connections: a.connections.saturating_sub(b.connections),
                rows: a.rows.saturating_sub(b.rows),
                shifted: a.shifted.saturating_sub(b.shifted),
            });
            if last.call.says(&self.fresh) && last.call.value.is_some() {
                break;
            }
        }
        Ok(last)
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!("la date de « {} » est celle que PostgreSQL a rendue", self.field),
            place: tell::in_app(
                cx.world,
                &self.request.service,
                &[".query(", "new Date(", "Date.now("],
                "la valeur est construite ici",
            ),
            try_it: format!("docker compose logs {}", self.store),
            ..Miss::default()
        }
    }

    fn verdict(&self, cx: &Cx<'_>, seen: &Observed, shift: i32) -> Verdict {
        let call = &seen.call;
        let text = call.value.as_ref().map(|v| leaves(v).join(" ")).unwrap_or_default();
        let shown = tell::cut(&call.value.as_ref().map(Value::to_string).unwrap_or_default(), 100);
        let mut facts = vec![
            Fact::new("value", json!(call.value), format!("valeur reçue : {shown}")),
            Fact::new("source", json!(call.source), "source annoncée"),
            Fact::new(
                "shift-years",
                shift,
                format!("le relais devant PostgreSQL ajoute {shift} ans aux dates"),
            ),
        ];
        if let Some(rows) = seen.rows {
            facts.push(Fact::new(
                "relay",
                json!({"rows": rows.rows, "shifted": rows.shifted}),
                format!(
                    "pendant l'appel, PostgreSQL a rendu {} ligne(s), dont {} date(s) décalée(s)",
                    rows.rows, rows.shifted
                ),
            ));
        }
        let base = Miss { facts: facts.clone(), ..self.base(cx) };
        let miss = |miss: Miss| Verdict::Fail(Box::new(miss));
        if !call.says(&self.fresh) {
            return Verdict::Inconclusive {
                fault: kit::noise("aucune réponse fraîche n'a pu être obtenue sur la seconde copie")
                    .detail(format!("{:?} {}", call.status, call.body)),
                facts,
            };
        }
        match reading(&text, &years_now(), shift) {
            Reading::Shifted => Verdict::Pass { facts },
            Reading::None => miss(Miss {
                headline: format!("« {} » ne montre aucune date", self.field),
                expected: "une date complète, avec son année, rendue par PostgreSQL".to_owned(),
                observed: if shown.is_empty() {
                    format!("pas de clé « {} » dans la réponse", self.field)
                } else {
                    shown
                },
                hint: "l'énoncé demande la date de la base, année comprise".to_owned(),
                ..base
            }),
            Reading::Local => {
                // The relay moves every date that goes through it, dressed as text or not: without one
                // the value was not there. Only a relay that does not tell leaves a doubt.
                if seen.rows.is_none() {
                    return Verdict::Inconclusive {
                        fault: Fault::new(
                            FaultKind::Engine,
                            "le relais placé devant PostgreSQL ne dit pas ce qu'il a vu : l'origine de la valeur reste incertaine",
                            "relancez ; si cela recommence, signalez ce défaut du correcteur",
                        ),
                        facts,
                    };
                }
                miss(Miss {
                    headline: "la valeur suit l'horloge de l'API, pas celle de PostgreSQL".to_owned(),
                    observed: format!(
                        "{shown}, alors que l'horloge de PostgreSQL a {shift} ans d'avance dans cet essai"
                    ),
                    hint: "la valeur montrée doit être celle qu'une requête SQL a rendue".to_owned(),
                    ..base
                })
            }
            Reading::Other => miss(Miss {
                headline: "la date montrée n'est ni celle de PostgreSQL ni celle du moment".to_owned(),
                observed: shown,
                hint: "une date écrite dans le code ne vient pas de la base".to_owned(),
                ..base
            }),
        }
    }
}

#[async_trait]
impl Check for Origin {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Second
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        match experiments.second.as_ref().and_then(|s| s.relay.as_ref()) {
            Some(relay) if *relay == self.store => Ok(()),
            _ => Err("origin veut [experiment.second] avec relay = son service store".into()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        for service in [&self.request.service, &self.store] {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let here = cx.on_second()?;
        let Some(shift) = here.world.shift_years() else {
            return Err(Fault::new(
                FaultKind::Engine,
                "le relais devant PostgreSQL n'a pas pu être mis en place",
                "relancez la correction ; si cela se répète, signalez ce défaut du correcteur",
            ));
        };
        let _alone = here.memo.alone().await;
        let first = self.verdict(cx, &self.observe(cx, here.world).await?, shift);
        if !matches!(first, Verdict::Pass { .. }) {
            return Ok(first);
        }
        // Once more: an offset that was learnt the first time asks the database for nothing any more.
        let mut again = self.observe(cx, here.world).await?;
        for _ in 0..MORE {
            if !again.is_without_a_date() {
                break;
            }
            again = self.observe(cx, here.world).await?;
        }
        Ok(match self.verdict(cx, &again, shift) {
            Verdict::Pass { facts } if again.is_without_a_date() => Verdict::Fail(Box::new(Miss {
                headline: "la date n'a pas été lue dans PostgreSQL à cet appel".to_owned(),
                observed: "une réponse fraîche, sans qu'aucune date sorte de PostgreSQL pendant l'appel".to_owned(),
                control: "la première réponse venait bien de la base".to_owned(),
                hint: "un écart d'horloge retenu n'est pas une lecture : chaque réponse fraîche pose la question à la base"
                    .to_owned(),
                facts,
                ..self.base(cx)
            })),
            verdict => verdict,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn years_tell_the_clock() {
        assert_eq!(reading("2126-11-21T01:49:15.123Z", &[2026], 100), Reading::Shifted);
        assert_eq!(reading("Sat Nov 21 2026 01:49:15 GMT+0000", &[2026], 100), Reading::Local);
        assert_eq!(reading("4951000000000", &[2026], 100), Reading::Shifted);
        assert_eq!(reading("1999", &[2026], 100), Reading::None);
        assert_eq!(reading("2001-01-01", &[2026], 100), Reading::Other);
        assert_eq!(reading("01:49:15", &[2026], 100), Reading::None);
    }

    proptest! {
        /// A value without the shifted year never passes.
        #[test]
        fn only_the_shift_passes(text in "[0-9:T. -]{0,40}", shift in 20i32..120) {
            if reading(&text, &[2026], shift) == Reading::Shifted {
                prop_assert!(years(&text).contains(&(2026 + shift)));
            }
        }
    }
}
