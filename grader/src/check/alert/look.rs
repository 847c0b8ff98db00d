//! One look at a Prometheus: the rules of an alert and the targets.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::super::prom::{ActiveAlert, AlertState, Health, Rule, Target};

/// One look at Prometheus.
pub(super) struct Look {
    /// Before it was asked.
    pub(super) sent: Instant,
    /// Once it was answered.
    pub(super) got: Instant,
    /// When it was asked, on the engine's clock, unix microseconds.
    pub(super) unix_us: i64,
    /// The rules of that name, in Prometheus's order: together they are the alert.
    pub(super) rules: Vec<Rule>,
    /// The targets of the service.
    pub(super) targets: Vec<Target>,
    /// The other targets.
    pub(super) rest: Vec<Target>,
}

/// Whether the labels of an alert are those of this target, as far as it has any.
fn is_of(alert: &ActiveAlert, target: &Target) -> bool {
    ["job", "instance"]
        .iter()
        .all(|key| alert.labels.get(*key).is_none_or(|value| target.labels.get(*key) == Some(value)))
}

impl Look {
    /// Alerts of a rule, but for those of another target: on a busy machine a scrape that has nothing to do
    /// with the service may fail at the same time.
    fn alerts_of<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = &'a ActiveAlert> {
        let all = rule.alerts.iter();
        all.filter(|a| self.targets.iter().any(|t| is_of(a, t)) || !self.rest.iter().any(|t| is_of(a, t)))
    }

    /// Alerts of every rule of that name.
    fn alerts(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.rules.iter().flat_map(|rule| self.alerts_of(rule))
    }

    /// Which of the rules are active for the service, by their place.
    pub(super) fn awake(&self) -> BTreeSet<usize> {
        let awake = self.rules.iter().enumerate().filter(|(_, rule)| self.alerts_of(rule).next().is_some());
        awake.map(|(index, _)| index).collect()
    }

    /// Whether the alert is active without telling for which target.
    pub(super) fn is_anonymous(&self) -> bool {
        self.alerts().any(|a| !a.labels.contains_key("job") && !a.labels.contains_key("instance"))
    }

    /// Other targets that do not answer, by what is scraped.
    pub(super) fn fallen(&self) -> BTreeSet<String> {
        self.rest.iter().filter(|t| t.health == Health::Down).map(|t| t.scrape_url.clone()).collect()
    }

    /// The worst state of all.
    pub(super) fn state(&self) -> AlertState {
        let states = self.alerts().map(|a| a.state);
        states.fold(AlertState::Inactive, |worst, state| match (worst, state) {
            (AlertState::Firing, _) | (_, AlertState::Firing) => AlertState::Firing,
            (AlertState::Pending, _) | (_, AlertState::Pending) => AlertState::Pending,
            (worst, _) => worst,
        })
    }

    /// Since when the first of all is active.
    pub(super) fn active_at(&self) -> Option<i64> {
        self.alerts().filter_map(|a| unix_us(a.active_at.as_deref()?)).min()
    }

    /// Last evaluation of the rule that is in the worst state: the one that put it there, when it has just
    /// been.
    pub(super) fn evaluated(&self) -> Option<i64> {
        let worst = self.state();
        let in_it = |rule: &&Rule| self.alerts_of(rule).any(|a| a.state == worst);
        let rule = self.rules.iter().find(in_it).or(self.rules.first())?;
        unix_us(&rule.last_evaluation)
    }

    /// A rule that cannot be evaluated: what Prometheus says (English).
    pub(super) fn sick(&self) -> Option<&str> {
        self.rules.iter().find(|r| r.health == "err").map(|r| r.last_error.as_str())
    }

    /// Whether every target of the service answers, and every rule has been evaluated to nothing.
    pub(super) fn is_calm(&self) -> bool {
        let up = !self.targets.is_empty() && self.targets.iter().all(|t| t.health == Health::Up);
        let evaluated = !self.rules.is_empty() && self.rules.iter().all(|r| r.health == "ok");
        up && evaluated && self.state() == AlertState::Inactive
    }
}

/// A date of Prometheus, unix microseconds.
pub(super) fn unix_us(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}
