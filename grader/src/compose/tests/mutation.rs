//! Mutation of the policy: each rule changed in turn must make a case of the corpora fail.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tp_tests::cases::{Case, Ready, corpus};

use super::super::policy::mutation::{Mutant, with};
use super::super::policy::{Verdict, refusal_ids, tables};
use super::super::{gate, opinion};
use super::*;

/// A case as far as it goes before the policy; the folder lives as long.
struct Prepared {
    case: Case,
    stage: Stage,
    _ready: Option<Ready>,
    _into: Option<tempfile::TempDir>,
}

enum Stage {
    /// The gate stops it.
    Gate(Box<Staged>),
    /// Compose reads it.
    Model(Box<ComposeModel>),
}

impl Prepared {
    /// `None` when the case never comes to a rule of the policy.
    async fn new(case: Case, tool: &ComposeTool) -> Option<Self> {
        let ready = case.ready().expect("a case")?;
        let into = tempfile::tempdir().expect("folder");
        let staged = stage(&ready.path(), into.path(), &Limits::default()).ok()?;
        let stage = if gate::inspect(&staged).is_some() {
            Stage::Gate(Box::new(staged))
        } else {
            Stage::Model(Box::new(canonical(&staged, tool).await.ok()?))
        };
        Some(Self { case, stage, _ready: Some(ready), _into: Some(into) })
    }

    fn answer(&self) -> Value {
        let opinion = match &self.stage {
            Stage::Gate(staged) => match gate::inspect(staged) {
                Some(stop) => opinion::stopped(stop),
                // It would reach Compose.
                None => return json!({ "decision": "read" }),
            },
            Stage::Model(model) => opinion::judged((**model).clone()),
        };
        serde_json::to_value(opinion).expect("JSON")
    }

    fn notices(&self) -> bool {
        !self.case.faults(&self.answer()).is_empty()
    }

    /// Whether a rule about these words can matter to it.
    fn mentions(&self, words: &[&str]) -> bool {
        match &self.stage {
            Stage::Gate(_) => words.iter().any(|word| self.case.expect.codes.iter().any(|code| code == word)),
            Stage::Model(model) => {
                let text = model.all.to_string();
                words.iter().all(|word| text.contains(&format!("\"{word}\"")))
                    || words.iter().any(|word| self.case.expect.codes.iter().any(|code| code == word))
            }
        }
    }
}

/// Models that the Compose installed here never gives, and what must be said of them: newer keys,
/// and those that it leaves out.
fn raw() -> Vec<(&'static str, Value)> {
    let service = |extra: Value| {
        let mut service = json!({ "image": "x" });
        service.as_object_mut().expect("object").extend(extra.as_object().expect("object").clone());
        json!({ "services": { "api": service } })
    };
    vec![
        ("host-program", service(json!({ "provider": { "type": "sh" } }))),
        ("host-program", service(json!({ "models": { "m": {} } }))),
        ("host-program", service(json!({ "pre_start": [{ "image": "x" }] }))),
        ("host-program", json!({ "jobs": { "j": {} } })),
        ("host-program", json!({ "models": { "m": {} } })),
        ("docker-sock", service(json!({ "use_api_socket": true }))),
        ("devices", service(json!({ "gpus": [{ "count": -1 }] }))),
        (
            "mount-type",
            service(
                json!({ "volumes": [{ "type": "volume", "target": "/v", "image": { "subpath": "a" } }] }),
            ),
        ),
        (
            "mount-type",
            service(json!({ "volumes": [{ "type": "volume", "target": "/v", "cluster": { "a": "b" } }] })),
        ),
        ("secret-external", json!({ "secrets": { "s": { "driver": "x" } } })),
        ("secret-external", json!({ "secrets": { "s": { "driver_opts": { "a": "b" } } } })),
        ("secret-external", json!({ "secrets": { "s": { "template_driver": "x" } } })),
        ("+services.api.env_file", service(json!({ "env_file": ["a"] }))),
        ("+services.api.label_file", service(json!({ "label_file": ["a"] }))),
        ("+services.api.extends", service(json!({ "extends": { "service": "b" } }))),
        ("+services.api.pull_refresh_after", service(json!({ "pull_refresh_after": "1h" }))),
        (
            "+services.api.networks.n.interface_name",
            service(json!({ "networks": { "n": { "interface_name": "e" } } })),
        ),
        (
            "+services.api.build.no_cache_filter",
            service(json!({ "build": { "context": "/", "no_cache_filter": ["a"] } })),
        ),
        (
            "+services.api.build.provenance",
            service(json!({ "build": { "context": "/", "provenance": "max" } })),
        ),
        ("+services.api.build.sbom", service(json!({ "build": { "context": "/", "sbom": true } }))),
        ("+include", json!({ "include": ["a"] })),
        ("+networks.n.ipam.options", json!({ "networks": { "n": { "ipam": { "options": { "a": "b" } } } } })),
        ("unknown-form", json!({ "services": { "api": "x" } })),
        ("unknown-key", json!({ "networks": { "n": { "ipam": { "config": [{ "nouveau": 1 }] } } } })),
        ("unknown-key", service(json!({ "depends_on": { "b": { "nouveau": 1 } } }))),
        ("unknown-key", service(json!({ "healthcheck": { "nouveau": 1 } }))),
        ("unknown-key", service(json!({ "secrets": [{ "source": "s", "nouveau": 1 }] }))),
        ("unknown-key", service(json!({ "configs": [{ "source": "s", "nouveau": 1 }] }))),
        ("unknown-key", service(json!({ "deploy": { "restart_policy": { "nouveau": 1 } } }))),
        ("unknown-key", service(json!({ "deploy": { "resources": { "limits": { "nouveau": 1 } } } }))),
        (
            "unknown-key",
            service(json!({ "volumes": [{ "type": "volume", "target": "/v", "volume": { "nouveau": 1 } }] })),
        ),
        (
            "unknown-key",
            service(json!({ "volumes": [{ "type": "tmpfs", "target": "/v", "tmpfs": { "nouveau": 1 } }] })),
        ),
        ("", json!({ "version": "3" })),
        (
            "",
            service(
                json!({ "umask": "022", "networks": { "n": { "use_service_name_alias": true, "gw_priority": 1 } } }),
            ),
        ),
        (
            "",
            service(
                json!({ "volumes": [{ "type": "volume", "source": "v", "target": "/v", "volume": { "labels": { "a": "b" }, "subpath": "s" } }] }),
            ),
        ),
        (
            "",
            service(
                json!({ "volumes": [{ "type": "bind", "source": "./d", "target": "/v", "bind": { "recursive": "disabled" } }] }),
            ),
        ),
    ]
}

