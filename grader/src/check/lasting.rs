//! Commands that end by themselves: `sleep 15` keeps a container alive for fifteen seconds.

use std::time::Duration;

/// When the main process of a container ends by itself, from its start; `None` when nothing says so.
pub fn ends_after(command: &[String]) -> Option<Duration> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        // A shell replaces itself by the only command of its script.
        [shell, "-c", script] if matches!(name(shell), "sh" | "ash" | "bash") => {
            let inner: Vec<&str> = script.split_whitespace().collect();
            of(inner.strip_prefix(["exec"].as_slice()).unwrap_or(&inner))
        }
        words => of(words),
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn of(words: &[&str]) -> Option<Duration> {
    match words {
        [program, lengths @ ..] if name(program) == "sleep" && !lengths.is_empty() => {
            lengths.iter().map(|text| length(text)).sum()
        }
        [program, limit, _, ..] if name(program) == "timeout" => length(limit),
        _ => None,
    }
}

/// `15`, `1.5m`; nothing for `infinity`.
fn length(text: &str) -> Option<Duration> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3_600.0),
        (at, 'd') => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = number.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(seconds * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(words: &[&str]) -> Option<u64> {
        let command: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        ends_after(&command).map(|d| d.as_secs())
    }

    #[test]
    fn what_ends_by_itself() {
        assert_eq!(after(&["sleep", "15"]), Some(15));
        assert_eq!(after(&["/bin/sleep", "1m", "30s"]), Some(90));
        assert_eq!(after(&["sh", "-c", "sleep 4"]), Some(4));
        assert_eq!(after(&["/bin/sh", "-c", "exec sleep 0.5h"]), Some(1_800));
        assert_eq!(after(&["timeout", "20", "tail", "-f", "/dev/null"]), Some(20));
    }

    #[test]
    fn what_lasts_or_does_not_tell() {
        for words in [
            &["sleep", "infinity"][..],
            &["sleep", "inf"],
            &["sleep"],
            &["tail", "-f", "/dev/null"],
            &["sh", "-c", "while true; do sleep 5; done"],
            &["sh", "-c", "sleep 5; nginx"],
            &["sh", "-c", "sleep 5 && tail -f /dev/null"],
            &["/docker-entrypoint.sh", "sleep", "5"],
            &[],
        ] {
            assert_eq!(after(words), None, "{words:?}");
        }
    }
}
