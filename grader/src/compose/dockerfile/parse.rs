//! Lines, continuations, here-documents and options exactly as BuildKit reads them: what is seen
//! here and what is built must not be two different files.

/// An instruction with its continuation lines joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::compose) struct Instruction {
    /// First line, from 1.
    pub line: usize,
    /// Upper case.
    pub name: String,
    /// `--option=value` before the arguments, quotes undone.
    pub flags: Vec<String>,
    /// The arguments as written.
    pub rest: String,
    /// `true` under `ONBUILD`.
    pub onbuild: bool,
}

/// What a Dockerfile says.
#[derive(Clone, Debug, Default)]
pub(in crate::compose) struct Dockerfile {
    /// `# syntax=` lines before the first instruction: value and line.
    pub syntax: Vec<(String, usize)>,
    /// As BuildKit takes them.
    pub instructions: Vec<Instruction>,
    /// The same, the bodies of here-documents taken for instructions too: nothing that BuildKit
    /// takes for an instruction is missing, whatever it takes for a here-document.
    pub every: Vec<Instruction>,
    /// A line that versions of BuildKit, or we, could read in different ways.
    pub odd: Option<usize>,
}

/// Splits a Dockerfile into instructions.
pub(in crate::compose) fn parse(text: &str) -> Dockerfile {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let mut file = Dockerfile { instructions: read(&lines, true), ..Dockerfile::default() };
    file.every = read(&lines, false);
    let first = file.every.first().map_or(lines.len(), |i| i.line - 1);
    head(&lines[..first], &mut file);
    let control = |line: &&str| line.chars().any(|c| c.is_control() && c != '\t');
    let form = lines.get(first).is_some_and(|l| {
        let start = l.trim_start();
        start.starts_with("//") || start.starts_with('{')
    });
    let here = file.every.iter().find(|i| may_here(&i.name) && strange_here(&i.rest)).map(|i| i.line);
    file.odd = file
        .odd
        .or_else(|| lines.iter().position(control).map(|n| n + 1))
        .or(form.then_some(first + 1))
        .or(here);
    file
}

/// Comments before the first instruction: the front end, and another escape character.
fn head(lines: &[&str], file: &mut Dockerfile) {
    let mut directives = true;
    for (index, line) in lines.iter().enumerate() {
        let pair = line.trim().strip_prefix('#').and_then(|comment| comment.split_once('='));
        let Some((key, value)) = pair else {
            directives = false;
            continue;
        };
        match key.trim().to_ascii_lowercase().as_str() {
            // Further down than BuildKit looks, to be sure.
            "syntax" => file.syntax.push((value.trim().to_owned(), index + 1)),
            "escape" if directives && value.trim() != "\\" => file.odd = Some(index + 1),
            key if !key.chars().all(|c| c.is_ascii_alphanumeric()) => directives = false,
            _ => {}
        }
    }
}

fn read(lines: &[&str], documents: bool) -> Vec<Instruction> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let first = at + 1;
        let line = lines[at].trim_start();
        at += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (mut joined, mut goes_on) = continued(line);
        while goes_on && at < lines.len() {
            let next = lines[at];
            at += 1;
            // Comments and empty lines inside a continued instruction are skipped.
            if next.trim_start().is_empty() || next.trim_start().starts_with('#') {
                continue;
            }
            let (piece, more) = continued(next);
            joined.push_str(&piece);
            goes_on = more;
        }
        push(&mut all, first, &joined, false);
        if documents && all.last().is_some_and(|i| may_here(&i.name)) {
            for (end, tabs) in here_documents(&joined) {
                let closes = |line: &&str| (if tabs { line.trim_start_matches('\t') } else { line }) == end;
                at = lines[at..].iter().position(closes).map_or(lines.len(), |n| at + n + 1);
            }
        }
    }
    all
}

