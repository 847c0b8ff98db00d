//! What starts a workflow, as moments at which its conditions can be read.

use super::Node;
use super::graph::Moment;

/// The moments of a workflow.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// Pull requests.
    pub requests: Vec<Moment>,
    /// Everything else.
    pub others: Vec<Moment>,
    /// Names of the events.
    pub names: Vec<String>,
}

fn moment(event: &str, reference: String) -> Moment {
    Moment { event: event.to_owned(), reference, ..Moment::default() }
}

/// A name that a pattern accepts, near enough.
fn example(pattern: &str) -> String {
    pattern.replace("**", "*").replace('*', "1").replace(['[', ']', '+', '?'], "")
}

/// What opens or changes a pull request; the first three when no type is asked for.
const PROPOSED: &[&str] = &["opened", "synchronize", "reopened", "ready_for_review"];

/// Moments of a pull request, on that reference.
fn of_request(event: &str, reference: &str, filter: Option<&Node>) -> Vec<Moment> {
    let types = patterns(filter, "types");
    let proposed = types.is_empty() || types.iter().any(|t| PROPOSED.contains(&t.as_str()));
    let other = types.iter().any(|t| !PROPOSED.contains(&t.as_str()));
    let one = |late| Moment { late, ..moment(event, reference.to_owned()) };
    [(proposed, false), (other, true)].iter().filter(|(is, _)| *is).map(|(_, late)| one(*late)).collect()
}

fn patterns(filter: Option<&Node>, key: &str) -> Vec<String> {
    let Some(node) = filter.and_then(|f| f.get(key)) else { return Vec::new() };
    let one = node.text().map(str::to_owned);
    let many = node.items().iter().filter_map(Node::text).map(str::to_owned);
    one.into_iter().chain(many).filter(|p| !p.starts_with('!')).collect()
}

fn of_push(filter: Option<&Node>) -> Vec<Moment> {
    let branches = patterns(filter, "branches");
    let tags = patterns(filter, "tags");
    if branches.is_empty() && tags.is_empty() {
        return vec![moment("push", "refs/heads/main".into()), moment("push", "refs/tags/v1.0.0".into())];
    }
    let heads = branches.iter().map(|b| format!("refs/heads/{}", example(b)));
    let heads = heads.chain(tags.iter().map(|t| format!("refs/tags/{}", example(t))));
    heads.map(|reference| moment("push", reference)).collect()
}

impl Moments {
    /// Those of a workflow.
    pub fn of(workflow: &Node) -> Self {
        let mut found = Self::default();
        let Some(on) = workflow.get("on") else { return found };
        let events: Vec<(String, Option<&Node>)> = match on {
            Node::Map(pairs) => {
                pairs.iter().filter_map(|(k, v)| Some((k.text()?.to_owned(), Some(v)))).collect()
            }
            Node::Seq(items) => items.iter().filter_map(|i| Some((i.text()?.to_owned(), None))).collect(),
            Node::Scalar { .. } => on.text().map(|t| (t.to_owned(), None)).into_iter().collect(),
        };
        for (event, filter) in events {
            match event.as_str() {
                "pull_request" => found.requests.extend(of_request(&event, "refs/pull/7/merge", filter)),
                // Runs with the rights of the repository, on the branch that is aimed at.
                "pull_request_target" => found.requests.extend(of_request(&event, "refs/heads/main", filter)),
                "push" => found.others.extend(of_push(filter)),
                "release" => found.others.push(moment(&event, "refs/tags/v1.0.0".into())),
                _ => found.others.push(moment(&event, "refs/heads/main".into())),
            }
            found.names.push(event);
        }
        found
    }
}
