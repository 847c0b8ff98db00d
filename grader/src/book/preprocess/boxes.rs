//! Boxes: « Piège », « Question », « Défi », « Note »… from Markdown that reads well without us.
//!
//! A quotation that opens with a bold word of [`KINDS`] (`> **⚠️ Piège — titre.**`), a GitHub alert
//! (`> [!WARNING]`) or a paragraph that opens with a sign (`❓ **…**`) becomes a box. The box of a question
//! or of a challenge goes on to the `</details>` of its answer.

use super::text::{Fence, inline};

/// Word of the source, class, word shown, sign.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("Piège", "piege", "Piège", "⚠"),
    ("Question", "question", "Question", "?"),
    ("Défi", "defi", "Défi", "◎"),
    ("Note", "note", "Note", "i"),
    ("À voir", "voir", "À voir", "▸"),
    ("Astuce", "note", "Astuce", "i"),
    ("Important", "piege", "Important", "!"),
    ("Attention", "piege", "Attention", "⚠"),
];

const ALERTS: &[(&str, &str)] = &[
    ("NOTE", "Note"),
    ("TIP", "Astuce"),
    ("IMPORTANT", "Important"),
    ("WARNING", "Piège"),
    ("CAUTION", "Attention"),
];

const SIGNS: &[(char, &str)] = &[('❓', "Question"), ('🎯', "Défi"), ('💡', "Note"), ('⚠', "Piège")];

struct Opening {
    kind: usize,
    title: String,
    rest: String,
}

/// Text with its boxes marked as HTML.
pub fn mark(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len() + 1024);
    let mut fence = Fence::default();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if !line.starts_with('>') && fence.see(line) {
            push(&mut out, line);
            at += 1;
            continue;
        }
        let quoted = line.starts_with('>');
        let fresh = at == 0 || lines[at - 1].trim().is_empty();
        let end = block_end(&lines, at, quoted);
        let body: Vec<&str> = lines[at..end].iter().map(|l| if quoted { unquote(l) } else { l }).collect();
        match opening(&body, quoted).filter(|_| fresh) {
            Some((opening, skip)) => {
                let end_of_answer = answer_end(&lines, end, opening.kind);
                open(&mut out, &opening);
                if !opening.rest.is_empty() {
                    push(&mut out, &opening.rest);
                }
                body[skip..].iter().for_each(|l| experiment(&mut out, l));
                lines[end..end_of_answer].iter().for_each(|l| push(&mut out, l));
                out.push_str("\n</div>\n\n");
                at = end_of_answer;
            }
            None if quoted => {
                lines[at..end].iter().for_each(|l| push(&mut out, l));
                at = end;
            }
            None => {
                push(&mut out, line);
                at += 1;
            }
        }
    }
    out
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// How to see it, in a paragraph of its own.
fn experiment(out: &mut String, line: &str) {
    for lead in ["Pour le voir", "Pour le vérifier"] {
        if let Some(rest) = line.strip_prefix(lead) {
            out.push_str(&format!("\n**{lead}**{rest}\n"));
            return;
        }
    }
    push(out, line);
}

fn open(out: &mut String, opening: &Opening) {
    let (_, class, word, sign) = KINDS[opening.kind];
    let title =
        if opening.title.is_empty() { String::new() } else { format!(" : {}", inline(&opening.title)) };
    out.push_str(&format!(
        "\n<div class=\"boite boite-{class}\" role=\"group\" aria-label=\"{word}\"><p class=\"boite-titre\">\
         <span class=\"boite-signe\" aria-hidden=\"true\">{sign}</span> {word}{title}</p>\n\n"
    ));
}

/// End of a quotation, or of a paragraph.
fn block_end(lines: &[&str], from: usize, quoted: bool) -> usize {
    let goes_on =
        |l: &&str| if quoted { l.starts_with('>') } else { !l.trim().is_empty() && !l.starts_with("```") };
    from + lines[from..].iter().take_while(|l| goes_on(l)).count()
}

fn unquote(line: &str) -> &str {
    let inside = line.strip_prefix('>').unwrap_or(line);
    inside.strip_prefix(' ').unwrap_or(inside)
}

/// What the first lines of a block open, and how many of them that takes.
fn opening(body: &[&str], quoted: bool) -> Option<(Opening, usize)> {
    let first = body.first()?.trim_end();
    if quoted && let Some(name) = first.strip_prefix("[!").and_then(|f| f.strip_suffix(']')) {
        let word = ALERTS.iter().find(|(alert, _)| alert.eq_ignore_ascii_case(name))?.1;
        // A bold word on the next line is more precise than the alert.
        if let Some((precise, skip)) = body.get(1).and_then(|_| opening(&body[1..], true)) {
            return Some((precise, skip + 1));
        }
        return Some((Opening { kind: kind(word)?, title: String::new(), rest: String::new() }, 1));
    }
    if !quoted {
        let (sign, word) = SIGNS.iter().find(|(sign, _)| first.starts_with(*sign))?;
        let text = first[sign.len_utf8()..].trim_start_matches(['\u{fe0f}', ' ']);
        return Some(bold(text, body).unwrap_or_else(|| {
            let rest = text.to_owned();
            (Opening { kind: kind(word).unwrap_or(0), title: String::new(), rest }, 1)
        }));
    }
    bold(first, body)
}

/// `**⚠️ Piège — un titre.** suite`: the bold may go on over the next lines.
fn bold(first: &str, body: &[&str]) -> Option<(Opening, usize)> {
    let mut head = first.strip_prefix("**")?.to_owned();
    let mut taken = 1;
    while !head.contains("**") {
        head.push(' ');
        head.push_str(body.get(taken)?.trim());
        taken += 1;
    }
    let (lead, rest) = head.split_once("**")?;
    let lead = lead.trim_start_matches(|c: char| !c.is_alphabetic());
    let (at, word) = KINDS.iter().enumerate().find_map(|(at, k)| lead.strip_prefix(k.0).map(|w| (at, w)))?;
    let title = word.trim_start_matches([' ', '\u{a0}', '\u{202f}']);
    let title = match title.chars().next() {
        None | Some('.' | ':' | '—' | '–' | '·') => title.trim_start_matches(['.', ':', '—', '–', '·']),
        _ => return None,
    };
    let title = title.trim().trim_end_matches(['.', ':']).trim();
    Some((
        Opening { kind: at, title: title.to_owned(), rest: rest.trim_start_matches([':', ' ']).to_owned() },
        taken,
    ))
}

fn kind(word: &str) -> Option<usize> {
    KINDS.iter().position(|k| k.0 == word)
}

/// Where the answer of a question or a challenge ends, else `from`.
fn answer_end(lines: &[&str], from: usize, kind: usize) -> usize {
    if !matches!(KINDS[kind].1, "question" | "defi") {
        return from;
    }
    let mut fence = Fence::default();
    let mut in_answer = false;
    for (at, line) in lines.iter().enumerate().skip(from) {
        if fence.see(line) {
            continue;
        }
        let stops =
            line.starts_with('#') || line.starts_with('>') || SIGNS.iter().any(|(s, _)| line.starts_with(*s));
        if !in_answer && stops {
            return from;
        }
        in_answer |= line.trim_start().starts_with("<details");
        if in_answer && line.trim() == "</details>" {
            return at + 1;
        }
    }
    from
}
