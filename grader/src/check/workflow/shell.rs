//! How the shell of a step treats a command that fails.
//! Source: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell>.

use super::Node;

/// What a shell does of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shell {
    /// A command that fails ends the script (`-e`).
    pub stops: bool,
    /// A pipe fails with any of its commands (`-o pipefail`).
    pub pipefail: bool,
}

impl Default for Shell {
    /// Where no shell is asked for: `bash -e {0}`.
    fn default() -> Self {
        Self { stops: true, pipefail: false }
    }
}

impl Shell {
    /// The shell of this name, or of this command.
    pub fn named(name: &str) -> Self {
        let mut words = name.split_whitespace();
        match (words.next(), words.next()) {
            (Some("bash"), None) => Self { stops: true, pipefail: true },
            (Some("bash" | "sh"), Some(_)) => {
                let mut shell = Self { stops: false, pipefail: false };
                shell.flags(name);
                shell
            }
            _ => Self::default(),
        }
    }

    /// The one that a workflow or a job gives to all its steps.
    pub fn of_all(node: &Node) -> Option<Self> {
        let run = node.get("defaults")?.get("run")?;
        run.get("shell").and_then(Node::text).map(Self::named)
    }

    /// Changes by a command `set`.
    pub fn told(&mut self, command: &str) {
        if command.starts_with("set ") {
            self.flags(command);
        }
    }

    fn flags(&mut self, text: &str) {
        for word in text.split_whitespace() {
            let on = match word.as_bytes() {
                [b'-', second, ..] if *second != b'-' => true,
                [b'+', ..] => false,
                _ => continue,
            };
            if word.contains('e') {
                self.stops = on;
            }
            if word.ends_with('o') && text.contains(&format!("{word} pipefail")) {
                self.pipefail = on;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells() {
        let of = |name| Shell::named(name);
        assert_eq!(of("bash"), Shell { stops: true, pipefail: true });
        assert_eq!(of("sh"), Shell::default());
        assert_eq!(of("bash {0}"), Shell { stops: false, pipefail: false });
        assert_eq!(of("bash --noprofile -eo pipefail {0}"), Shell { stops: true, pipefail: true });
        let mut shell = Shell::default();
        shell.told("set +e");
        assert!(!shell.stops);
        shell.told("set -euo pipefail");
        assert_eq!(shell, Shell { stops: true, pipefail: true });
        shell.told("set -x");
        assert_eq!(shell, Shell { stops: true, pipefail: true });
    }
}
