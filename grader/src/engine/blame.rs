//! Whose fault it is when Compose or Buildx stops: the project's, the machine's, or nobody can tell.

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// What the student wrote fails, and would fail again.
    Project,
    /// The disk, the daemon, the network.
    Machine,
    /// Worth another try: a fault of the machine rarely comes twice.
    Unclear,
}

/// Signs of the machine, in what any tool says. Lower case.
const MACHINE: [&str; 18] = [
    "no space left on device",
    "cannot connect to the docker daemon",
    "error during connect",
    "input/output error",
    "i/o timeout",
    "unexpected eof",
    "connection reset by peer",
    "broken pipe",
    "too many open files",
    "cannot allocate memory",
    "resource temporarily unavailable",
    "non-overlapping ipv4 address pool",
    "pool overlaps",
    "deadline exceeded",
    "iptables failed",
    "read-only file system",
    "internal server error",
    // Names are ours: only a leftover of an interrupted start bears one.
    "is already in use by container",
];

/// Signs of the machine in the log of a build. The first ones are those of package managers.
const BUILD_MACHINE: [&str; 13] = [
    "temporary failure in name resolution",
    "eai_again",
    "enotfound",
    "etimedout",
    "econnrefused",
    "econnreset",
    "self-signed certificate in certificate chain",
    "self_signed_cert_in_chain",
    "unable_to_get_issuer_cert_locally",
    "code = unavailable",
    "code = canceled",
    "error reading from server",
    // The offline images' own « apk »: the official one may well have it.
    "aucun paquet de debian ne porte ce nom (image hors ligne",
];

/// Signs of the project in what Compose says at the start.
const START_PROJECT: [&str; 8] = [
    "dependency failed to start",
    "didn't complete successfully",
    "executable file not found",
    "is unhealthy",
    "address already in use",
    "no configured subnet",
    "unable to find user",
    "are you trying to mount",
];

/// Signs of the project in the log of a build.
const BUILD_PROJECT: [&str; 5] = [
    "did not complete successfully",
    "dockerfile parse error",
    "failed to compute cache key",
    "failed to read dockerfile",
    "failed to resolve source metadata",
];

/// Of a start that Compose gave up.
pub(super) fn of_start(text: &str) -> Blame {
    blame(text, &START_PROJECT, &[])
}

/// Of a build that failed.
pub(super) fn of_build(log: &str) -> Blame {
    let lower = log.to_lowercase();
    // A program of the build that cannot reach its packages is the machine's too.
    if BUILD_MACHINE.iter().any(|sign| lower.contains(sign)) {
        return Blame::Machine;
    }
    blame(
        log,
        &BUILD_PROJECT,
        &["no space left on device", "i/o timeout", "cannot connect to the docker daemon"],
    )
}

/// `first` are signs of the machine that count before those of the project.
fn blame(text: &str, project: &[&str], first: &[&str]) -> Blame {
    let lower = text.to_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if says(first) {
        Blame::Machine
    } else if says(project) {
        Blame::Project
    } else if says(&MACHINE) || lower.trim_end().ends_with(": eof") {
        Blame::Machine
    } else {
        Blame::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts() {
        let of = of_start;
        assert_eq!(of("dependency failed to start: container x-db-1 is unhealthy"), Blame::Project);
        assert_eq!(of("exec: \"srv\": executable file not found in $PATH"), Blame::Project);
        assert_eq!(of("Error response from daemon: write /var/lib/x: input/output error"), Blame::Machine);
        assert_eq!(of("error during connect: Get \"http://%2F\": EOF"), Blame::Machine);
        assert_eq!(of("Post \"http://x/containers/create\": EOF\n"), Blame::Machine);
        assert_eq!(of("Error response from daemon: something new"), Blame::Unclear);
    }

    #[test]
    fn builds() {
        let of = of_build;
        let run = "process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 1";
        assert_eq!(of(run), Blame::Project);
        assert_eq!(of(&format!("npm error code EAI_AGAIN\n{run}")), Blame::Machine);
        assert_eq!(of(&format!("tar: write error: No space left on device\n{run}")), Blame::Machine);
        // A program of the student's may say this of a server of its own.
        assert_eq!(of(&format!("connection reset by peer\n{run}")), Blame::Project);
        assert_eq!(of("rpc error: code = Unavailable desc = error reading from server: EOF"), Blame::Machine);
        assert_eq!(of("ERROR: something new"), Blame::Unclear);
    }
}
