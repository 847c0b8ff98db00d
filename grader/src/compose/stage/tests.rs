use super::*;

#[test]
fn only_links_that_stay_inside_are_kept() {
    let inside = |link: &str, target: &str| stays_inside(Path::new(link), Path::new(target));
    assert!(inside("a", "b"));
    assert!(inside("d/a", "../b/c"));
    assert!(inside("node_modules/.bin/x", "../x/cli.js"));
    assert!(!inside("a", "/etc"));
    assert!(!inside("a", "../b"));
    assert!(!inside("d/a", "../../b"));
    assert!(!inside("d/a", "x/../../../b"));
    assert!(!inside("d/a", "x/../b"));
}
