//! What every page must have: one title, a language, texts for what is drawn, nothing left to replace.

use super::super::html::{Token, tokens};
use super::{Finding, Page};

/// Words of mdBook's own interface: seen in a page, they are not translated.
const ENGLISH: &[&str] = &[
    "Previous chapter",
    "Next chapter",
    "Table of contents",
    "Print this book",
    "Change theme",
    "Search this book",
    "Keyboard shortcuts",
    "Copy to clipboard",
    "Document not found",
    "Page not found",
];

/// What is missing in a page, or should not be there.
pub fn check(page: &Page) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut tell = |what: String| found.push(Finding::new(&page.file, what));
    let (mut titles, mut code, mut level) = (0, 0_usize, 0_u8);
    let mut in_main = false;
    let mut drawing: Option<bool> = None;
    for token in tokens(&page.html) {
        match token {
            Token::Open(tag) => {
                match tag.name {
                    "main" => in_main = true,
                    "pre" | "code" => code += 1,
                    "svg" if tag.attr("role").as_deref() == Some("img") => drawing = Some(false),
                    "title" if drawing.is_some() => drawing = Some(true),
                    "img" if tag.attr("alt").is_none() => {
                        tell("une image n'a pas de texte de remplacement".into());
                    }
                    "html" if tag.attr("lang").as_deref() != Some("fr") => {
                        tell("la langue de la page n'est pas « fr »".into());
                    }
                    _ => {}
                }
                if in_main && let Some(now) = heading(tag.name) {
                    titles += u32::from(now == 1);
                    if now > level + 1 && page.file != "print.html" {
                        tell(format!("un titre de niveau {now} suit un titre de niveau {level}"));
                    }
                    level = now;
                }
            }
            Token::Close("pre" | "code", _) => code = code.saturating_sub(1),
            Token::Close("svg", _) => {
                if drawing == Some(false) {
                    tell("un schéma n'a pas de titre".into());
                }
                drawing = None;
            }
            Token::Close("main", _) => in_main = false,
            Token::Text(text) if code == 0 && (text.contains("{{") || text.contains("[!")) => {
                tell(format!("il reste « {} » dans le texte", text.trim()));
            }
            _ => {}
        }
    }
    if titles != 1 && page.file != "print.html" {
        tell(format!("{titles} titres de niveau 1"));
    }
    for word in ENGLISH.iter().filter(|w| page.html.contains(**w)) {
        tell(format!("« {word} » n'est pas traduit"));
    }
    found
}

fn heading(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', digit @ b'1'..=b'6'] => Some(digit - b'0'),
        _ => None,
    }
}
