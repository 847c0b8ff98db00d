//! Stand-ins for the few files of the machine that cAdvisor reads, made for the containers of the run alone:
//!
//! - `image/overlay2/layerdb/mounts/<id>/mount-id` and empty folders for the layer and the logs, without which it does
//!   not take a container for one of Docker's: in `docker`, and in `rootfs/var/lib/docker` where it looks when it has
//!   the machine's root;
//! - `rootfs/proc/<pid>/net/dev`, where it reads what a container's interfaces counted. The numbers are the engine's;
//! - `rootfs/proc/cpuinfo`, which is the same in every container.

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
        let proc = root.join("rootfs/proc");
        let _ = fs::create_dir_all(&proc);
        for name in ["cpuinfo", "sys/kernel/random/boot_id"] {
            let to = proc.join(name);
            let text = fs::read_to_string(Path::new("/proc").join(name)).unwrap_or_default();
            let _ = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| replace(&to, &text));
        }
        Self { root }
    }

    /// Makes those of one container, as the engine says it.
    pub(super) async fn add(&self, run: &Run, seen: &Value) {
        let Some(id) = seen["Id"].as_str().filter(|id| is_id(id)) else { return };
        for files in ["docker", "rootfs/var/lib/docker"] {
            let files = self.root.join(files);
            let mount = files.join("image/overlay2/layerdb/mounts").join(id);
            let _ = fs::create_dir_all(files.join("containers").join(id))
                .and_then(|()| fs::create_dir_all(files.join("overlay2").join(id).join("diff")))
                .and_then(|()| fs::create_dir_all(&mount))
                .and_then(|()| replace(&mount.join("mount-id"), id));
        }
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
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.bytes().all(|byte| byte.is_ascii_digit()) && !alive.contains(&name) {
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
    const HEAD: &str = "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls \
         carrier compressed\n";
    let lines = stats["networks"].as_object().into_iter().flatten().map(|(name, counts)| {
        let way = |way: &str| {
            let one = |what| counts[format!("{way}_{what}")].as_u64().unwrap_or(0).to_string();
            format!("{} 0 0 0 0", ["bytes", "packets", "errors", "dropped"].map(one).join(" "))
        };
        format!("{name:>6}: {} {}\n", way("rx"), way("tx"))
    });
    std::iter::once(HEAD.to_owned()).chain(lines).collect()
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
