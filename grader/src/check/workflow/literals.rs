//! Passwords and tokens written as they are in a workflow.

use super::Node;
use super::expr;
use super::steps::commands;

/// A secret written as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Where: a key or a command, without the value.
    pub what: String,
    /// Line, from 1.
    pub line: usize,
}

/// Last words of the name of what holds a secret.
const KEYS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "mdp",
    "mot_de_passe",
    "token",
    "jeton",
    "secret",
    "secret_key",
    "api_key",
    "access_key",
    "private_key",
    "cle_secrete",
];
/// How the tokens of well-known services begin.
const TOKENS: &[&str] = &["dckr_pat_", "ghp_", "github_pat_", "glpat-", "AKIA"];

/// Whether a name ends with one of [`KEYS`], as a word of its own.
fn is_secret(name: &str) -> bool {
    let low = name.to_lowercase().replace('-', "_");
    KEYS.iter().any(|key| low.strip_suffix(key).is_some_and(|start| start.is_empty() || start.ends_with('_')))
}

/// Whether a value is written as it is, or as what an expression falls back on. A switch is no secret.
fn is_literal(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    if value.contains("${{") {
        return expr::falls_back(value);
    }
    !value.is_empty() && !value.starts_with('$') && !matches!(value, "true" | "false")
}

/// Whether a text holds an address with a password of its own: `https://user:password@host`.
fn is_in_an_address(text: &str) -> bool {
    text.match_indices("://").any(|(at, sign)| {
        let rest = &text[at + sign.len()..];
        let authority = &rest[..rest.find(['/', ' ', '"', '\'', '\n']).unwrap_or(rest.len())];
        let Some((user, _)) = authority.rsplit_once('@') else { return false };
        user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.contains('$'))
    })
}

/// Passwords and tokens of a workflow that are not taken from elsewhere.
pub fn literals(workflow: &Node) -> Vec<Literal> {
    let mut found = Vec::new();
    walk(workflow, "", &mut found);
    found.dedup();
    found
}

fn walk(node: &Node, under: &str, found: &mut Vec<Literal>) {
    match node {
        Node::Scalar { .. } => {
            let Some(text) = node.text() else { return };
            if let Some(start) = TOKENS.iter().find(|t| text.contains(**t)) {
                found.push(Literal {
                    what: format!("une valeur qui commence par {start}"),
                    line: node.line(),
                });
            } else if is_in_an_address(text) {
                found.push(Literal { what: "le mot de passe d'une adresse".into(), line: node.line() });
            } else if under == "run" && logs_in_plainly(text) {
                found.push(Literal { what: "docker login".into(), line: node.line() });
            }
        }
        Node::Seq(items) => items.iter().for_each(|item| walk(item, "", found)),
        Node::Map(pairs) => {
            for (key, value) in pairs {
                let name = key.text().unwrap_or_default();
                if matches!(under, "env" | "with") && is_secret(name) && value.text().is_some_and(is_literal)
                {
                    found.push(Literal { what: format!("« {name} »"), line: value.line() });
                } else {
                    walk(value, name, found);
                }
            }
        }
    }
}

/// Whether a script gives `docker login` a password that it holds itself.
fn logs_in_plainly(script: &str) -> bool {
    let all = commands(script);
    all.iter().enumerate().any(|(at, (command, _))| {
        let words: Vec<&str> = command.split(' ').collect();
        if !(words.contains(&"login") && words.iter().any(|w| *w == "docker" || *w == "podman")) {
            return false;
        }
        let given = words.iter().enumerate().find_map(|(i, word)| match *word {
            "-p" | "--password" => words.get(i + 1).copied(),
            _ => {
                word.strip_prefix("--password=").or_else(|| word.strip_prefix("-p").filter(|v| !v.is_empty()))
            }
        });
        if let Some(value) = given {
            return is_literal(value);
        }
        if let Some((_, given)) = command.split_once("<<<") {
            return !given.contains('$');
        }
        // What the command before writes is the password.
        let before = at.checked_sub(1).and_then(|i| all.get(i)).filter(|(_, after)| after.starts_with('|'));
        words.contains(&"--password-stdin")
            && before.is_some_and(|(command, _)| {
                let said = command.strip_prefix("echo ").or_else(|| command.strip_prefix("printf "));
                said.is_some_and(|said| !said.contains('$'))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::yaml;

    fn count(text: &str) -> usize {
        literals(&yaml::parse(text).expect("yaml")).len()
    }

    #[test]
    fn secrets_in_clear_are_seen() {
        for bad in [
            "env: {DOCKER_PASSWORD: azerty}",
            "jobs: {a: {steps: [{with: {password: azerty}}]}}",
            "jobs: {a: {steps: [{run: docker login -u moi -p azerty}]}}",
            "jobs: {a: {steps: [{run: docker login --password=azerty}]}}",
            "jobs: {a: {steps: [{run: 'echo azerty | docker login -u moi --password-stdin'}]}}",
            "jobs: {a: {steps: [{run: 'curl -H dckr_pat_x'}]}}",
            "jobs: {a: {steps: [{run: 'docker login --password-stdin <<< azerty'}]}}",
            "jobs: {a: {steps: [{run: 'git push https://moi:azerty@exemple.fr/x'}]}}",
            "env: {CLE_SECRETE: azerty}",
            "env: {DOCKERHUB_PASS: azerty}",
            "env: {DEPOT: 'https://moi:azerty@exemple.fr/x'}",
            "env: {JETON: \"${{ secrets.X || 'azerty' }}\"}",
            "env: {JETON: \"${{ 'azerty' }}\"}",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
        for good in [
            "env: {DOCKER_PASSWORD: \"${{ secrets.X }}\", VERSION: 1}",
            "permissions: {id-token: write}",
            "env: {DUREE_JETON_SECONDES: 3600, BYPASS: oui, USE_TOKEN: true}",
            "env: {DEPOT: 'https://moi@exemple.fr/x', AUTRE: 'https://moi:${{ secrets.X }}@exemple.fr/x:y'}",
            "env: {JETON: \"${{ github.event_name == 'push' && secrets.A || github.token }}\"}",
            "jobs: {a: {steps: [{run: 'docker login --password-stdin <<< \"$JETON\"'}]}}",
            "jobs: {a: {steps: [{run: 'echo \"$JETON\" | docker login -u moi --password-stdin'}]}}",
            "jobs: {a: {steps: [{run: 'echo \"${{ secrets.X }}\" | docker login --password-stdin'}]}}",
            "jobs: {a: {steps: [{run: 'docker login -p $JETON'}]}}",
        ] {
            assert_eq!(count(good), 0, "{good}");
        }
    }
}
