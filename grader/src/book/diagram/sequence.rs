//! `sequenceDiagram`: participants, messages, notes and simple blocks (`alt`, `else`, `opt`, `loop`, `end`).

use super::svg::{self, Drawing, LINE};

const TOP: f64 = 12.0;
const HEAD: f64 = 36.0;
const STEP: f64 = 46.0;
const MARGIN: f64 = 14.0;

enum Line {
    Message { from: usize, to: usize, dashed: bool, lost: bool, text: String },
    Note { first: usize, last: usize, text: String },
    Block { word: &'static str, text: String },
    Else { text: String },
    End,
}

/// Draws the lines after `sequenceDiagram`.
pub fn draw(source: &[&str]) -> Result<Drawing, String> {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut lines = Vec::new();
    for line in source.iter().filter(|l| !l.starts_with("%%")) {
        if let Some(rest) = line.strip_prefix("participant ").or_else(|| line.strip_prefix("actor ")) {
            let (id, label) = rest.split_once(" as ").unwrap_or((rest, rest));
            names.push((id.trim().to_owned(), label.trim().to_owned()));
        } else {
            lines.push(parse(line, &mut names)?);
        }
    }
    if names.is_empty() {
        return Err("schéma : aucun participant".to_owned());
    }
    Ok(paint(&columns(&names, &lines), &names, &lines))
}

fn who(name: &str, names: &mut Vec<(String, String)>) -> usize {
    let name = name.trim();
    names.iter().position(|(id, _)| id == name).unwrap_or_else(|| {
        names.push((name.to_owned(), name.to_owned()));
        names.len() - 1
    })
}

fn parse(line: &str, names: &mut Vec<(String, String)>) -> Result<Line, String> {
    let word = line.split_whitespace().next().unwrap_or_default();
    let after = line[word.len()..].trim();
    match word {
        "end" => return Ok(Line::End),
        "else" => return Ok(Line::Else { text: after.to_owned() }),
        "alt" => return Ok(Line::Block { word: "si", text: after.to_owned() }),
        "opt" => return Ok(Line::Block { word: "parfois", text: after.to_owned() }),
        "loop" => return Ok(Line::Block { word: "boucle", text: after.to_owned() }),
        _ => {}
    }
    if let Some(rest) = line.strip_prefix("Note over ") {
        let (over, text) =
            rest.split_once(':').ok_or_else(|| format!("schéma : « : » manque dans « {line} »"))?;
        let mut ends: Vec<usize> = over.split(',').map(|n| who(n, names)).collect();
        ends.sort_unstable();
        let (first, last) = (ends[0], ends[ends.len() - 1]);
        return Ok(Line::Note { first, last, text: text.trim().to_owned() });
    }
    let arrows = [("-->>", true, false), ("->>", false, false), ("--x", true, true), ("-x", false, true)];
    for (mark, dashed, lost) in arrows {
        if let Some((from, rest)) = line.split_once(mark) {
            let (to, text) =
                rest.split_once(':').ok_or_else(|| format!("schéma : « : » manque dans « {line} »"))?;
            let (from, to) = (who(from, names), who(to, names));
            return Ok(Line::Message { from, to, dashed, lost, text: text.trim().to_owned() });
        }
    }
    Err(format!("schéma : « {line} » n'est pas compris"))
}

/// Middle of each participant's column: wide enough for what is written between two of them.
fn columns(names: &[(String, String)], lines: &[Line]) -> Vec<f64> {
    let width = |at: usize| svg::text_width(&names[at].1) + 24.0;
    let mut middles = vec![MARGIN + width(0) / 2.0];
    for at in 1..names.len() {
        let mut room = width(at - 1) / 2.0 + width(at) / 2.0 + 28.0;
        for line in lines {
            if let Line::Message { from, to, text, .. } = line {
                let (low, high) = (*from.min(to), *from.max(to));
                if high == at && low < at {
                    let taken = middles[at - 1] - middles[low];
                    room = room.max(svg::text_width(text) + 40.0 - taken);
                }
            }
        }
        middles.push(middles[at - 1] + room);
    }
    middles
}

fn paint(middles: &[f64], names: &[(String, String)], lines: &[Line]) -> Drawing {
    let last = middles.len() - 1;
    let reach = lines
        .iter()
        .map(|l| match l {
            Line::Note { first, last, text } => {
                f64::midpoint(middles[*first], middles[*last]) + svg::text_width(text) / 2.0 + 14.0
            }
            Line::Message { from, to, text, .. } if from == to => {
                middles[*from] + svg::text_width(text) + 52.0
            }
            _ => 0.0,
        })
        .fold(middles[last] + svg::text_width(&names[last].1) / 2.0 + 12.0, f64::max);
    let width = reach + MARGIN;
    let mut y = TOP + HEAD + 20.0;
    let mut body = String::new();
    let mut open: Vec<(f64, String)> = Vec::new();
    for line in lines {
        match line {
            Line::Message { from, to, dashed, lost, text } => {
                y += LINE;
                body.push_str(&message(middles[*from], middles[*to], y, (*dashed, *lost), text));
                y += STEP - LINE;
            }
            Line::Note { first, last, text } => {
                let middle = f64::midpoint(middles[*first], middles[*last]);
                let w = (svg::text_width(text) + 24.0).max(middles[*last] - middles[*first] + 60.0);
                body.push_str(&format!(
                    "<rect class=\"dg-note\" x=\"{:.0}\" y=\"{:.0}\" width=\"{w:.0}\" height=\"30\" rx=\"4\"/>",
                    middle - w / 2.0,
                    y - 4.0
                ));
                body.push_str(&svg::label(middle, y + 11.0, std::slice::from_ref(text), "dg-texte"));
                y += STEP;
            }
            Line::Block { word, text } => {
                open.push((y - 6.0, format!("{word} : {text}")));
                y += 34.0;
            }
            Line::Else { text } => {
                body.push_str(&format!("<path class=\"dg-cadre\" d=\"M4 {y:.0}H{:.0}\"/>", width - 4.0));
                body.push_str(&caption(y, &format!("sinon : {text}")));
                y += 34.0;
            }
            Line::End => {
                if let Some((top, text)) = open.pop() {
                    let h = y - top;
                    body.push_str(&format!(
                        "<rect class=\"dg-cadre\" x=\"4\" y=\"{top:.0}\" width=\"{:.0}\" height=\"{h:.0}\" rx=\"6\"/>",
                        width - 8.0
                    ));
                    body.push_str(&caption(top, &text));
                    y += 14.0;
                }
            }
        }
    }
    let mut heads = String::new();
    for (middle, (_, label)) in middles.iter().zip(names) {
        heads.push_str(&format!("<path class=\"dg-vie\" d=\"M{middle:.0} {:.0}V{y:.0}\"/>", TOP + HEAD));
        let w = svg::text_width(label) + 24.0;
        heads.push_str(&format!(
            "<rect class=\"dg-noeud\" x=\"{:.0}\" y=\"{TOP:.0}\" width=\"{w:.0}\" height=\"{HEAD:.0}\" rx=\"5\"/>",
            middle - w / 2.0
        ));
        heads.push_str(&svg::label(*middle, TOP + HEAD / 2.0, std::slice::from_ref(label), "dg-texte"));
    }
    Drawing { width, height: y + MARGIN, body: heads + &body }
}

fn caption(y: f64, text: &str) -> String {
    let text = crate::book::preprocess::escape(text);
    format!("<text class=\"dg-nom\" x=\"14\" y=\"{:.0}\" text-anchor=\"start\">{text}</text>", y + 18.0)
}

fn message(x1: f64, x2: f64, y: f64, (dashed, lost): (bool, bool), text: &str) -> String {
    let class = if dashed { "dg-trait dg-tirets" } else { "dg-trait" };
    if (x1 - x2).abs() < 1.0 {
        let path = format!("<path class=\"{class}\" d=\"M{x1:.0} {y:.0}h34v18h-30\"/>");
        let text = crate::book::preprocess::escape(text);
        let word = format!(
            "<text class=\"dg-mot\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"start\">{text}</text>",
            x1 + 42.0,
            y + 13.0
        );
        return format!("{path}{}{word}", svg::head(x1 + 3.0, y + 18.0, -1.0, 0.0));
    }
    let sign = (x2 - x1).signum();
    let end = if lost { x2 - sign * 26.0 } else { x2 - sign * 3.0 };
    let path = format!("<path class=\"{class}\" d=\"M{x1:.0} {y:.0}H{end:.0}\"/>");
    let tip = if lost { svg::cross(end, y) } else { svg::head(end, y, sign, 0.0) };
    let label = svg::label(f64::midpoint(x1, x2), y - 12.0, &[text.to_owned()], "dg-mot");
    format!("{path}{tip}{label}")
}
