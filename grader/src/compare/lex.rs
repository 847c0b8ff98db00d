//! Tokens of any text: comments and spaces left out, and in programs the names that their author chose.

use super::File;
use super::print::{Token, hash};
use super::yaml;

/// Words of the languages that students write, kept as they are.
const WORDS: [&str; 52] = [
    "and", "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "def", "default",
    "defer", "del", "elif", "else", "except", "export", "extends", "false", "finally", "fn", "for", "from",
    "func", "function", "if", "impl", "import", "in", "let", "match", "new", "none", "not", "null", "or",
    "package", "pass", "raise", "return", "static", "struct", "switch", "this", "throw", "true", "try",
    "use", "var", "while", "yield",
];

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Language {
    /// What begins a comment that ends with its line.
    line: &'static [&'static str],
    /// `/* … */`
    blocks: bool,
    /// Names are the author's: any of them is the same token.
    names: bool,
}

impl Language {
    fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        let (line, blocks, names): (&'static [&'static str], bool, bool) =
            match name.rsplit_once('.').map_or("", |(_, end)| end) {
                "py" | "rb" => (&["#"], false, true),
                "js" | "mjs" | "cjs" | "ts" | "tsx" | "jsx" | "go" | "java" | "rs" | "c" | "h" | "cpp"
                | "cs" => (&["//"], true, true),
                "php" => (&["//", "#"], true, true),
                "sql" => (&["--"], true, false),
                "css" => (&[], true, false),
                "html" | "htm" => (&[], false, false),
                _ => (&["#"], false, false),
            };
        Self { line, blocks, names }
    }
}

/// The tokens of a file.
pub(super) fn tokens(file: &File) -> Vec<Token> {
    let path = file.path.to_lowercase();
    let tree = [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end));
    let tokens = tree.then(|| yaml::tokens(&file.text)).flatten();
    tokens.unwrap_or_else(|| lex(&file.text, Language::of(&path), 1))
}

/// Words of a text that stands in another file, from this line on.
pub(super) fn words(text: &str, line: usize) -> Vec<Token> {
    lex(text, Language { line: &["#"], blocks: false, names: false }, line)
}

fn lex(text: &str, language: Language, first: usize) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line, mut out) = (0, first, Vec::new());
    let mut after_dot = false;
    let begins = |at: usize, mark: &str| mark.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while let Some(&c) = chars.get(at) {
        let spaced = at == 0 || chars[at - 1].is_whitespace();
        let is_comment = language.line.iter().any(|mark| begins(at, mark) && (spaced || *mark == "//"));
        if c == '\n' {
            line += 1;
            at += 1;
        } else if c.is_whitespace() || c == '\\' {
            at += 1;
        } else if is_comment {
            at += chars[at..].iter().take_while(|c| **c != '\n').count();
        } else if language.blocks && begins(at, "/*") {
            at += 2;
            while at < chars.len() && !begins(at, "*/") {
                line += usize::from(chars[at] == '\n');
                at += 1;
            }
            at += 2;
        } else if c.is_alphanumeric() || c == '_' {
            let inside = |c: &&char| {
                c.is_alphanumeric()
                    || **c == '_'
                    || (!language.names && matches!(**c, '-' | '.' | '/' | ':' | '='))
            };
            let word: String = chars[at..].iter().take_while(inside).collect();
            at += word.chars().count();
            let chosen = language.names && c.is_alphabetic() || c == '_';
            let lower = word.to_lowercase();
            let kept = !chosen || after_dot || !language.names || WORDS.contains(&lower.as_str());
            out.push(Token { hash: hash(if kept { lower.as_bytes() } else { b"\0name" }), line });
            after_dot = false;
            continue;
        } else if language.names && matches!(c, '"' | '\'' | '`') {
            let end = |c: char| c == chars[at] || (c == '\n' && chars[at] != '`');
            let mut to = at + 1;
            while to < chars.len() && !end(chars[to]) {
                to += if chars[to] == '\\' { 2 } else { 1 };
            }
            let to = to.min(chars.len());
            let said: String = chars[at + 1..to].iter().collect();
            out.push(Token { hash: hash(format!("\0text {said}").as_bytes()), line });
            line += said.matches('\n').count();
            at = if chars.get(to) == Some(&'\n') { to } else { to + 1 };
        } else {
            // Outside of programs, marks say how a text is laid out more than what it says.
            if language.names {
                out.push(Token { hash: hash(c.to_string().as_bytes()), line });
            }
            at += 1;
        }
        after_dot = c == '.';
    }
    out
}
