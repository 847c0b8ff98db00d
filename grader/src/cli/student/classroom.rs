//! `init --classroom`: the repository that a teacher gives as a template.

use std::io;
use std::path::Path;

use clap::ValueEnum;

use crate::lab::Lab;

/// What corrects a student's repository when it is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// GitHub Actions, sans autre service
    Actions,
    /// GitHub Classroom et son rapporteur
    Github,
    /// Classroom 50, dont l'organisation corrige elle-même
    #[value(name = "50")]
    Fifty,
}

const ACTIONS: &str = include_str!("../../../../.github/classroom/actions.yml");
const GITHUB: &str = include_str!("../../../../.github/classroom/github.yml");
const AUTOGRADER: &str = include_str!("../../../../.github/classroom/autograder.py");
const DEVCONTAINER: &str = include_str!("../../../../.github/classroom/devcontainer.json");
const INSTALL: &str = include_str!("../../../../.github/classroom/install.sh");
const README: &str = include_str!("../../../../.github/classroom/README.md");

/// Where the course is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// `OWNER/NAME`.
    pub repository: String,
    /// Tag of the release.
    pub version: String,
}

impl Course {
    /// The course named, or the one that built this release. `Err` is a French message.
    pub fn new(named: Option<&str>) -> Result<Self, String> {
        let repository = named
            .or(option_env!("TP_DOCKER_COURSE").filter(|name| !name.is_empty()))
            .unwrap_or_default()
            .to_owned();
        let part = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let whole = repository.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name));
        whole.then(|| Self { repository, version: format!("v{}", env!("CARGO_PKG_VERSION")) }).ok_or_else(
            || {
                "quel dépôt publie ce cours et son correcteur ?\n  à faire  ajoutez --course PROPRIÉTAIRE/NOM"
                    .to_owned()
            },
        )
    }
}

/// Adds to `folder`, which holds the starter, what makes a template of it. Gives what the teacher still has
/// to do.
pub fn template(lab: &Lab, folder: &Path, course: &Course, platform: Platform) -> io::Result<String> {
    let filled = |text: &str| {
        text.replace("__COURSE__", &course.repository)
            .replace("__VERSION__", &course.version)
            .replace("__LAB__", &lab.id)
            .replace("__TITLE__", &lab.title)
    };
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, filled(text))
    };
    // Many a starter has its own: ours comes after it.
    let own = std::fs::read_to_string(folder.join("README.md"));
    let own = own.unwrap_or_else(|_| "# TP __LAB__ · __TITLE__".to_owned());
    write("README.md", &format!("{}\n\n{README}", own.trim_end()))?;
    write(".gitignore", ".grader/\n")?;
    write(".devcontainer/devcontainer.json", DEVCONTAINER)?;
    write(".devcontainer/install.sh", INSTALL)?;
    match platform {
        Platform::Actions => {
            write(".github/workflows/correction.yml", ACTIONS)?;
            Ok("envoyez ce dossier dans un dépôt modèle (« template repository »)".to_owned())
        }
        Platform::Github => {
            write(".github/workflows/classroom.yml", GITHUB)?;
            Ok("envoyez ce dossier dans le dépôt modèle du devoir de GitHub Classroom".to_owned())
        }
        Platform::Fifty => {
            // The teacher's own: it is no part of the student's repository.
            let mut beside = folder.components().as_path().as_os_str().to_owned();
            beside.push(".autograder.py");
            let beside = Path::new(&beside);
            std::fs::write(beside, filled(AUTOGRADER))?;
            Ok(format!(
                "envoyez ce dossier dans le dépôt modèle, et mettez « {} » à CLASSE/autograders/DEVOIR/autograder.py",
                beside.display()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> Lab {
        let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
        crate::lab::load(&labs, "02").expect("a lab")
    }

    #[test]
    fn a_template_has_no_placeholder_left() {
        let course = Course::new(Some("école/tp")).map_err(drop);
        assert!(course.is_err(), "a name that a workflow would not take");
        let course = Course::new(Some("ecole/tp-docker")).expect("a course");
        for platform in [Platform::Actions, Platform::Github, Platform::Fifty] {
            let dir = tempfile::tempdir().expect("a folder");
            let folder = dir.path().join("tp-02");
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(folder.join("README.md"), "# À moi\n").expect("written");
            template(&lab(), &folder, &course, platform).expect("written");
            let mut files = vec![dir.path().to_owned()];
            let mut seen = 0;
            while let Some(path) = files.pop() {
                if path.is_dir() {
                    files.extend(std::fs::read_dir(&path).expect("a folder").flatten().map(|e| e.path()));
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("a text");
                assert!(
                    !["__COURSE__", "__LAB__", "__VERSION__", "__TITLE__"].iter().any(|p| text.contains(p))
                );
                seen += 1;
            }
            assert_eq!(seen, 5, "{platform:?}");
            let readme = std::fs::read_to_string(folder.join("README.md")).expect("a text");
            assert!(readme.starts_with("# À moi\n\n## ") && readme.contains("grader check 02"), "{readme}");
        }
    }

    #[test]
    fn a_student_s_workflow_has_five_lines() {
        assert_eq!(ACTIONS.lines().count(), 5);
    }
}
