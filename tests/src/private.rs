//! An engine of the test's own, in networks of its own: it can be stopped, hung and overloaded without
//! anybody else noticing. Linux, root.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for it to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with nothing but the images that it was given.
pub struct Private {
    dir: tempfile::TempDir,
    daemon: Option<Child>,
}

impl Private {
    /// Starts it; `None` where that cannot be done (no root, no `unshare`, no daemon).
    pub fn start(images: &[&str]) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            return None;
        }
        let dir = tempfile::tempdir().ok()?;
        let mut private = Self { dir, daemon: None };
        private.wake()?;
        let load = format!("docker save {} | docker -H {} load", images.join(" "), private.host());
        let loaded = Command::new("sh").args(["-c", &load]).stdout(Stdio::null()).status();
        loaded.is_ok_and(|status| status.success()).then_some(private)
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("docker.sock").display())
    }

    /// A folder that goes with it.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// What the docker client says of it.
    pub fn docker(&self, args: &[&str]) -> String {
        let host = self.host();
        crate::docker(&[&["-H", &host], args].concat())
    }

    /// Runs a program in the daemon's networks, as one of the machine would, and gives what it says.
    pub fn machine(&self, program: &[&str]) -> String {
        let Some(pid) = self.pid() else { return String::new() };
        let output = Command::new("nsenter").args(["-t", &pid.to_string(), "-n"]).args(program).output();
        output.map_or_else(|e| e.to_string(), |o| String::from_utf8_lossy(&o.stdout).into_owned())
    }

    /// Process id of the daemon.
    pub fn pid(&self) -> Option<i32> {
        std::fs::read_to_string(self.dir.path().join("pid")).ok()?.trim().parse().ok()
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for the end of a daemon that was told to stop, and starts another; `None` when it does
    /// not answer.
    pub fn wake(&mut self) -> Option<()> {
        self.wait();
        let dir = self.dir.path().display().to_string();
        // No name server, and an answer at once that there is none; no way out, but a route.
        let script = format!(
            "ip link set lo up; ip link add tp0 type dummy; ip addr add 198.51.100.2/24 dev tp0; \
             ip link set tp0 up; ip route add default dev tp0; mkdir -p {dir}/data; \
             echo nameserver 127.0.0.53 > {dir}/resolv.conf; \
             mount --bind {dir}/resolv.conf /etc/resolv.conf; \
             exec dockerd --data-root {dir}/data --exec-root {dir}/exec --pidfile {dir}/pid \
             -H unix://{dir}/docker.sock --cgroup-parent /tp-private --log-level error"
        );
        let log = std::fs::File::create(self.dir.path().join("log")).ok()?;
        let daemon = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .ok()?;
        self.daemon = Some(daemon);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self
                .docker(&["version", "--format", "{{.Server.Version}}"])
                .trim()
                .starts_with(|c: char| c.is_ascii_digit())
            {
                return Some(());
            }
        }
        None
    }

    fn wait(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.wait();
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        for id in self.docker(&["ps", "-aq"]).lines() {
            let _ = self.docker(&["rm", "-f", id]);
        }
        self.signal(Signal::TERM);
        self.wait();
    }
}
