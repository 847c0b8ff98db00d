//! Keys of `build`.

use serde_json::Value;

use super::Verdict::{Allow, Check, Neutralise, Refuse};
use super::paths::{outside, shown};
use super::service::GRANT;
use super::{Judge, Rule, rule, service_checks as checks, short};
use crate::compose::model::plain;

const OURS: &str = "le correcteur construit l'image lui-même, sous un nom qui lui est propre";

const BUILD: &[Rule] = &[
    rule("context", Check(context)),
    rule("dockerfile", Allow),
    rule("dockerfile_inline", Allow),
    rule("args", Check(args)),
    rule("target", Allow),
    rule("labels", Allow),
    rule("network", Check(|j, p, v| checks::only(j, p, v, &["none", "default"], "build-network"))),
    rule("secrets", Check(|j, p, v| checks::items(j, p, v, GRANT))),
    rule("additional_contexts", Check(contexts)),
    rule("extra_hosts", Check(checks::extra_hosts)),
    rule("tags", Neutralise(OURS)),
    rule("cache_from", Neutralise(OURS)),
    rule("cache_to", Neutralise(OURS)),
    rule("no_cache", Neutralise(OURS)),
    rule("pull", Neutralise(OURS)),
    rule("platforms", Neutralise(OURS)),
    rule("isolation", Neutralise(OURS)),
    rule("provenance", Neutralise(OURS)),
    rule("sbom", Neutralise(OURS)),
    rule("shm_size", Neutralise(OURS)),
    rule("ulimits", Neutralise(OURS)),
    rule("ssh", Refuse("build-ssh")),
    rule("privileged", Refuse("build-privileged")),
    rule("entitlements", Refuse("build-privileged")),
];

/// Judges `build` and the Dockerfile that it names.
pub(super) fn judge(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    judge.object(path, value, BUILD);
    let plan = judge.model.build(value);
    if let Some(file) = &plan.dockerfile {
        let full = judge.model.root.join(file).to_string_lossy().into_owned();
        let context = plain(value.get("context").and_then(Value::as_str).unwrap_or_default());
        // A context that is remote or outside has been refused already.
        if is_remote(&context) || outside(judge.model, &context) {
            return;
        }
        if outside(judge.model, &full) {
            let mut at = path.to_vec();
            at.push("dockerfile");
            let shown = shown(judge.model, &full);
            return judge.refuse("build-outside", &at, &shown);
        }
    }
    super::dockerfile::judge(judge, path, &plan);
}

fn is_remote(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@") || text.starts_with("github.com/")
}

fn context(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let text = plain(value.as_str().unwrap_or_default());
    if is_remote(&text) {
        judge.refuse("build-remote", path, &text);
    } else if outside(judge.model, &text) {
        let shown = shown(judge.model, &text);
        judge.refuse("build-outside", path, &shown);
    }
}

fn args(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (name, _) in value.as_object().into_iter().flatten() {
        let upper = name.to_ascii_uppercase();
        if upper.starts_with("BUILDKIT_") || upper.starts_with("BUILDX_") {
            let mut at = path.to_vec();
            at.push(name);
            judge.refuse("build-arg", &at, name);
        }
    }
}

fn contexts(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (name, source) in value.as_object().into_iter().flatten() {
        let text = plain(source.as_str().unwrap_or_default());
        let mut at = path.to_vec();
        at.push(name);
        if is_remote(&text) || text.starts_with("service:") {
            judge.refuse("build-remote", &at, &short(source));
        } else if outside(judge.model, &text) {
            let shown = shown(judge.model, &text);
            judge.refuse("build-outside", &at, &shown);
        }
    }
}