/// The line without the backslash that continues it; two of them continue nothing.
fn continued(line: &str) -> (String, bool) {
    let bare = line.trim_end_matches([' ', '\t']);
    match bare.strip_suffix('\\') {
        Some(head) if !head.ends_with('\\') => (head.to_owned(), true),
        _ => (line.to_owned(), false),
    }
}

fn push(all: &mut Vec<Instruction>, line: usize, text: &str, onbuild: bool) {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (flags, rest) = options(rest);
    let name = name.to_ascii_uppercase();
    if name == "ONBUILD" && !rest.is_empty() {
        return push(all, line, rest, true);
    }
    all.push(Instruction { line, name, flags, rest: rest.to_owned(), onbuild });
}

/// `--option=value` words at the start, with their quotes and backslashes undone, and what follows.
fn options(line: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = line.trim();
    while rest.starts_with("--") {
        let mut word = String::new();
        let mut quote = None;
        let mut chars = rest.char_indices();
        let mut end = rest.len();
        while let Some((index, c)) = chars.next() {
            match (c, quote) {
                (c, None) if c.is_whitespace() => {
                    end = index;
                    break;
                }
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                ('\\', _) => word.extend(chars.next().map(|(_, next)| next)),
                (c, _) => word.push(c),
            }
        }
        rest = rest[end..].trim_start();
        if word == "--" {
            break;
        }
        flags.push(word);
    }
    (flags, rest.trim())
}

fn may_here(name: &str) -> bool {
    matches!(name, "RUN" | "COPY" | "ADD")
}

/// Ends of the here-documents that a line opens, and whether tabs before the end are left out.
fn here_documents(line: &str) -> Vec<(String, bool)> {
    raw_words(line)
        .iter()
        .filter_map(|word| {
            let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
            let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |r| (true, r));
            (!rest.is_empty() && !rest.contains('<')).then(|| (rest.replace(['"', '\''], ""), tabs))
        })
        .collect()
}

/// Words between spaces that are not within quotes, quotes kept.
fn raw_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => {
                words.push(String::new());
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', q) if q != Some('\'') => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                    word.extend(chars.next());
                }
                continue;
            }
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// True for a here-document whose end is more than a plain word: where it ends could be read in
/// two ways, and so could what follows.
fn strange_here(text: &str) -> bool {
    text.match_indices("<<").any(|(at, _)| {
        let before = text[..at].trim_end_matches(|c: char| c.is_ascii_digit());
        // After a space, or as the default value of a variable.
        if !before.is_empty() && !before.ends_with(|c: char| c.is_whitespace() || "-+=?".contains(c)) {
            return false;
        }
        let rest = &text[at + 2..];
        if rest.starts_with('<') {
            return false;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let word = rest[..end].strip_prefix('-').unwrap_or(&rest[..end]);
        if word.is_empty() {
            return false;
        }
        let inner = match word.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                word[1..].strip_suffix(quote).filter(|i| !i.contains(['"', '\''])).unwrap_or("")
            }
            _ if word.contains(['"', '\'']) => "",
            _ => word,
        };
        !inner.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') || inner.contains('\\')
    })
}

/// Words as a shell would take them, quotes and backslashes undone.
pub(in crate::compose) fn words(line: &str) -> Vec<String> {
    raw_words(line).iter().map(|word| word.replace(['"', '\'', '\\'], "")).collect()
}

/// Arguments of an instruction that has a JSON form and one of words.
pub(in crate::compose) fn arguments(rest: &str) -> Vec<String> {
    let json = rest.starts_with('[').then(|| serde_json::from_str::<Vec<String>>(rest).ok()).flatten();
    json.unwrap_or_else(|| words(rest))
}

