//! Our preprocessor: directives, diagrams, quizzes and boxes become what mdBook renders.

mod boxes;
mod directives;
mod lab_page;
mod quiz;
mod text;

use mdbook_preprocessor::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::errors::Result;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

pub use self::text::{escape, inline};
use super::diagram;
use super::{BookError, Material};

/// The preprocessor, in process.
pub struct Course {
    material: Material,
}

impl Course {
    /// A preprocessor over this material.
    pub fn new(material: Material) -> Self {
        Self { material }
    }

    /// The markdown that mdBook renders, for the chapter `page` (file name without extension).
    pub fn chapter(&self, page: &str, text: &str) -> Result<String, BookError> {
        let lab = self.material.labs.iter().find(|l| l.slug == page);
        let text = match lab {
            Some(lab) => lab_page::complete(&self.material, lab, text)?,
            None => text.to_owned(),
        };
        let text = directives::expand(&self.material, page, &text)?;
        let text = fences(page, &text)?;
        Ok(links(&boxes::mark(&text), &self.material))
    }
}

impl Preprocessor for Course {
    fn name(&self) -> &'static str {
        "tp"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut failed = None;
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item
                && failed.is_none()
            {
                failed = self.rewrite(chapter).err();
            }
        });
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(book),
        }
    }
}

impl Course {
    fn rewrite(&self, chapter: &mut Chapter) -> Result<(), BookError> {
        let Some(path) = &chapter.path else { return Ok(()) };
        let page = path.with_extension("").to_string_lossy().into_owned();
        chapter.content = self.chapter(&page, &chapter.content)?;
        Ok(())
    }
}

/// Replaces the fences `mermaid` and `quiz`.
fn fences(page: &str, text: &str) -> Result<String, BookError> {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().enumerate();
    let mut quizzes = 0;
    let mut fence = text::Fence::default();
    while let Some((at, line)) = lines.next() {
        let ours = if fence.inside() { None } else { line.strip_prefix("```").map(str::trim) };
        let Some(kind @ ("mermaid" | "quiz")) = ours else {
            fence.see(line);
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| !l.starts_with("```")).collect();
        let body = body.join("\n");
        let html = if kind == "quiz" {
            quizzes += 1;
            quiz::render(&body, page, quizzes)
        } else {
            diagram::render(&body)
        };
        // What follows an HTML block must be apart from it.
        out.push_str(&html.map_err(|what| BookError::at(format!("{page}.md"), at + 1, what))?);
        out.push_str("\n\n");
    }
    Ok(out)
}

/// Links work in the repository (`../02-deploiement/statement.md#ordre`, `../../book/src/reseaux.md`) and in
/// the book, where all pages are in one folder.
fn links(text: &str, material: &Material) -> String {
    let mut text = text.replace("](../../book/src/", "](");
    for lab in &material.labs {
        for path in ["../../labs/", "../"] {
            text = text.replace(&format!("]({path}{}/statement.md", lab.slug), &format!("]({}.md", lab.slug));
        }
    }
    text
}
