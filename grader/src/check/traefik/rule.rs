//! Router rules, as far as hosts go. Rules are read to explain what was seen, not to judge their
//! spelling: whoever wants to know whether a rule matches asks.

/// Whether a router with this rule may serve this host: one of its `Host` matchers names it, or it
/// has none at all.
pub fn speaks_of(rule: &str, host: &str) -> bool {
    let calls = calls(rule);
    let about_hosts = |name: &str| {
        ["host", "hostheader", "hostregexp", "hostsni", "hostsniregexp"]
            .contains(&name.to_ascii_lowercase().as_str())
    };
    let mut any = false;
    for call in calls.iter().filter(|c| about_hosts(&c.name) && !c.negated) {
        any = true;
        let regexp = call.name.to_ascii_lowercase().ends_with("regexp");
        if call.arguments.iter().any(|a| if regexp { matches(a, host) } else { same(a, host) }) {
            return true;
        }
    }
    !any
}

fn same(written: &str, host: &str) -> bool {
    written.trim_end_matches('.').eq_ignore_ascii_case(host) || written == "*"
}

/// A host pattern: a regular expression (version 3) or a template of version 2 (`{sub:[a-z]+}.localhost`).
fn matches(written: &str, host: &str) -> bool {
    let template = {
        let mut out = String::from("^");
        let mut rest = written;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(&escape(before));
            let Some((inside, after)) = after.split_once('}') else { break };
            let class = inside.split_once(':').map_or("[^.]+", |(_, class)| class);
            out.push_str(&format!("({class})"));
            rest = after;
        }
        out.push_str(&escape(rest));
        out + "$"
    };
    [written, template.as_str()].iter().any(|text| {
        regex_lite::RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()
            .is_ok_and(|regex| regex.is_match(host))
    })
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('.', "\\.").replace('*', "\\*").replace('+', "\\+")
}

/// `Name(`a`, "b")` in a rule.
#[derive(Debug, PartialEq)]
struct Call {
    name: String,
    arguments: Vec<String>,
    negated: bool,
}

fn calls(rule: &str) -> Vec<Call> {
    let chars: Vec<char> = rule.chars().take(4096).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let begin = at;
        while at < chars.len() && chars[at].is_ascii_alphanumeric() {
            at += 1;
        }
        if chars.get(at) != Some(&'(') {
            continue;
        }
        let name: String = chars[begin..at].iter().collect();
        let negated = chars[..begin].iter().rev().find(|c| !c.is_whitespace()) == Some(&'!');
        let mut arguments = Vec::new();
        at += 1;
        while at < chars.len() && chars[at] != ')' {
            let quote = chars[at];
            at += 1;
            if !matches!(quote, '`' | '"' | '\'') {
                continue;
            }
            let end = chars[at..].iter().position(|c| *c == quote).map_or(chars.len(), |n| at + n);
            arguments.push(chars[at..end].iter().collect());
            at = end + 1;
        }
        found.push(Call { name, arguments, negated });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_of_rules() {
        for (rule, wanted) in [
            ("Host(`api.localhost`)", true),
            ("Host(\"API.localhost\")", true),
            ("Host(`a.localhost`, `api.localhost`) && PathPrefix(`/x`)", true),
            ("Host(`a.localhost`) || Host(`api.localhost`)", true),
            ("HostRegexp(`{sub:[a-z]+}.localhost`)", true),
            ("HostRegexp(`{sub}.localhost`)", true),
            ("HostRegexp(`^(api|www)\\.localhost$`)", true),
            ("PathPrefix(`/`)", true),
            ("!Host(`other.localhost`) && PathPrefix(`/`)", true),
            ("Host(`traefik.localhost`)", false),
            ("Host(`api.localhost.evil`)", false),
            ("HostRegexp(`{sub:[0-9]+}.localhost`)", false),
        ] {
            assert_eq!(speaks_of(rule, "api.localhost"), wanted, "{rule}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(rule in ".{0,120}", host in "[a-z.]{0,20}") {
            let _ = speaks_of(&rule, &host);
        }
    }
}
