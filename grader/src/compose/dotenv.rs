//! The student's `.env`, read by ourselves: it may steer Compose through `COMPOSE_FILE` and
//! the like, and must only ever give values to `${…}`.

use std::collections::BTreeMap;

/// What `.env` says.
#[derive(Clone, Debug, Default)]
pub(super) struct DotEnv {
    /// The file without the variables that steer Compose or Docker.
    pub filtered: String,
    /// Variables left, as far as they are plain.
    pub values: BTreeMap<String, String>,
    /// The variables that steer Compose or Docker.
    pub steering: BTreeMap<String, String>,
    /// Others of them, hidden behind another variable on the same line.
    pub hidden: Vec<String>,
    /// Some line can be read in more than one way: no value is certain.
    pub unsure: bool,
}

/// Names that Compose or the Docker client obey. Other `DOCKER_…` names belong to the student
/// (`DOCKER_USER`, `DOCKER_IMAGE`…) and only serve in `${…}`.
fn steers(name: &str) -> bool {
    const PREFIXES: [&str; 16] = [
        "COMPOSE_",
        "BUILDKIT_",
        "BUILDX_",
        "GIT_",
        "LD_",
        "SSH_",
        "XDG_",
        "OTEL_",
        "DOCKER_TLS",
        "DOCKER_CONTENT_TRUST",
        "DOCKER_CLI",
        "DOCKER_AUTH",
        "DOCKER_HIDE",
        "DOCKER_CUSTOM_HEADERS",
        "DOCKER_ENABLE",
        "DOCKER_STACK",
    ];
    const NAMES: [&str; 13] = [
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DOCKER_CERT_PATH",
        "DOCKER_API_VERSION",
        "DOCKER_BUILDKIT",
        "DOCKER_DEFAULT_PLATFORM",
        "PATH",
        "HOME",
        "GODEBUG",
        "GOMEMLIMIT",
        "GOGC",
        "GOMAXPROCS",
    ];
    let name = name.to_ascii_uppercase();
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|p| name.starts_with(p))
}

/// Reads the text of a `.env`.
pub(super) fn read(text: &str) -> DotEnv {
    let mut env = DotEnv::default();
    for line in super::source::lines(text) {
        match assignment(&line) {
            Some((name, value)) if steers(name) => {
                env.steering.insert(name.to_owned(), value);
                continue;
            }
            Some((name, value)) => {
                let hidden = steering_within(&line);
                if !hidden.is_empty() {
                    env.hidden.extend(hidden);
                    continue;
                }
                env.values.insert(name.to_owned(), value);
            }
            None => {}
        }
        env.unsure |= !is_sure(&line);
        env.filtered.push_str(&line);
        env.filtered.push('\n');
    }
    env
}

/// Names further on a line that steer: Compose reads a second assignment after a closing quote.
fn steering_within(line: &str) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(['=', ':'])
        .filter_map(|(at, _)| {
            let head = line[..at].trim_end();
            let name = &head[head.rfind(|c| !word(c)).map_or(0, |i| i + 1)..];
            steers(name).then(|| name.to_owned())
        })
        .collect()
}

/// True for a comment, and for one assignment whose value is plain or within one pair of quotes.
fn is_sure(line: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return true;
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let Some((name, value)) = line.split_once('=') else { return false };
    let name = name.trim_end();
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !value.contains(['"', '\'', '\\', '#', '$', '\t', '\r'])
}

/// `NAME=value`, `export NAME=value` or `NAME: value`, quotes and trailing comment removed.
fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.trim_start();
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
    let line = exported.map_or(line, str::trim_start);
    let end = line.find(['=', ':']).unwrap_or(line.len());
    let name = line[..end].trim_end();
    if name.is_empty() || name.contains(|c: char| c == '#' || c.is_whitespace()) {
        return None;
    }
    let raw = line.get(end + 1..).unwrap_or("").trim();
    let quoted = |quote: char| {
        let inner = raw.strip_prefix(quote)?;
        Some(inner[..inner.find(quote)?].to_owned())
    };
    let value = quoted('"')
        .or_else(|| quoted('\''))
        .unwrap_or_else(|| raw.split_once(" #").map_or(raw, |(value, _)| value).trim_end().to_owned());
    Some((name, value))
}

/// Interpolates a path of the Compose file: `$A`, `${A}`, `${A:-x}`, `${A-x}` and `$$`.
/// `None` for anything richer, which cannot be checked beforehand.
pub(super) fn interpolate(text: &str, env: &DotEnv) -> Option<String> {
    let values = &env.values;
    if env.unsure && text.contains('$') {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(braced) = rest.strip_prefix('{') {
            let (inside, after) = braced.split_once('}')?;
            out.push_str(&braced_value(inside, values)?);
            rest = after;
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            out.push_str(&plain(values.get(&rest[..end]))?);
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Some(out)
}

fn braced_value(inside: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
    let (name, operator) = inside.split_at(end);
    let value = plain(values.get(name))?;
    if operator.is_empty() {
        return Some(value);
    }
    let default = operator.strip_prefix(":-").or_else(|| operator.strip_prefix('-'))?;
    if default.contains('$') {
        return None;
    }
    let unset = values.get(name).is_none() || (operator.starts_with(':') && value.is_empty());
    Some(if unset { default.to_owned() } else { value })
}

/// A value that `.env` itself does not interpolate.
fn plain(value: Option<&String>) -> Option<String> {
    match value {
        None => Some(String::new()),
        Some(value) if value.contains(['$', '\\', '"', '\'']) => None,
        Some(value) => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steering_names_are_taken_out_and_the_rest_stays_as_written() {
        let env = read(
            "# a comment\r\nexport COMPOSE_FILE=/etc/passwd\nDOCKER_USER=moi\nDOCKER_HOST: tcp://x\nA=\"b c\" # d\n",
        );
        assert_eq!(env.filtered, "# a comment\nDOCKER_USER=moi\nA=\"b c\" # d\n");
        assert_eq!(env.values["A"], "b c");
        assert_eq!(env.steering["COMPOSE_FILE"], "/etc/passwd");
        assert_eq!(env.steering["DOCKER_HOST"], "tcp://x");
    }

    #[test]
    fn paths_are_interpolated_or_given_up() {
        let env = read("A=b\n# c\nexport D='e f'\n");
        assert_eq!(interpolate("x/$A/${A}/${Z:-c}$$", &env).as_deref(), Some("x/b/b/c$"));
        assert_eq!(interpolate("${Z:-${A}}", &env), None);
        assert_eq!(interpolate("${A:+/etc}", &env), None);
        for line in ["A=\"b\" A=/etc", "A=b\t#c", "A='b", "A: b", "A=\"b\\\"c\"", "A"] {
            let env = read(line);
            assert_eq!(interpolate("$A", &env), None, "{line}");
            assert_eq!(interpolate("a", &env).as_deref(), Some("a"), "{line}");
        }
    }

    #[test]
    fn a_second_assignment_on_a_line_does_not_steer() {
        let env = read("B=\"b\" COMPOSE_FILE=/etc/passwd\nexport\tCOMPOSE_PROFILES=x\nC=d\n");
        assert_eq!(env.filtered, "C=d\n");
        assert_eq!(env.hidden, ["COMPOSE_FILE"]);
        assert_eq!(env.steering["COMPOSE_PROFILES"], "x");
    }
}