/// Members of the comma-separated value of `--mount`, keys in lower case; `None` when quotes are
/// left in it.
pub(in crate::compose) fn mount(value: &str) -> Option<Vec<(String, String)>> {
    let member = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (key.trim().to_ascii_lowercase(), value.to_owned())
    };
    (!value.contains(['"', '\n', '\r'])).then(|| value.split(',').map(member).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(usize, String)> {
        parse(text).instructions.into_iter().map(|i| (i.line, i.name)).collect()
    }

    fn one(text: &str) -> Instruction {
        parse(text).instructions.remove(0)
    }

    #[test]
    fn continuations_are_joined_as_buildkit_does() {
        assert_eq!(names("AD\\\nD x y\n"), [(1, "ADD".to_owned())]);
        assert_eq!(
            names("RUN a \\\\\nADD x y\nRUN b \\ \t\n\n # c\nADD z t\n"),
            [(1, "RUN".into()), (2, "ADD".into()), (3, "RUN".into())]
        );
        assert_eq!(one("RUN a \\\n  # no\n\n  b\n").rest, "a   b");
        assert_eq!(one("\u{feff}  run \\\r\n a\r\n").rest, "a");
    }

    #[test]
    fn here_documents_end_where_they_end() {
        let text = "RUN <<A cat <<-'B' > x\nADD 1\nA\nADD 2\n\tB\nADD 3\n";
        assert_eq!(names(text), [(1, "RUN".into()), (6, "ADD".into())]);
        assert_eq!(parse(text).every.len(), 6);
        for text in
            ["RUN echo a<<EOF\nADD x y\n", "RUN echo \"a <<EOF b\"\nADD x y\n", "RUN a <<<b\nADD x y\n"]
        {
            assert_eq!(names(text).len(), 2, "{text}");
            assert_eq!(parse(text).odd, None, "{text}");
        }
    }

    #[test]
    fn what_could_be_read_twice_is_odd() {
        let odd = |text: &str| parse(text).odd;
        assert_eq!(odd("# escape=`\nFROM a\n"), Some(1));
        assert_eq!(odd("# escape=\\\nFROM a\n"), None);
        assert_eq!(odd("# hello\n# escape=`\nFROM a\n"), None);
        assert_eq!(odd("FROM a\nRUN <<\"A\\\\\"\n"), Some(2));
        assert_eq!(odd("FROM a\nRUN <<'#'\n"), Some(2));
        assert_eq!(odd("FROM a\nRUN cat <<\" \"\n"), Some(2));
        assert_eq!(odd("FROM a\nRUN ${X:-<<#}\n"), Some(2));
        assert_eq!(odd("FROM a\nRUN echo $((1 << 2)) $((1<<2)) && cat << EOF\n"), None);
        assert_eq!(odd("FROM a\rADD b c\n"), Some(1));
        assert_eq!(odd("FROM a\r\nRUN b\r\n"), None);
        assert_eq!(odd("// syntax=x\nFROM a\n"), Some(1));
        assert_eq!(odd("{\"syntax\": \"x\"}"), Some(1));
    }

    #[test]
    fn options_lose_their_quotes() {
        let run = one("RUN --sec\"urity\"=insecure --net\\work=host '--mount=type=bind,from=x y' ls --x\n");
        assert_eq!(run.flags, ["--security=insecure", "--network=host"]);
        assert_eq!(run.rest, "'--mount=type=bind,from=x y' ls --x");
        let onbuild = one("ONBUILD --a COPY --from=x a b\n");
        assert_eq!((onbuild.name.as_str(), onbuild.onbuild), ("COPY", true));
        assert_eq!(onbuild.flags, ["--from=x"]);
    }

    #[test]
    fn every_front_end_line_is_seen() {
        let file = parse("#syntax = evil/x\n# note\n# Syntax=docker/dockerfile:1\nFROM a\n# syntax=b\n");
        assert_eq!(file.syntax, [("evil/x".to_owned(), 1), ("docker/dockerfile:1".to_owned(), 3)]);
    }

    #[test]
    fn arguments_in_both_forms() {
        assert_eq!(arguments("[\"http:\\/\\/x\", \"/a\"]"), ["http://x", "/a"]);
        assert_eq!(arguments("ht\"tp:/\"/x 'a b' c\\:d"), ["http://x", "a b", "c:d"]);
    }
}
