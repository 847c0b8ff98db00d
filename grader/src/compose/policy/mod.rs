//! The policy: deny by default, key by key, over canonical JSON with every profile on.

mod bridge;
mod build;
mod dockerfile;
mod images;
mod limits;
mod monitor;
#[cfg(test)]
pub(in crate::compose) mod mutation;
mod paths;
mod service;
mod service_checks;
mod tables;
mod texts;
mod top;

use serde_json::Value;

use super::grants::grant;
use super::model::{ComposeModel, entries};
use crate::event::{Change, Place, Refusal};

pub(super) use paths::{is_remote, real};
#[cfg(test)]
pub(super) use tables::all as tables;
pub(super) use tables::{Newer, refused_key, service_keys};
#[cfg(test)]
pub(super) use texts::ids as refusal_ids;

/// A model that the policy accepted. Only [`approve`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedModel {
    model: ComposeModel,
    /// Active model without the neutralised keys.
    clean: Value,
    changes: Vec<Change>,
}

impl ApprovedModel {
    /// The model as the student wrote it.
    pub fn model(&self) -> &ComposeModel {
        &self.model
    }

    /// What was neutralised.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Subnets that [`super::sandbox`] may take from its pool, a relay included.
    pub fn subnets_needed(&self) -> usize {
        entries(&self.clean, "networks").count() + 2
    }

    /// True when something must stand in for paths of the machine.
    pub fn needs_stand_ins(&self) -> bool {
        entries(&self.clean, "services").any(|(_, service)| {
            let mounts = service.get("volumes").and_then(Value::as_array);
            mounts.into_iter().flatten().any(|mount| grant(&self.model, service, mount).is_some())
        })
    }

    /// True when a service asks for an amount of processors.
    pub fn asks_for_processors(&self) -> bool {
        entries(&self.clean, "services").any(|(_, service)| {
            let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
            let amounts = ["limits", "reservations"].iter().filter_map(|part| resources?.get(part));
            std::iter::once(service).chain(amounts).any(|place| place.get("cpus").is_some())
        })
    }

    pub(super) fn clean(&self) -> &Value {
        &self.clean
    }
}

/// Most refusals that are told: nobody reads more.
const MOST: usize = 40;

