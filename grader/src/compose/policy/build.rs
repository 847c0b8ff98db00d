//! Keys of `build`.

use serde_json::Value;

use super::Verdict::{Allow, Check, Neutralise, Refuse};
use super::paths::{is_remote, outside, shown};
use super::service::GRANT;
use super::{Judge, Table, rule, service_checks as checks, short, table};
use crate::compose::model::plain;

const OURS: &str = "le correcteur construit l'image lui-même, sous un nom qui lui est propre";

static BUILD: Table = table(
    "service.build",
    &[
        rule("context", Check(context)),
        rule("dockerfile", Allow),
        rule("dockerfile_inline", Allow),
        rule("args", Check(args)),
        rule("target", Allow),
        rule("labels", Allow),
        rule("network", Check(|j, p, v| checks::only(j, p, v, &["none", "default"], "build-network"))),
        rule("secrets", Check(secrets)),
        rule("additional_contexts", Check(contexts)),
        rule("extra_hosts", Check(checks::extra_hosts)),
        rule("tags", Neutralise(OURS)),
        rule("cache_from", Neutralise(OURS)),
        rule("cache_to", Neutralise(OURS)),
        rule("no_cache", Neutralise(OURS)),
        rule("no_cache_filter", Neutralise(OURS)),
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
    ],
);

/// Judges `build` and the Dockerfile that it names.
pub(super) fn judge(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    judge.object(path, value, &BUILD);
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
        if !is_plain(name) {
            judge.refuse("build-name", &at, name);
        } else if text.starts_with("service:") {
            judge.refuse("build-service", &at, &text);
        } else if is_remote(&text) {
            judge.refuse("build-remote", &at, &short(source));
        } else if outside(judge.model, &text) {
            let shown = shown(judge.model, &text);
            judge.refuse("build-outside", &at, &shown);
        }
    }
}

/// Names and paths that the builder's command line gives a meaning of its own.
fn secrets(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    checks::items(judge, path, value, &GRANT);
    for (index, used) in value.as_array().into_iter().flatten().enumerate() {
        let text = |key: &str| used.get(key).and_then(Value::as_str).map(plain);
        let Some(source) = text("source") else { continue };
        let id = text("target").unwrap_or_else(|| source.clone());
        let secret = judge.tree.get("secrets").and_then(|all| all.get(&source));
        let file = secret.and_then(|s| s.get("file")).and_then(Value::as_str).map(plain).unwrap_or_default();
        let file = shown(judge.model, &file);
        if !is_plain(&id) {
            judge.refuse_item("build-name", path, index, &[&source], &id);
        } else if file.contains([',', '"', '\n']) {
            judge.refuse_item("build-name", path, index, &[&source], &file);
        }
    }
}

/// A name that can only be a name.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
}

/// Tables of this file, by section of the schema.
pub(super) static TABLES: &[(&str, &Table)] = &[("service.build", &BUILD)];
