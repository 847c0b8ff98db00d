use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn made(root: &Path, active: Value) -> ComposeModel {
    ComposeModel {
        root: root.to_owned(),
        left_out: Vec::new(),
        source: SourceMap::default(),
        environment: BTreeMap::new(),
        project: "etu".into(),
        all: active.clone(),
        active,
        alone: None,
        profiles: BTreeMap::new(),
        dotenv: None,
        notices: Vec::new(),
    }
}

/// Services that share a network, by pairs.
fn peers(file: &Value) -> BTreeSet<(String, String)> {
    let services = file["services"].as_object().cloned().unwrap_or_default();
    let nets = |s: &Value| -> BTreeSet<String> {
        s["networks"].as_object().map(|n| n.keys().cloned().collect()).unwrap_or_default()
    };
    let mut out = BTreeSet::new();
    for (a, x) in &services {
        for (b, y) in &services {
            if a != b && !nets(x).is_disjoint(&nets(y)) {
                out.insert((a.clone(), b.clone()));
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any key outside of the allow-lists is refused.
    #[test]
    fn unknown_keys_are_refused(key in "[a-z][a-z_]{2,14}", family in 0..4usize) {
        prop_assume!(!key.starts_with("x-") && !super::super::policy::service_keys().contains(&key.as_str()));
        let known = ["name", "driver", "ipam", "external", "internal", "attachable", "labels", "file", "content", "environment"];
        prop_assume!(!known.contains(&key.as_str()));
        let dir = tempfile::tempdir().expect("folder");
        let mut tree = json!({"services": {"a": {"image": "x"}}, "networks": {"n": {}}, "volumes": {"v": {}}, "secrets": {"s": {}}});
        let at = [["services", "a"], ["networks", "n"], ["volumes", "v"], ["secrets", "s"]][family];
        tree[at[0]][at[1]][&key] = json!("x");
        let refused = approve(made(dir.path(), tree)).expect_err("refused");
        prop_assert_eq!(refused[0].rule.as_str(), "unknown-key");
    }

    /// Any bind outside of the copy is refused, any inside is not.
    #[test]
    fn binds_outside_are_refused(parts in prop::collection::vec("(\\.\\.|[a-c]{1,2})", 1..6)) {
        let dir = tempfile::tempdir().expect("folder");
        let root = dir.path().canonicalize().expect("folder").join("copie");
        std::fs::create_dir(&root).expect("folder");
        let source = root.join(parts.join("/"));
        let mut level = 0i32;
        let mut lowest = 0i32;
        for part in &parts {
            level += if part == ".." { -1 } else { 1 };
            lowest = lowest.min(level);
        }
        let tree = json!({"services": {"a": {"image": "x", "volumes": [
            {"type": "bind", "source": source.to_string_lossy(), "target": "/d"}]}}});
        let verdict = approve(made(&root, tree));
        if level < 0 {
            prop_assert!(verdict.is_err());
        } else if lowest >= 0 {
            prop_assert!(verdict.is_ok(), "{:?}", verdict.err());
        }
    }

    /// Peers stay peers, and fixed addresses stay distinct and inside their subnet.
    #[test]
    fn a_rewrite_keeps_the_network_graph_and_the_addresses(
        links in prop::collection::vec(prop::collection::btree_set(0..4usize, 0..4), 1..6),
        hosts in prop::collection::btree_set(2u16..4000, 6),
        prefix in 16u8..21,
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let mut services = serde_json::Map::new();
        let mut address = hosts.iter();
        for (index, on) in links.iter().enumerate() {
            let mut networks = serde_json::Map::new();
            for net in on {
                let link = match (*net, address.next()) {
                    (0, Some(host)) => json!({"ipv4_address": format!("172.28.{}.{}", host >> 8, host & 255)}),
                    _ => Value::Null,
                };
                networks.insert(format!("n{net}"), link);
            }
            services.insert(format!("s{index}"), json!({"image": "x", "networks": networks}));
        }
        let mut networks = serde_json::Map::new();
        networks.insert("n0".into(), json!({"name": "etu_n0", "ipam": {"config": [{"subnet": format!("172.28.0.0/{prefix}")}]}}));
        for net in 1..4 {
            networks.insert(format!("n{net}"), json!({"name": format!("etu_n{net}"), "ipam": {}}));
        }
        let tree = json!({"name": "etu", "services": services, "networks": networks});
        let before = peers(&tree);
        let approved = approve(made(dir.path(), tree)).expect("approved");
        let sandboxed = sandbox(&approved, &plan());
        prop_assert_eq!(peers(sandboxed.file()), before);
        let subnet = sandboxed.networks()["n0"].subnet.expect("subnet");
        let mut seen = BTreeSet::new();
        for service in sandboxed.file()["services"].as_object().expect("services").values() {
            if let Some(ip) = service["networks"]["n0"]["ipv4_address"].as_str() {
                let ip: std::net::Ipv4Addr = ip.parse().expect("address");
                prop_assert!(subnet.contains(&ip) && ip != subnet.network() && ip != subnet.broadcast());
                prop_assert!(seen.insert(ip), "{} given twice", ip);
            }
        }
    }
}

/// Nothing that the policy lets through is lost by the rewrite without being said.
#[test]
fn relay_is_not_used_when_a_namespace_is_shared() {
    let dir = tempfile::tempdir().expect("folder");
    let tree = json!({"services": {
        "postgres": {"image": "x", "networks": {"default": null}},
        "voisin": {"image": "x", "network_mode": "service:postgres"}},
        "networks": {"default": {"name": "etu_default"}}});
    let approved = approve(made(dir.path(), tree)).expect("approved");
    let relay = Some(Relay { service: "postgres".into(), image: "i".into(), shift_years: 1 });
    let sandboxed = sandbox(&approved, &Plan { relay, ..plan() });
    assert_eq!(sandboxed.relay(), None);
    assert!(sandboxed.file()["networks"].get("tp_relay").is_none());
}