/// Says whether a raw model is answered as it must be: `rule`, `+change`, or nothing to say.
fn raw_is_answered(root: &Path, wanted: &str, model: &Value) -> bool {
    let text = model.to_string().replace("\"./d\"", &format!("\"{}/d\"", root.display()));
    let text = text.replace("\"context\":\"/\"", &format!("\"context\":\"{}\"", root.display()));
    let mut model: Value = serde_json::from_str(&text).expect("JSON");
    if model.get("services").is_none() {
        model["services"] = json!({ "api": { "image": "x" } });
    }
    let opinion = opinion::judged(properties::made(root, model));
    match (wanted.strip_prefix('+'), wanted) {
        (Some(path), _) => {
            opinion.refusals.is_empty() && opinion.changes.iter().any(|change| change.path == path)
        }
        (None, "") => opinion.refusals.is_empty(),
        (None, rule) => opinion.refusals.iter().any(|refusal| refusal.rule == rule),
    }
}

/// Run by `make security`.
#[tokio::test(flavor = "current_thread")]
#[ignore = "long: every rule against every case"]
async fn every_rule_whose_removal_nobody_would_notice() {
    let Some(tool) = tool() else { return };
    let mut prepared = Vec::new();
    for case in corpus("hostile").into_iter().chain(corpus("public")) {
        prepared.extend(Prepared::new(case, &tool).await);
    }
    let folder = Folder::new(&[("Dockerfile", "FROM x\n"), ("d/f", "")]);
    let root = folder.origin().canonicalize().expect("folder");
    let raw = raw();
    for one in &prepared {
        assert_eq!(one.case.faults(&one.answer()), Vec::<String>::new(), "{}", one.case.name);
    }
    for (wanted, model) in &raw {
        assert!(raw_is_answered(&root, wanted, model), "{wanted}: {model}");
    }
    let noticed = |mutant: &Mutant, words: &[&str]| {
        with(mutant.clone(), || {
            raw.iter().any(|(wanted, model)| !raw_is_answered(&root, wanted, model))
                || prepared.iter().filter(|one| one.mentions(words)).any(Prepared::notices)
                || prepared.iter().filter(|one| !one.mentions(words)).any(Prepared::notices)
        })
    };
    let mut seen = BTreeSet::new();
    let (mut protections, mut permissions) = (Vec::new(), Vec::new());
    for (_, table) in tables() {
        for rule in table.rules.iter().filter(|rule| seen.insert((table.name, rule.key))) {
            let name = format!("{}.{}", table.name, rule.key);
            match rule.verdict {
                Verdict::Allow => {
                    permissions.push((name, noticed(&Mutant::Forget(table.name, rule.key), &[rule.key])));
                }
                _ => protections.push((name, noticed(&Mutant::Allow(table.name, rule.key), &[rule.key]))),
            }
        }
    }
    for id in refusal_ids().into_iter().chain(gate::RULES) {
        protections.push((format!("refus {id}"), noticed(&Mutant::Mute(id.to_owned()), &[id])));
    }
    for (what, all) in [("règles", &protections), ("permissions", &permissions)] {
        let good = all.iter().filter(|(_, noticed)| *noticed).count();
        println!("{what} dont le retrait est remarqué : {good}/{}", all.len());
        for (name, _) in all.iter().filter(|(_, noticed)| !noticed) {
            println!("  ✗ {name}");
        }
    }
    assert!(protections.iter().chain(&permissions).all(|(_, noticed)| *noticed));
}
