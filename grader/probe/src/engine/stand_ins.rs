//! Stand-ins for the few files of the machine that cAdvisor reads, made for the containers of the run alone:
//!
//! - `docker/image/overlay2/layerdb/mounts/<id>/mount-id`, without which it does not take a container for one of
//!   Docker's;
//! - `rootfs/proc/<pid>/net/dev`, where it reads what a container's interfaces counted. The numbers are the engine's.

use super::run::{Run, is_id};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the counters are asked for.
const EVERY: Duration = Duration::from_secs(1);

/// Where the stand-ins are.
pub struct StandIns {
    root: PathBuf,
}

impl StandIns {
    /// Stand-ins in this folder: `docker` and `rootfs`.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        // cAdvisor looks for this folder to know that it is not on the machine itself.
        let _ = fs::create_dir_all(root.join("rootfs/proc"));
        let _ = fs::create_dir_all(root.join("docker/image/overlay2/layerdb/mounts"));
        Self { root }
    }

    /// Makes those of one container, as the engine says it.
    pub(super) async fn add(&self, run: &Run, seen: &Value) {
        let Some(id) = seen["Id"].as_str().filter(|id| is_id(id)) else { return };
        let dir = self.root.join("docker/image/overlay2/layerdb/mounts").join(id);
        let _ = fs::create_dir_all(&dir).and_then(|()| replace(&dir.join("mount-id"), id));
        let pid = seen["State"]["Pid"].as_u64().filter(|pid| *pid > 0);
        if let Some(pid) = pid
            && !self.net_dev(pid).exists()
        {
            self.count(run, id, pid).await;
        }
    }

    fn net_dev(&self, pid: u64) -> PathBuf {
        self.root.join(format!("rootfs/proc/{pid}/net/dev"))
    }

    /// Writes what the interfaces of a container counted.
    async fn count(&self, run: &Run, id: &str, pid: u64) {
        let target = format!("/containers/{id}/stats?stream=false&one-shot=true");
        let Ok(stats) = run.upstream.get(None, &target).await else { return };
        let path = self.net_dev(pid);
        let Some(dir) = path.parent() else { return };
        let _ = fs::create_dir_all(dir).and_then(|()| replace(&path, &net_dev(&stats)));
    }

    /// Follows the containers of the run for ever.
    pub(super) async fn keep_fresh(&self, run: &Run) {
        loop {
            if let Ok(all) = run.all(None).await {
                let running = all.iter().filter(|one| one["State"] == "running");
                let ids: Vec<&str> = running.filter_map(|one| one["Id"].as_str()).filter(|id| is_id(id)).collect();
                let mut pids = BTreeSet::new();
                for id in &ids {
                    let Ok(seen) = run.upstream.get(None, &format!("/containers/{id}/json")).await else { continue };
                    if let Some(pid) = seen["State"]["Pid"].as_u64().filter(|pid| *pid > 0) {
                        pids.insert(pid.to_string());
                        self.count(run, id, pid).await;
                    }
                }
                self.forget(&pids);
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Removes what is left of processes that have ended.
    fn forget(&self, alive: &BTreeSet<String>) {
        for entry in fs::read_dir(self.root.join("rootfs/proc")).into_iter().flatten().flatten() {
            if !alive.contains(&*entry.file_name().to_string_lossy()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Replaces a file at once: a reader never sees half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let early = path.with_extension("early");
    fs::write(&early, text)?;
    fs::rename(early, path)
}

/// `/proc/<pid>/net/dev`, from the engine's statistics.
fn net_dev(stats: &Value) -> String {
    let mut out = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls \
         carrier compressed\n",
    );
    for (name, counts) in stats["networks"].as_object().into_iter().flatten() {
        let get = |key: &str| counts[key].as_u64().unwrap_or(0);
        out.push_str(&format!(
            "{name:>6}: {} {} {} {} 0 0 0 0 {} {} {} {} 0 0 0 0\n",
            get("rx_bytes"),
            get("rx_packets"),
            get("rx_errors"),
            get("rx_dropped"),
            get("tx_bytes"),
            get("tx_packets"),
            get("tx_errors"),
            get("tx_dropped"),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_in_the_kernels_columns() {
        let stats = serde_json::json!({"networks": {"eth0": {"rx_bytes": 1, "rx_packets": 2, "rx_errors": 3,
            "rx_dropped": 4, "tx_bytes": 5, "tx_packets": 6, "tx_errors": 7, "tx_dropped": 8}}});
        let text = net_dev(&stats);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let words: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(words, ["eth0:", "1", "2", "3", "4", "0", "0", "0", "0", "5", "6", "7", "8", "0", "0", "0", "0"]);
        assert_eq!(net_dev(&Value::Null).lines().count(), 2);
    }
}
