//! Names of images: those that only this machine knows are not for submissions.

use std::collections::{BTreeMap, BTreeSet};

use crate::compose::dockerfile::{Instruction, words};
use crate::compose::model::BuildPlan;

/// Name spaces of ours on the engine, without the domain and `library/` that mean nothing there.
const OURS: [&str; 2] = ["tp-run-", "tp-docker"];
/// Most values that a name made of variables may have.
const WAYS: usize = 64;
/// Variables that BuildKit gives: they hold plain words.
const PLATFORM: [&str; 8] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
];

/// True for a number, for a registry of this machine, and for the images of other runs.
pub(super) fn is_local(image: &str) -> bool {
    let lower = image.to_ascii_lowercase();
    let name =
        ["docker.io/", "index.docker.io/"].iter().find_map(|p| lower.strip_prefix(p)).unwrap_or(&lower);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let domain = name.split_once('/').map_or("", |(domain, _)| domain);
    let host = domain.strip_prefix('[').map_or_else(
        || domain.split(':').next().unwrap_or_default(),
        |v6| v6.split(']').next().unwrap_or_default(),
    );
    let number = |text: &str| text.len() >= 12 && text.chars().all(|c| c.is_ascii_hexdigit());
    let loops = |host: &str| {
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback() || ip.is_unspecified())
    };
    OURS.iter().any(|ours| name.starts_with(ours))
        || name.starts_with("sha256:")
        || number(name)
        || loops(host)
}

/// Every value that each `ARG` of a Dockerfile may have, wherever it is written.
pub(super) struct Values(BTreeMap<String, BTreeSet<String>>);

impl Values {
    pub(super) fn of(plan: &BuildPlan, instructions: &[Instruction]) -> Self {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for instruction in instructions.iter().filter(|i| i.name == "ARG") {
            for word in words(&instruction.rest) {
                let (name, value) = word.split_once('=').unwrap_or((&word, ""));
                all.entry(name.to_owned()).or_default().insert(value.to_owned());
            }
        }
        for (name, value) in &plan.args {
            all.entry(name.clone()).or_default().extend(value.clone());
        }
        for name in PLATFORM {
            all.entry(name.to_owned()).or_default().insert("linux".to_owned());
        }
        Self(all)
    }

    /// Everything that `text` may become; `None` when that cannot be told.
    pub(super) fn all(&self, text: &str) -> Option<BTreeSet<String>> {
        self.within(text, 4)
    }

    fn within(&self, text: &str, depth: usize) -> Option<BTreeSet<String>> {
        let Some((head, rest)) = text.split_once('$') else { return Some(BTreeSet::from([text.to_owned()])) };
        let less = depth.checked_sub(1)?;
        let (inside, tail) = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
        let (name, operator) = inside.split_at(end);
        let mut values = self.0.get(name).cloned().unwrap_or_else(|| BTreeSet::from([String::new()]));
        let other = [":-", ":+", "-", "+"].iter().find_map(|o| operator.strip_prefix(o));
        match (operator.is_empty(), other) {
            (true, _) => {}
            (false, Some(other)) => values.extend(std::iter::once(other.to_owned())),
            (false, None) => return None,
        }
        let mut all = BTreeSet::new();
        for value in values {
            for middle in self.within(&value, less)? {
                for end in self.within(tail, depth)? {
                    all.insert(format!("{head}{middle}{end}"));
                    if all.len() > WAYS {
                        return None;
                    }
                }
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::dockerfile::parse;

    #[test]
    fn names_that_only_this_machine_knows() {
        for image in [
            "tp-run-0badcafe/s-api:copie",
            "docker.io/library/tp-run-0badcafe/x",
            "TP-Docker-offline/redis:1",
            "localhost/x",
            "localhost:5000/x",
            "127.0.0.1:5000/x:1",
            "[::1]:5000/x",
            "0.0.0.0:5000/x",
            "sha256:0123",
            "0123456789ab",
        ] {
            assert!(is_local(image), "{image}");
        }
        for image in
            ["nginx", "nginx:1.27", "gcr.io/cadvisor/cadvisor", "moi/tp-run", "cafe", "10.0.0.1:5000/x"]
        {
            assert!(!is_local(image), "{image}");
        }
    }

    #[test]
    fn every_value_is_followed() {
        let plan =
            BuildPlan { args: BTreeMap::from([("V".into(), Some("22".into()))]), ..BuildPlan::default() };
        let text = "ARG V=20\nARG W=$V-a\nARG Z\nFROM x\nARG V=21\n";
        let values = Values::of(&plan, &parse(text).every);
        let all = |text: &str| values.all(text).map(|all| all.into_iter().collect::<Vec<_>>().join(" "));
        assert_eq!(all("node:${V}").as_deref(), Some("node:20 node:21 node:22"));
        assert_eq!(all("$W").as_deref(), Some("20-a 21-a 22-a"));
        assert_eq!(all("a${Z:-b}c").as_deref(), Some("abc ac"));
        assert_eq!(all("${Z#b}"), None);
        let loops = Values::of(&plan, &parse("ARG A=$B\nARG B=$A\n").every);
        assert_eq!(loops.all("$A"), None);
    }
}
