//! `docs/PIEGES.md` says which variant traps which error of the source documents: each must exist and say so.

use std::path::Path;

#[derive(serde::Deserialize)]
struct Expect {
    #[serde(default)]
    fail: Vec<String>,
    #[serde(default)]
    exit: Option<i32>,
}

#[test]
fn each_error_of_the_sources_is_a_trap_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let labs: Vec<_> =
        std::fs::read_dir(root.join("labs")).expect("labs").flatten().map(|e| e.path()).collect();
    let text = std::fs::read_to_string(root.join("docs/PIEGES.md")).expect("docs/PIEGES.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|l| l.starts_with("| S0"))
        .map(|l| l.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 25, "{} rows", rows.len());
    for row in rows {
        let [_, _, _, lab, variant, check] = row.as_slice() else { panic!("six cells: {row:?}") };
        let (variant, check) = (variant.trim_matches('`'), check.trim_matches('`'));
        let lab = labs
            .iter()
            .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&format!("{lab}-"))))
            .unwrap_or_else(|| panic!("no lab {lab}"));
        let file = lab.join("variants").join(variant).join("expect.toml");
        let expect = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let expect: Expect = toml::from_str(&expect).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        if check == "refus" {
            assert!(expect.exit.is_some_and(|code| code != 0), "{} is not refused", file.display());
        } else {
            assert!(expect.fail.iter().any(|id| id == check), "{} does not miss {check}", file.display());
        }
    }
}
