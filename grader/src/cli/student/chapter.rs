//! `open`: the chapter of a lab, in the reader's browser where there is one.

use std::path::{Path, PathBuf};

use crate::cli::args::OpenArgs;
use crate::cli::{places, shell};
use crate::error::ExitCode;

/// `grader open`
pub fn open(args: &OpenArgs, dir: Option<&Path>) -> ExitCode {
    let labs = match places::labs() {
        Ok(labs) => labs,
        Err(e) => return shell::fault(&e),
    };
    let named = args.lab.clone().or_else(|| places::lab_around(&labs, dir.unwrap_or(Path::new("."))));
    let page = match named {
        Some(id) => match places::lab(&labs, &id) {
            Ok(lab) => chapter(&labs, &lab.dir),
            Err(code) => return code,
        },
        None => labs.with_file_name("book").join("build").join("index.html"),
    };
    if !page.is_file() {
        shell::complain(
            "erreur · quel énoncé faut-il ouvrir ?\n  à faire  grader open 02 (grader list montre les TP)",
        );
        return ExitCode::Usage;
    }
    shell::say(&show(&page));
    ExitCode::Passed
}

/// The page of a lab in the built book, or its statement where no book was built.
pub fn chapter(labs: &Path, lab: &Path) -> PathBuf {
    let slug = lab.file_name().unwrap_or_default().to_string_lossy();
    let page = labs.with_file_name("book").join("build").join(format!("{slug}.html"));
    if page.is_file() { page } else { lab.join("statement.md") }
}

/// Opens a page where there is a desktop; gives what to say of it.
pub fn show(page: &Path) -> String {
    let page = page.canonicalize().unwrap_or_else(|_| page.to_owned());
    let opened = has_desktop(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()))
        && ::open::that_detached(&page).is_ok();
    let how = if opened { "ouvert" } else { "à lire" };
    format!("{how} · {}", page.display())
}

/// Whether something can show a page. Without a display, openers would start a text browser in this very
/// terminal, or wait for ever.
fn has_desktop(set: impl Fn(&str) -> bool) -> bool {
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_built_book_comes_before_the_statement() {
        let root = tempfile::tempdir().expect("a folder");
        let labs = root.path().join("labs");
        let lab = labs.join("02-deploiement");
        std::fs::create_dir_all(&lab).expect("folder");
        assert_eq!(chapter(&labs, &lab), lab.join("statement.md"));
        let page = root.path().join("book/build/02-deploiement.html");
        std::fs::create_dir_all(page.parent().expect("parent")).expect("folder");
        std::fs::write(&page, "").expect("written");
        assert_eq!(chapter(&labs, &lab), page);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn no_display_no_desktop() {
        assert!(!has_desktop(|_| false));
        assert!(has_desktop(|name| name == "WAYLAND_DISPLAY"));
    }
}
