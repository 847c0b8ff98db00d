//! `flowchart`: nodes, arrows and groups.

/// Shape of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `a[…]`
    Box,
    /// `a(…)`, `a([…])`
    Round,
    /// `a[(…)]`
    Store,
    /// `a{…}`
    Choice,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name in the source.
    pub id: String,
    /// Lines of the label.
    pub label: Vec<String>,
    /// Shape.
    pub shape: Shape,
}

/// How an arrow looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// `-.->`: dashed.
    pub dashed: bool,
    /// Head at the end; `None` for `---`.
    pub head: Head,
    /// `<-->`: a head at the start too.
    pub both: bool,
    /// `~~~`: orders, is not drawn.
    pub hidden: bool,
}

/// End of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// `---`
    None,
    /// `-->`
    Arrow,
    /// `--x`: what cannot pass.
    Cross,
}

/// An arrow between two nodes (indices).
#[derive(Clone, Debug)]
pub struct Edge {
    /// From.
    pub from: usize,
    /// To.
    pub to: usize,
    /// Looks.
    pub stroke: Stroke,
    /// Text on it.
    pub label: String,
}

/// A frame around nodes.
#[derive(Clone, Debug)]
pub struct Group {
    /// Text.
    pub label: String,
    /// Members (indices).
    pub members: Vec<usize>,
}

/// A parsed flowchart.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// `TD` or `TB`: from top to bottom; else from left to right.
    pub down: bool,
    /// Nodes, in order of appearance.
    pub nodes: Vec<Node>,
    /// Arrows.
    pub edges: Vec<Edge>,
    /// Groups.
    pub groups: Vec<Group>,
}

/// Arrows, longest first; `<` and labels are handled apart.
const ARROWS: &[(&str, bool, Head, bool)] = &[
    ("-.-x", true, Head::Cross, false),
    ("-.->", true, Head::Arrow, false),
    ("-.-", true, Head::None, false),
    ("--x", false, Head::Cross, false),
    ("-->", false, Head::Arrow, false),
    ("---", false, Head::None, false),
    ("~~~", false, Head::None, true),
];

/// Parses the lines after `flowchart XX`. A group may take a node that another group holds, which Mermaid
/// cannot say: `%% aussi: groupe noeud` (a comment for Mermaid).
pub fn parse(first: &str, lines: &[&str]) -> Result<Flow, String> {
    let mut flow = Flow { down: first.ends_with("TD") || first.ends_with("TB"), ..Flow::default() };
    let mut names: Vec<String> = Vec::new();
    let mut open: Option<usize> = None;
    for line in lines {
        if let Some(comment) = line.strip_prefix("%%") {
            if let Some(rest) = comment.trim().strip_prefix("aussi:") {
                also(&mut flow, &names, rest)?;
            }
        } else if let Some(rest) = line.strip_prefix("subgraph ") {
            let (id, label) =
                rest.split_once('[').map_or((rest, rest), |(id, l)| (id, l.trim_end_matches(']')));
            names.push(id.trim().to_owned());
            flow.groups.push(Group { label: unquote(label).to_owned(), members: Vec::new() });
            open = Some(flow.groups.len() - 1);
        } else if *line == "end" {
            open = None;
        } else if !line.starts_with("direction") {
            let touched = chain(&mut flow, line)?;
            if let Some(group) = open {
                for node in touched {
                    if !flow.groups[group].members.contains(&node) {
                        flow.groups[group].members.push(node);
                    }
                }
            }
        }
    }
    if flow.nodes.is_empty() { Err("schéma : aucun nœud".to_owned()) } else { Ok(flow) }
}

fn also(flow: &mut Flow, names: &[String], rest: &str) -> Result<(), String> {
    let mut words = rest.split_whitespace();
    let group = words.next().and_then(|g| names.iter().position(|n| n == g));
    let group = group.ok_or_else(|| format!("schéma : groupe inconnu dans « aussi:{rest} »"))?;
    for word in words {
        let node = flow.nodes.iter().position(|n| n.id == word);
        flow.groups[group].members.push(node.ok_or_else(|| format!("schéma : nœud inconnu « {word} »"))?);
    }
    Ok(())
}

/// `A[x] -->|texte| B --> C`
fn chain(flow: &mut Flow, line: &str) -> Result<Vec<usize>, String> {
    let (first, mut rest) = node(flow, line)?;
    let mut touched = vec![first];
    let mut from = first;
    while !rest.trim().is_empty() {
        let text = rest.trim_start();
        let both = text.starts_with('<');
        let text = text.trim_start_matches('<');
        let found = ARROWS.iter().find(|a| text.starts_with(a.0));
        let &(mark, dashed, head, hidden) =
            found.ok_or_else(|| format!("schéma : flèche inconnue dans « {text} »"))?;
        let mut after = text[mark.len()..].trim_start();
        let mut label = "";
        if let Some(told) = after.strip_prefix('|') {
            let (inside, next) =
                told.split_once('|').ok_or_else(|| format!("schéma : « | » seul dans « {line} »"))?;
            label = unquote(inside.trim());
            after = next;
        }
        let (to, next) = node(flow, after)?;
        let stroke = Stroke { dashed, head, both, hidden };
        flow.edges.push(Edge { from, to, stroke, label: label.to_owned() });
        touched.push(to);
        from = to;
        rest = next;
    }
    Ok(touched)
}

/// One node at the start of `text`; returns its index and what follows.
fn node<'a>(flow: &mut Flow, text: &'a str) -> Result<(usize, &'a str), String> {
    let text = text.trim_start();
    let width = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    if width == 0 {
        return Err(format!("schéma : nœud attendu dans « {text} »"));
    }
    let (id, rest) = text.split_at(width);
    let shapes = [
        ("[(", ")]", Shape::Store),
        ("([", "])", Shape::Round),
        ("[", "]", Shape::Box),
        ("(", ")", Shape::Round),
        ("{", "}", Shape::Choice),
    ];
    let mut label = None;
    let mut after = rest;
    for (open, close, shape) in shapes {
        if let Some(inside) = rest.strip_prefix(open) {
            let end =
                inside.find(close).ok_or_else(|| format!("schéma : « {close} » manque dans « {text} »"))?;
            label = Some((unquote(&inside[..end]).to_owned(), shape));
            after = &inside[end + close.len()..];
            break;
        }
    }
    let index = flow.nodes.iter().position(|n| n.id == id).unwrap_or_else(|| {
        flow.nodes.push(Node { id: id.to_owned(), label: vec![id.to_owned()], shape: Shape::Box });
        flow.nodes.len() - 1
    });
    if let Some((label, shape)) = label {
        flow.nodes[index].label = label.split("<br>").map(|l| l.trim().to_owned()).collect();
        flow.nodes[index].shape = shape;
    }
    Ok((index, after))
}

fn unquote(text: &str) -> &str {
    text.trim().trim_matches('"')
}
