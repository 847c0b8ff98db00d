//! `ARG` and `ENV` as a build sees them.

use std::collections::BTreeMap;

use super::{Instruction, words};
use crate::compose::model::BuildPlan;

/// Variables in force while a Dockerfile is read.
pub(super) struct Scope<'a> {
    args: &'a BTreeMap<String, Option<String>>,
    /// Before the first `FROM`, then for the current stage.
    global: BTreeMap<String, String>,
    stage: BTreeMap<String, String>,
    in_stage: bool,
}

impl<'a> Scope<'a> {
    pub fn new(plan: &'a BuildPlan) -> Self {
        Self { args: &plan.args, global: BTreeMap::new(), stage: BTreeMap::new(), in_stage: false }
    }

    /// Takes an `ARG`, `ENV` or `FROM` into account.
    pub fn read(&mut self, instruction: &Instruction) {
        match instruction.name.as_str() {
            "FROM" => {
                self.in_stage = true;
                self.stage.clear();
            }
            "ARG" => {
                for word in &words(&instruction.rest) {
                    let (name, default) =
                        word.split_once('=').map_or((word.as_str(), None), |(n, d)| (n, Some(d)));
                    let given = self.args.get(name).cloned().flatten();
                    let inherited = self.in_stage.then(|| self.global.get(name).cloned()).flatten();
                    let default = default.map(|d| self.fill(d));
                    if let Some(value) = given.or(default).or(inherited) {
                        self.set(name, value);
                    }
                }
            }
            "ENV" => {
                for word in &words(&instruction.rest) {
                    if let Some((name, value)) = word.split_once('=') {
                        let value = self.fill(value);
                        self.set(name, value);
                    }
                }
                if let Some((name, value)) = instruction.rest.split_once(char::is_whitespace)
                    && !name.contains('=')
                {
                    let value = self.fill(value.trim().trim_matches(['"', '\'']));
                    self.set(name, value);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, name: &str, value: String) {
        let target = if self.in_stage { &mut self.stage } else { &mut self.global };
        target.insert(name.to_owned(), value);
    }

    /// Substitutes `$A`, `${A}`, `${A:-x}` and `${A:+x}`; anything else stays as it is.
    pub fn fill(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let braced = rest.strip_prefix('{').and_then(|b| b.split_once('}'));
            let (inside, after) = braced.unwrap_or_else(|| {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                rest.split_at(end)
            });
            let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
            let (name, operator) = inside.split_at(end);
            let value = self.get(name);
            match (operator.get(..2), value) {
                (_, Some(value)) if operator.is_empty() || operator.starts_with(":-") => out.push_str(&value),
                (Some(":-"), None) | (Some(":+"), Some(_)) => out.push_str(&operator[2..]),
                (Some(":+"), None) => {}
                _ => {
                    out.push('$');
                    out.push_str(if braced.is_some() { &rest[..inside.len() + 2] } else { inside });
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn get(&self, name: &str) -> Option<String> {
        let scope = if self.in_stage { &self.stage } else { &self.global };
        scope.get(name).cloned()
    }

    /// For `FROM`, which sees what came before the first stage.
    pub fn fill_global(&mut self, text: &str) -> String {
        let was = std::mem::replace(&mut self.in_stage, false);
        let filled = self.fill(text);
        self.in_stage = was;
        filled
    }
}
