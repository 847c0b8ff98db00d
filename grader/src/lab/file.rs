//! A TOML file that a teacher writes: its format told first, its mistakes with line and column, in French.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a file that a teacher wrote cannot be used. Exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", at.map(|(l, c)| format!(":{l}:{c}")).unwrap_or_default())]
pub struct LabError {
    /// The file, or the folder.
    pub file: String,
    /// Line and column, from 1.
    pub at: Option<(usize, usize)>,
    /// French: what is wrong and what to do.
    pub what: String,
}

/// The header, read before the rest so that a newer format gets a clear answer.
#[derive(Deserialize)]
struct Header {
    format: Option<u32>,
}

/// Reads a file of the version `format`; a key that is not known is a mistake.
pub fn from_toml<T: DeserializeOwned>(file: &str, text: &str, format: u32) -> Result<T, LabError> {
    let wrong = |e: &toml::de::Error| {
        let at = e.span().map(|span| position(text, span.start));
        fail(file, at, french_toml(e.message()))
    };
    let header: Header = toml::from_str(text).map_err(|e| wrong(&e))?;
    match header.format {
        Some(found) if found == format => toml::from_str(text).map_err(|e| wrong(&e)),
        Some(other) => Err(fail(
            file,
            None,
            format!("format {other} inconnu : ce correcteur lit le format {format} ; mettez-le à jour"),
        )),
        None => Err(fail(file, Some((1, 1)), format!("il manque « format = {format} »"))),
    }
}

/// What is wrong with a file, and where.
pub fn fail(file: &str, at: Option<(usize, usize)>, what: impl Into<String>) -> LabError {
    LabError { file: file.to_owned(), at, what: what.into() }
}

/// Line and column (characters), from 1, of a byte offset.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The commonest messages of the TOML parser, in French.
fn french_toml(message: &str) -> String {
    let message = message.trim();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return format!(
            "clé inconnue {}",
            rest.replace(", expected one of", " ; clés possibles :")
                .replace(", expected", " ; clé possible :")
        );
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("il manque la clé {rest}");
    }
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        return format!("type inattendu : {}", rest.replace(", expected ", " au lieu de "));
    }
    message.to_owned()
}
