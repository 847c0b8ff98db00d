//! The templates of the pages: ours, or an instructor's own in place of some of them.

use std::io;
use std::path::Path;

/// Longest template, bytes.
const LONGEST: u64 = 1 << 20;

/// Templates (minijinja) and styles. The scripts are ours in any case: the pages allow no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    /// A student's page.
    pub report: String,
    /// Its style.
    pub report_css: String,
    /// The page of a class.
    pub class: String,
    /// Its style.
    pub class_css: String,
}

impl Default for Theme {
    fn default() -> Self {
        Self {
            report: include_str!("report.html").to_owned(),
            report_css: include_str!("report.css").to_owned(),
            class: include_str!("../class/class.html").to_owned(),
            class_css: include_str!("../class/class.css").to_owned(),
        }
    }
}

impl Theme {
    /// Ours, with what is found in `dir`: `report.html`, `report.css`, `class.html`, `class.css`.
    ///
    /// # Errors
    ///
    /// There is no such folder, a file cannot be read, or none of these is there.
    pub fn from_dir(dir: &Path) -> io::Result<Self> {
        let mut theme = Self::default();
        let mut any = false;
        let parts = [
            ("report.html", &mut theme.report),
            ("report.css", &mut theme.report_css),
            ("class.html", &mut theme.class),
            ("class.css", &mut theme.class_css),
        ];
        std::fs::read_dir(dir)?;
        for (name, part) in parts {
            let file = dir.join(name);
            match std::fs::metadata(&file) {
                Ok(meta) if meta.len() > LONGEST => {
                    return Err(io::Error::other(format!("{name} : trop long")));
                }
                Ok(_) => {
                    *part = std::fs::read_to_string(&file)
                        .map_err(|e| io::Error::new(e.kind(), format!("{name} : {e}")))?;
                    any = true;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let none = "ni report.html, ni report.css, ni class.html, ni class.css";
        if any { Ok(theme) } else { Err(io::Error::new(io::ErrorKind::NotFound, none)) }
    }
}
