//! One build: staged, rendered by mdBook, finished, then swapped in.

use std::path::Path;
use std::time::{Duration, Instant};

use mdbook_driver::MDBook;
use mdbook_driver::config::Config;

use super::preprocess::Course;
use super::{BookError, Edition, Material, Order, material, pages, stage, warnings};

/// Written in every build, so that no other folder is ever replaced.
const MARK: &str = ".livre-tp-docker";

/// Files that mdBook writes and that our theme does not use.
const UNUSED: &[&str] =
    &["ayu-highlight", "tomorrow-night", "clipboard", "toc", "chrome", "variables", "print"];

/// What a build made.
#[derive(Debug)]
pub struct Built {
    /// Chapters.
    pub pages: usize,
    /// Labs among them.
    pub labs: usize,
    /// Time taken.
    pub took: Duration,
    /// What mdBook warned about.
    pub warnings: Vec<String>,
    /// What the chapters were made from.
    pub material: Material,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("dir", &self.dir).field("book", &self.book).finish_non_exhaustive()
    }
}

/// Builds the book. The old one stays in place until the new one is complete.
pub fn build(order: &Order) -> Result<Built, BookError> {
    let start = Instant::now();
    refuse_foreign(&order.out)?;
    let material = Material::read(order)?;
    let io = |e: &std::io::Error| BookError::new("dossier provisoire", format!("création impossible ({e})"));
    let root = tempfile::Builder::new().prefix("tp-livre-").tempdir().map_err(|e| io(&e))?;
    stage::stage(&material, root.path())?;
    let fresh = root.path().join("html");
    let config = configure(order, &fresh)?;
    let (rendered, warnings) = warnings::collect(|| render(root.path(), config, material.clone()));
    rendered?;
    prune(&fresh)?;
    let pages = pages::finish(&fresh, &material)?;
    let mark = fresh.join(MARK);
    std::fs::write(&mark, "").map_err(|e| BookError::io(&mark, &e))?;
    swap(&fresh, &order.out)?;
    Ok(Built { pages, labs: material.labs.len(), took: start.elapsed(), warnings, material })
}

/// `book.toml`, with the folders of this build.
fn configure(order: &Order, out: &Path) -> Result<Config, BookError> {
    let file = order.book.join("book.toml");
    let bad =
        |e: &dyn std::fmt::Display| BookError::new(file.display(), format!("configuration refusée : {e}"));
    let mut config = Config::from_disk(&file).map_err(|e| bad(&format!("{e:#}")))?;
    let theme = order.book.join("theme");
    let theme = std::path::absolute(&theme).map_err(|e| BookError::io(&theme, &e))?;
    config.set("build.build-dir", out).map_err(|e| bad(&e))?;
    config.set("build.create-missing", false).map_err(|e| bad(&e))?;
    // Ours does what the default ones do, and knows what must not be shown.
    config.set("build.use-default-preprocessors", false).map_err(|e| bad(&e))?;
    config.set("output.html.theme", theme).map_err(|e| bad(&e))?;
    if order.edition == Edition::Teacher {
        let title = config.book.title.clone().unwrap_or_default();
        config.set("book.title", format!("{title} · édition de l'enseignant")).map_err(|e| bad(&e))?;
    }
    Ok(config)
}

fn render(root: &Path, config: Config, material: Material) -> Result<(), BookError> {
    let told = |e: mdbook_preprocessor::errors::Error| match e.downcast::<BookError>() {
        Ok(error) => error,
        Err(other) => BookError::new("book", format!("{other:#}")),
    };
    let mut book = MDBook::load_with_config(root, config).map_err(told)?;
    book.with_preprocessor(Course::new(material));
    book.build().map_err(told)
}

/// Removes what no page of ours asks for.
fn prune(out: &Path) -> Result<(), BookError> {
    for dir in [out.to_owned(), out.join("css"), out.join("fonts")] {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let page = material::extension(&name) == "html" && name != "toc.html";
            if path.is_file() && !page && UNUSED.iter().any(|u| name.starts_with(u)) {
                std::fs::remove_file(&path).map_err(|e| BookError::io(&path, &e))?;
            }
        }
    }
    Ok(())
}

/// Refuses to replace a folder that is not a book of ours.
fn refuse_foreign(out: &Path) -> Result<(), BookError> {
    let empty = std::fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if empty || out.join(MARK).is_file() {
        return Ok(());
    }
    Err(BookError::new(
        out.display(),
        "ce dossier n'est pas vide et n'est pas un livre construit par grader : donnez-en un autre (--into)",
    ))
}

/// Puts the new build in place of the old one.
fn swap(fresh: &Path, out: &Path) -> Result<(), BookError> {
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).map_err(|e| BookError::io(parent, &e))?;
    }
    if out.exists() {
        std::fs::remove_dir_all(out).map_err(|e| BookError::io(out, &e))?;
    }
    // The temporary folder may be on another disk.
    if std::fs::rename(fresh, out).is_err() {
        stage::copy(fresh, out)?;
    }
    Ok(())
}