/// What to do with a key.
pub(super) enum Verdict {
    /// Harmless as it is.
    Allow,
    /// Dropped for the run; the French text says why.
    Neutralise(&'static str),
    /// Refused, whatever its value (but empty or false).
    Refuse(&'static str),
    /// Depends on the value.
    Check(fn(&mut Judge<'_>, &[&str], &Value)),
}

/// One line of an allow-list.
pub(super) struct Rule {
    pub key: &'static str,
    pub verdict: Verdict,
}

/// A closed allow-list. What is not in it is refused.
pub(super) struct Table {
    /// Section of the Compose schema that it classifies; for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "what tests call it"))]
    pub name: &'static str,
    pub rules: &'static [Rule],
}

impl Table {
    pub(super) fn verdict(&self, key: &str) -> Option<&Verdict> {
        #[cfg(test)]
        if let Some(changed) = mutation::verdict(self.name, key) {
            return changed.first();
        }
        self.rules.iter().find(|rule| rule.key == key).map(|rule| &rule.verdict)
    }
}

/// Shorthand for the tables.
pub(super) const fn table(name: &'static str, rules: &'static [Rule]) -> Table {
    Table { name, rules }
}

/// Shorthand for the tables.
pub(super) const fn rule(key: &'static str, verdict: Verdict) -> Rule {
    Rule { key, verdict }
}

/// Walks a model and gathers refusals.
pub(super) struct Judge<'a> {
    pub model: &'a ComposeModel,
    /// The run being judged (active or all profiles).
    pub tree: &'a Value,
    pub refusals: Vec<Refusal>,
    pub dropped: Vec<(Vec<String>, &'static str)>,
    pub changes: Vec<Change>,
    /// `# syntax=` lines to blank in the staged copy: file and line.
    pub blank: Vec<(std::path::PathBuf, usize)>,
}

impl<'a> Judge<'a> {
    fn new(model: &'a ComposeModel, tree: &'a Value) -> Self {
        Self {
            model,
            tree,
            refusals: Vec::new(),
            dropped: Vec::new(),
            changes: Vec::new(),
            blank: Vec::new(),
        }
    }

    /// Judges each key of an object against a closed table.
    pub fn object(&mut self, path: &[&str], value: &Value, table: &Table) {
        #[cfg(test)]
        assert!(tables().any(|(_, known)| std::ptr::eq(known, table)), "{} is not in the list", table.name);
        let Value::Object(members) = value else {
            if !value.is_null() {
                self.refuse("unknown-form", path, "cette forme");
            }
            return;
        };
        for (key, member) in members {
            if key.starts_with("x-") {
                continue;
            }
            let mut at = path.to_vec();
            at.push(key);
            match table.verdict(key) {
                None => self.refuse("unknown-key", &at, key),
                Some(Verdict::Allow) => {}
                Some(Verdict::Neutralise(why)) => {
                    if !is_empty(member) {
                        self.dropped.push((at.iter().map(|s| (*s).to_owned()).collect(), why));
                    }
                }
                Some(Verdict::Refuse(id)) => {
                    if !is_empty(member) {
                        self.refuse(id, &at, &short(member));
                    }
                }
                Some(Verdict::Check(check)) => check(self, &at, member),
            }
        }
    }

    /// Refuses the node at `path`; `value` is quoted in the text.
    pub fn refuse(&mut self, id: &str, path: &[&str], value: &str) {
        self.refuse_at(id, path, value, self.model.source.place(path, ""));
    }

    /// Refuses the item of a list that is written as one of `needles`.
    pub fn refuse_item(&mut self, id: &str, path: &[&str], index: usize, needles: &[&str], value: &str) {
        let source = &self.model.source;
        let index = index.to_string();
        let by_text = needles.iter().filter(|n| !n.is_empty()).find_map(|needle| {
            let mut at = path.to_vec();
            // The source of a long form, else the item itself.
            at.extend([needle, "source"]);
            source.exact(&at).or_else(|| source.exact(&at[..at.len() - 1]))
        });
        let mut at = path.to_vec();
        at.push(&index);
        let place = by_text.or_else(|| source.place(&at, ""));
        self.refuse_at(id, path, value, place);
    }

    /// Refuses with a place of another file.
    pub fn refuse_at(&mut self, id: &str, path: &[&str], value: &str, place: Option<Place>) {
        #[cfg(test)]
        if mutation::mutes(id) {
            return;
        }
        let refusal = refusal(id, path, value, place);
        if self.refusals.len() < MOST && !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }
}

/// A refusal in words.
pub(super) fn refusal(id: &str, path: &[&str], value: &str, place: Option<Place>) -> Refusal {
    let text = texts::text(id);
    let label = |mut place: Place| {
        if place.mark.label.is_empty() {
            text.mark.clone_into(&mut place.mark.label);
        }
        place
    };
    Refusal {
        rule: id.to_owned(),
        what: text.what.replace("{sujet}", &subject(path)).replace("{valeur}", value),
        place: place.map(label),
        why: text.why.to_owned(),
        instead: text.instead.to_owned(),
    }
}

/// « le service « api » »…
fn subject(path: &[&str]) -> String {
    match path {
        ["services", name, ..] => format!("le service « {name} »"),
        ["networks", name, ..] => format!("le réseau « {name} »"),
        ["volumes", name, ..] => format!("le volume « {name} »"),
        ["secrets", name, ..] => format!("le secret « {name} »"),
        ["configs", name, ..] => format!("la configuration « {name} »"),
        _ => "le fichier".to_owned(),
    }
}

/// True for what asks for nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// A value short enough to be quoted.
pub(super) fn short(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Object(members) => match members.get("source").or_else(|| members.get("type")) {
            Some(main) => short(main),
            None => members.keys().cloned().collect::<Vec<_>>().join(", "),
        },
        other => super::model::scalar(other).unwrap_or_default(),
    };
    text.chars().take(80).collect()
}

/// Judges a model. Refusals are in the order of the file's families.
pub fn approve(model: ComposeModel) -> Result<ApprovedModel, Vec<Refusal>> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let (mut dropped, mut changes, mut blank) = (Vec::new(), Vec::new(), Vec::new());
    for tree in [&model.all, &model.active] {
        let mut judge = Judge::new(&model, tree);
        top::judge(&mut judge);
        for refusal in std::mem::take(&mut judge.refusals) {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
        // The last one is the active model: what runs.
        (dropped, changes, blank) = (judge.dropped, judge.changes, judge.blank);
    }
    if !refusals.is_empty() {
        return Err(super::typography::typeset_refusals(refusals));
    }
    let mut clean = model.active.clone();
    for (path, why) in dropped {
        remove(&mut clean, &path);
        changes.push(Change { path: path.join("."), text: why.to_owned() });
    }
    for (file, line) in blank {
        dockerfile::blank_line(&model.root.join(&file), line);
    }
    bridge::stand_in(&model.project, &mut clean, &mut changes);
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.dedup();
    Ok(ApprovedModel { model, clean, changes })
}

fn remove(tree: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut at = tree;
    for key in parents {
        let next = match at {
            Value::Array(items) => key.parse::<usize>().ok().and_then(|n| items.get_mut(n)),
            other => other.get_mut(key),
        };
        let Some(next) = next else { return };
        at = next;
    }
    if let Some(members) = at.as_object_mut() {
        members.shift_remove(last);
    }
}
