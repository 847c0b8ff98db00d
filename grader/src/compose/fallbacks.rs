//! Secrets that have a value even when nobody gives them one: `${X:-secret}`, or a file of defaults
//! beneath the `.env`. Compose says so itself: it is asked again without each of them in turn.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use futures_util::future::join_all;
use serde_json::Value;

use super::canonical::arguments_with;
use super::model::ComposeModel;
use super::stage::Staged;
use super::tool::{ComposeTool, Stopped};
use crate::check::deep::{Dotenv, Fallback};
use crate::error::{Fault, FaultKind};

/// Texts of a model, each with its path.
fn texts<'a>(value: &'a Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, &'a str)>) {
    match value {
        Value::String(text) => found.push((path.clone(), text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                texts(item, path, found);
                path.pop();
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                path.push(key.clone());
                texts(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Where `value` stands in `with`, and something else than nothing takes its place in `without`.
fn replaced(with: &Value, without: &Value, value: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    texts(with, &mut Vec::new(), &mut all);
    let is_kept = |(path, text): &(Vec<String>, &str)| {
        let other = path.iter().try_fold(without, |at, key| match at {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => at.get(key),
        });
        let other = other.and_then(Value::as_str).unwrap_or_default();
        text.contains(value) && !other.is_empty() && other != text.replace(value, "")
    };
    all.into_iter().filter(is_kept).map(|(path, _)| path).collect()
}

/// Drawn names that nothing in a model takes its value from: neither a text, nor a secret or a configuration given
/// by its variable.
pub fn unused(dotenv: &Dotenv, model: &Value) -> Vec<String> {
    let mut all = Vec::new();
    texts(model, &mut Vec::new(), &mut all);
    let used = |name: &String, value: &String| {
        all.iter().any(|(path, text)| {
            text.contains(value.as_str())
                || (text == name && path.last().is_some_and(|key| key == "environment"))
        })
    };
    dotenv.drawn.iter().filter(|(name, value)| !used(name, value)).map(|(name, _)| name.clone()).collect()
}

/// Says where a drawn secret would have a value without one. `model` is what Compose reads with all of them.
///
/// # Errors
///
/// The machine's.
pub async fn fallbacks(
    staged: &Staged,
    compose: &ComposeTool,
    model: &ComposeModel,
) -> Result<Vec<Fallback>, Fault> {
    let Some(dotenv) = &staged.dotenv else { return Ok(Vec::new()) };
    let own = staged.root.join(".env");
    let disk = |e: io::Error| {
        Fault::new(FaultKind::Disk, "le dossier temporaire est plein ou interdit", "libérez de la place")
            .detail(e)
    };
    let whole = std::fs::read_to_string(&own).map_err(disk)?;
    let with = |left_out: &dyn Fn(&str) -> bool| {
        let drawn: BTreeMap<String, String> = dotenv
            .drawn
            .iter()
            .filter(|(name, _)| left_out(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        super::wishes::without_drawn(&whole, &drawn)
    };
    // What `env_file: .env` reads has none of them: what remains comes from elsewhere.
    std::fs::write(&own, with(&|_| true)).map_err(disk)?;
    let asked = dotenv.drawn.iter().map(|(name, value)| {
        let text = with(&|other| other == name);
        without(staged, compose, model.json(), (name, value), text)
    });
    let found = join_all(asked).await;
    std::fs::write(&own, &whole).map_err(disk)?;
    let mut all = Vec::new();
    for one in found {
        all.extend(one?);
    }
    Ok(all)
}

async fn without(
    staged: &Staged,
    compose: &ComposeTool,
    model: &Value,
    (name, value): (&String, &String),
    variables: String,
) -> Result<Vec<Fallback>, Fault> {
    let file = staged.env_file.with_file_name(format!("sans-{name}.env"));
    write(&file, &variables)?;
    let active: Vec<&str> = staged.choice.profiles.iter().map(String::as_str).collect();
    let said = compose.run(&arguments_with(staged, &file, &staged.choice.files, &active), &staged.root).await;
    let said = match said {
        Ok(said) => said,
        Err(Stopped::Machine(fault)) => return Err(fault),
        Err(Stopped::Slow | Stopped::Big) => {
            return Err(Fault::new(
                FaultKind::Noise,
                "Compose n'a pas relu le projet sans ses secrets",
                "relancez quand la machine est moins chargée",
            ));
        }
    };
    // `${X:?}` stops it: there is no other value.
    if !said.status.success() {
        return Ok(Vec::new());
    }
    let read: Value = serde_json::from_slice(&said.stdout).unwrap_or_default();
    let paths = replaced(model, &read, value);
    Ok(paths.into_iter().map(|path| Fallback { name: name.clone(), path }).collect())
}

fn write(file: &Path, text: &str) -> Result<(), Fault> {
    std::fs::write(file, super::dotenv::read(text).filtered).map_err(|e| {
        Fault::new(FaultKind::Disk, "le dossier temporaire est plein ou interdit", "libérez de la place")
            .detail(e)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_takes_the_place_of_a_secret() {
        let with = json!({"s": {"a": {"environment": {"P": "d41d8", "U": "pg://m:d41d8@h"}, "command": ["x", "d41d8"]}}});
        let nothing = json!({"s": {"a": {"environment": {"P": "", "U": "pg://m:@h"}, "command": ["x"]}}});
        assert_eq!(replaced(&with, &nothing, "d41d8"), Vec::<Vec<String>>::new());
        let lie =
            json!({"s": {"a": {"environment": {"P": "", "U": "pg://m:mantis@h"}, "command": ["x", "y"]}}});
        let mut seen = replaced(&with, &lie, "d41d8");
        // The order of the keys of a JSON object is not that of the words.
        seen.sort();
        assert_eq!(seen, [vec!["s", "a", "command", "1"], vec!["s", "a", "environment", "U"]]);
    }
}
