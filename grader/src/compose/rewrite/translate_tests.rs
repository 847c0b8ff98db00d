use std::collections::BTreeMap;

use super::*;

fn moves() -> Moves {
    let mut moves = Moves::default();
    let net = |text: &str| text.parse::<IpNet>().expect("net");
    moves.add(net("172.29.0.0/24"), net("198.18.5.0/24"), &BTreeMap::new());
    moves.add(net("10.1.0.0/28"), net("198.18.6.0/28"), &BTreeMap::new());
    moves.add(net("fd00:1::/64"), net("fd12:3::/64"), &BTreeMap::new());
    moves
}

fn t(old: &str) -> String {
    text(old, &moves()).unwrap_or_else(|| "same".to_owned())
}

#[test]
fn only_whole_addresses_move() {
    assert_eq!(t("http://172.29.0.1:80/x"), "http://198.18.5.1:80/x");
    assert_eq!(t("172.29.0.0/24, 172.29.0.1."), "198.18.5.0/24, 198.18.5.1.");
    assert_eq!(
        t("172.29.0.256 1172.29.0.1 172.29.0.1.example 172.29.0.0/240 172.29.0.1.5 v172.29.0.1"),
        "same"
    );
    assert_eq!(t("é172.29.0.1"), "é198.18.5.1");
    assert_eq!(t("http://172.29.0.9/24"), "http://198.18.5.9/24");
    assert_eq!(t("tcp://u@172.29.0.9:1"), "tcp://u@198.18.5.9:1");
    assert_eq!(t("172.29.0.9/24"), "198.18.5.9/24");
    assert_eq!(t("172.29.0.64/28 172.29.0.3/32"), "198.18.5.64/28 198.18.5.3/32");
    assert_eq!(t("[fd00:1::5]:80 fd00:1::/64"), "[fd12:3::5]:80 fd12:3::/64");
    assert_eq!(t("12:30:45 ::1 1.2.3 1.2.3.4.5"), "same");
    assert_eq!(text("10.0.0.1", &Moves::default()), None);
}

#[test]
fn a_range_around_a_subnet_gets_it_beside_in_comma_lists() {
    assert_eq!(t("172.16.0.0/12"), "172.16.0.0/12,198.18.5.0/24");
    assert_eq!(t("127.0.0.1/32, 172.16.0.0/12"), "127.0.0.1/32, 172.16.0.0/12,198.18.5.0/24");
    assert_eq!(t("172.16.0.0/12,10.0.0.0/8"), "172.16.0.0/12,198.18.5.0/24,10.0.0.0/8,198.18.6.0/28");
    assert_eq!(t("--trusted=172.16.0.0/12"), "--trusted=172.16.0.0/12,198.18.5.0/24");
    assert_eq!(t("172.16.0.0/12 192.168.0.0/16"), "172.16.0.0/12 198.18.5.0/24 192.168.0.0/16");
    assert_eq!(t("A=127.0.0.1/8;172.16.0.0/12"), "A=127.0.0.1/8;172.16.0.0/12;198.18.5.0/24");
    assert_eq!(t("172.16.0.0/12;127.0.0.1/8"), "172.16.0.0/12;198.18.5.0/24;127.0.0.1/8");
    assert_eq!(t("0.0.0.0/0"), "same");
    assert_eq!(t("192.168.0.0/16"), "same");
}

#[test]
fn flow_lists_and_arrays() {
    assert_eq!(t("r: [172.16.0.0/12, 1.1.1.1/32]"), "r: [172.16.0.0/12, 198.18.5.0/24, 1.1.1.1/32]");
    assert_eq!(t("r: [\"172.16.0.0/12\"]"), "r: [\"172.16.0.0/12\", \"198.18.5.0/24\"]");
    assert_eq!(t("r: ['1.1.1.1', '172.16.0.0/12']"), "r: ['1.1.1.1', '172.16.0.0/12', '198.18.5.0/24']");
    assert_eq!(
        t("sourceRange = [\n  \"127.0.0.1/32\",\n  \"172.16.0.0/12\"\n]\n"),
        "sourceRange = [\n  \"127.0.0.1/32\",\n  \"172.16.0.0/12\", \"198.18.5.0/24\"\n]\n"
    );
    assert_eq!(t("{\"r\":[\"172.29.0.0/16\"]}"), "{\"r\":[\"172.29.0.0/16\", \"198.18.5.0/24\"]}");
    assert_eq!(t("r: \"172.16.0.0/12\""), "r: \"172.16.0.0/12,198.18.5.0/24\"");
    assert_eq!(t("r: \"127.0.0.1,172.16.0.0/12\""), "r: \"127.0.0.1,172.16.0.0/12,198.18.5.0/24\"");
}

#[test]
fn block_lists() {
    assert_eq!(
        t("sourceRange:\n  - 127.0.0.1/32\n  - 172.16.0.0/12 # Docker\n  - 10.1.0.0/28\n"),
        "sourceRange:\n  - 127.0.0.1/32\n  - 172.16.0.0/12\n  - 198.18.5.0/24 # Docker\n  - 198.18.6.0/28\n"
    );
    assert_eq!(
        t("a:\n    -   \"172.16.0.0/12\"\nb: 1\n"),
        "a:\n    -   \"172.16.0.0/12\"\n    -   \"198.18.5.0/24\"\nb: 1\n"
    );
    assert_eq!(t("  - --x=172.16.0.0/12"), "  - --x=172.16.0.0/12,198.18.5.0/24");
}

#[test]
fn statements() {
    assert_eq!(
        t("location / {\n    allow 172.16.0.0/12;\n    deny all;\n}\n"),
        "location / {\n    allow 172.16.0.0/12;\n    allow 198.18.5.0/24;\n    deny all;\n}\n"
    );
    assert_eq!(
        t("{ allow 172.16.0.0/12; deny all; }"),
        "{ allow 172.16.0.0/12;\nallow 198.18.5.0/24; deny all; }"
    );
    assert_eq!(
        t("geo $x {\n  default 0;\n  172.16.0.0/12 1;\n}"),
        "geo $x {\n  default 0;\n  172.16.0.0/12 1;\n  198.18.5.0/24 1;\n}"
    );
    assert_eq!(
        t("host all all 172.16.0.0/12 scram-sha-256\nhost all all 172.29.0.0/24 md5\n"),
        "host all all 172.16.0.0/12 scram-sha-256\nhost all all 198.18.5.0/24 scram-sha-256\nhost all all 198.18.5.0/24 md5\n"
    );
}
