use super::*;

#[test]
fn merge_keys_lead_to_the_written_place() {
    let tree = Tree::parse("x-a: &a\n  privileged: true\ns:\n  <<: *a\n  b: 1\n").expect("valid");
    let (_, s) = tree.get(tree.docs[0], "s").expect("s");
    let (key, _) = tree.get(s, "privileged").expect("merged");
    assert_eq!(tree.node(key).line, 2);
    assert_eq!(tree.node(key).column, 2);
}

#[test]
fn an_alias_bomb_is_counted_and_not_expanded() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..25 {
        let previous = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(", "));
        text.push_str(&line);
    }
    let tree = Tree::parse(&text).expect("valid");
    assert_eq!(tree.expanded(), u64::MAX);
}

#[test]
fn a_binary_tag_is_not_read() {
    assert_eq!(Tree::parse("? !!binary aGk=\n: 1\n").map_err(|b| b.cause).err(), Some(Cause::Tag));
    assert!(Tree::parse("a: !reset null\nb: !override [1]\nc: !!str 1\n").is_ok());
}
