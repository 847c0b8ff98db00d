//! What a lab wishes of the copy of a submission, besides being a faithful one.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::dotenv;
use super::source::{decode, lines};
use crate::check::deep::Dotenv;

/// What a lab wishes of the copy.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Files of which the first that is there is laid over the main one, as
    /// `docker compose -f compose.yaml -f …` does.
    pub over: Vec<String>,
    /// The only profile that is active.
    pub profile: Option<String>,
    /// Profiles that are read besides.
    pub profiles: Vec<String>,
    /// A `.env` to write.
    pub dotenv: Option<DotenvWish>,
}

/// A `.env` to write from its example.
#[derive(Clone, Debug, Default)]
pub struct DotenvWish {
    /// Name of the example.
    pub example: String,
    /// Values that are not those of the example.
    pub drawn: BTreeMap<String, String>,
}

/// A text of the copy; `None` when it is not there, or not a text.
fn text(path: &Path) -> Option<String> {
    let small = path.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= 1 << 20);
    if small { decode(&std::fs::read(path).ok()?) } else { None }
}

/// The example without the variables that are drawn.
pub(super) fn without_drawn(example: &str, drawn: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    for line in lines(example) {
        let name = dotenv::read(&line).values.into_keys().next();
        if !name.is_some_and(|name| drawn.contains_key(&name)) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// Writes the `.env` of the run at the root of the copy: the student's own is put aside.
pub(super) fn write(root: &Path, wish: &DotenvWish) -> io::Result<Dotenv> {
    let path = root.join(".env");
    let mut own = text(&path).map(|text| dotenv::read(&text).values).unwrap_or_default();
    own.retain(|name, _| wish.drawn.contains_key(name));
    let example = text(&root.join(&wish.example));
    let mut made = without_drawn(example.as_deref().unwrap_or_default(), &wish.drawn);
    for (name, value) in &wish.drawn {
        made.push_str(&format!("{name}={value}\n"));
    }
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        std::fs::remove_dir_all(&path)?;
    } else if path.symlink_metadata().is_ok() {
        std::fs::remove_file(&path)?;
    }
    std::fs::write(&path, made)?;
    Ok(Dotenv {
        drawn: wish.drawn.clone(),
        example: wish.example.clone(),
        offered: example.map(|text| dotenv::read(&text).values),
        own,
        fallbacks: Vec::new(),
        unused: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_gives_what_is_not_drawn() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        std::fs::write(root.join(".env.example"), "# a\nUSER=mantis\nexport PASS=<secret>\n")
            .expect("written");
        std::fs::write(root.join(".env"), "PASS=hunter2\nUSER=moi\n").expect("written");
        let drawn = BTreeMap::from([("PASS".to_owned(), "d41d8".to_owned())]);
        let seen = write(root, &DotenvWish { example: ".env.example".into(), drawn }).expect("made");
        assert_eq!(
            std::fs::read_to_string(root.join(".env")).expect("read"),
            "# a\nUSER=mantis\nPASS=d41d8\n"
        );
        assert_eq!(seen.own, BTreeMap::from([("PASS".to_owned(), "hunter2".to_owned())]));
        let offered = seen.offered.expect("an example");
        assert_eq!(offered["PASS"], "<secret>");
    }
}
