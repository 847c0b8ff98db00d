//! Diagrams: a small part of Mermaid's language, drawn here as SVG at build time.
//!
//! The page loads nothing, the drawing follows the light and dark themes through CSS, prints, and is read by
//! screen readers: `accTitle:` and `accDescr:` are required. What the drawing cannot show honestly (a node
//! inside the frame of a group it is not in, an arrow through a node) is an error of the build.

mod flow;
mod layout;
mod sequence;
mod svg;

/// The HTML of a diagram, on one line.
pub fn render(source: &str) -> Result<String, String> {
    let mut title = None;
    let mut text = None;
    let mut lines = Vec::new();
    for line in source.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(rest) = line.strip_prefix("accTitle:") {
            title = Some(rest.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix("accDescr:") {
            text = Some(rest.trim().to_owned());
        } else {
            lines.push(line);
        }
    }
    let (Some(title), Some(text)) = (title, text) else {
        return Err(
            "schéma : il faut « accTitle: » et « accDescr: », lus par les lecteurs d'écran".to_owned()
        );
    };
    let (first, rest) = lines.split_first().ok_or("schéma vide")?;
    let drawing = match first.split_whitespace().next() {
        Some("flowchart" | "graph") => {
            let flow = flow::parse(first, rest)?;
            layout::draw(&flow)?
        }
        Some("sequenceDiagram") => sequence::draw(rest)?,
        _ => return Err(format!("schéma : « {first} » n'est ni « flowchart » ni « sequenceDiagram »")),
    };
    Ok(svg::figure(&drawing, &title, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "accTitle: T\naccDescr: D\n";

    #[test]
    fn a_flowchart_is_one_line_of_html() {
        let html =
            render(&format!("flowchart LR\n{HEAD}A[Un] -->|dit| B[(Deux)]\nsubgraph g[Groupe]\nB\nend"))
                .expect("valid");
        assert!(!html.contains('\n') && html.contains("<title>T</title><desc>D</desc>"), "{html}");
        assert!(html.contains("Groupe") && html.contains("dit"));
    }

    #[test]
    fn a_sequence_is_drawn() {
        let html = render(&format!(
            "sequenceDiagram\n{HEAD}participant a as api\nparticipant r as redis\na->>r: GET\nr-->>a: rien\nNote over a,r: 60 s"
        ))
        .expect("valid");
        assert!(html.contains("GET") && html.contains("60 s"));
    }

    #[test]
    fn a_drawing_that_lies_is_refused() {
        // c is between the two members of g, in the same rank.
        let lie = format!("flowchart LR\n{HEAD}x --> a\nx --> c\nx --> b\nsubgraph g[G]\na\nb\nend");
        assert!(render(&lie).expect_err("c is framed").contains("« c »"));
        assert!(render("flowchart LR\nA --> B").expect_err("no text").contains("accTitle"));
    }
}
