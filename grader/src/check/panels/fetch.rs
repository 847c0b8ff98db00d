//! Reading the dashboards of Grafana and what the live Prometheus knows of their metrics.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::Panels;
use super::scenario::Live;
use crate::check::grafana::dashboard::{Panel, panels};
use crate::check::grafana::vars::Vars;
use crate::check::grafana::{DataSource, Found, Grafana, Trouble};
use crate::check::kit;
use crate::check::prom::{Labels, Prom};
use crate::error::Fault;

/// Dashboards are provisioned at the start, in the background.
const PROVISIONED: Duration = Duration::from_secs(15);
/// Series appear with the first scrape.
const SCRAPED: Duration = Duration::from_secs(45);
/// Dashboards that are read at most.
const MAX_BOARDS: usize = 20;

/// One look at the list.
type Listed = Result<Vec<Found>, Trouble>;

/// A dashboard.
#[derive(Debug)]
pub struct Board {
    /// Title.
    pub title: String,
    /// File that it was made from, as Grafana tells it.
    pub file: String,
    /// Its panels.
    pub panels: Vec<Panel>,
    /// Its variables, whose lists change with what Prometheus knows.
    vars: RwLock<Vars>,
    /// Grafana's data sources.
    pub sources: Vec<DataSource>,
}

impl Board {
    fn vars(&self) -> Vars {
        self.vars.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An expression, its variables replaced.
    pub fn fill(&self, expr: &str) -> String {
        self.vars.read().unwrap_or_else(PoisonError::into_inner).fill(expr)
    }

    /// Fills the lists of the variables again, as Grafana does when a dashboard opens. A list that
    /// is still empty changes nothing.
    pub async fn refresh(&self, prom: &Prom<'_>) -> Result<(), Fault> {
        for (name, selector, label) in self.vars().label_queries() {
            let selector = self.fill(&selector);
            let values = prom.label_values(&label, &selector).await?.unwrap_or_default();
            if !values.is_empty() {
                self.vars.write().unwrap_or_else(PoisonError::into_inner).refresh(&name, &values);
            }
        }
        Ok(())
    }
}

/// All dashboards, waited for while there are none.
pub async fn boards(grafana: &Grafana<'_>) -> Result<Result<Vec<Board>, Trouble>, Fault> {
    // Some, and no more coming: the same list twice, half a second apart.
    let twice =
        |seen: &(Listed, Listed)| matches!(seen, (Ok(a), Ok(b)) if !a.is_empty() && a.len() == b.len());
    let look = || async {
        let first = grafana.dashboards().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok((first, grafana.dashboards().await?))
    };
    let found = match kit::patiently(PROVISIONED, twice, look).await?.1 {
        Ok(found) => found,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let sources = match grafana.data_sources().await? {
        Ok(sources) => sources,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let mut boards = Vec::new();
    for one in found.into_iter().take(MAX_BOARDS) {
        let answer = match grafana.dashboard(&one.uid).await? {
            Ok(answer) => answer,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let vars = Vars::read(&answer.dashboard);
        boards.push(Board {
            title: one.title,
            file: answer.meta.provisioned_external_id,
            panels: panels(&answer.dashboard, &sources, &vars),
            vars: RwLock::new(vars),
            sources: sources.clone(),
        });
    }
    Ok(Ok(boards))
}

impl Panels {
    /// Label sets of the metrics of the scenarios, waited for; else the name of the one that lacks.
    pub(super) async fn live_sets(&self, prom: &Prom<'_>) -> Result<Result<Live, String>, Fault> {
        let mut live = Live::default();
        let mut names = self.counters.clone();
        names.extend(self.histograms.iter().map(|h| format!("{h}_bucket")));
        for name in names {
            let some = |seen: &Vec<Labels>| !seen.is_empty();
            let sets =
                kit::patiently(SCRAPED, some, || async { Ok(prom.series(&name).await?.unwrap_or_default()) });
            let sets = sets.await?;
            if sets.is_empty() {
                return Ok(Err(name));
            }
            live.add(&name, sets);
        }
        live.add("up", prom.series("up").await?.unwrap_or_default());
        Ok(Ok(live))
    }
}
