//! The Compose files of a submission, chosen as Compose 2 chooses them.

use std::path::{Path, PathBuf};

use super::dotenv::{self, DotEnv};
use super::source::{SourceFile, SourceMap, decode};
use super::stage::Limits;
use super::wishes::Wishes;
use crate::event::{Level, Notice, Place, Problem};

/// Main files, the preferred one first.
const MAIN: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// Override files, the preferred one first.
const OVER: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// What Compose will be given.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Files for `-f`, relative to the root.
    pub files: Vec<String>,
    /// The same without the file that is laid over; `None` without such a file.
    pub alone: Option<Vec<String>>,
    /// Profiles asked for in `.env`.
    pub profiles: Vec<String>,
    /// `-p`, unless the file itself names the project.
    pub project: Option<String>,
    pub env: DotEnv,
    pub source: SourceMap,
}

/// Chooses the files of the copy at `root`.
pub(super) fn choose(
    root: &Path,
    origin: &Path,
    limits: &Limits,
    wishes: &Wishes,
    notices: &mut Vec<Notice>,
) -> Result<Choice, Box<Problem>> {
    let env = read_env(root)?;
    let listed = match env.steering.get("COMPOSE_FILE") {
        Some(list) => Some(from_env(root, list, &env)?),
        None => None,
    };
    let over = wishes.over.iter().find(|name| listing(root).contains(name));
    let (files, alone) = match over {
        None => (listed.map_or_else(|| from_folder(root, notices), Ok)?, None),
        Some(over) => {
            let mut alone = listed.unwrap_or_default();
            alone.retain(|file| file != over);
            let mut files = alone.clone();
            if alone.is_empty() {
                alone = from_folder(root, notices)?;
                // Named by -f, a file leaves the override file aside.
                files = alone.iter().take(1).cloned().collect();
            }
            files.push(over.clone());
            (files, Some(alone))
        }
    };
    for name in env.steering.keys().chain(&env.hidden) {
        let honoured = ["COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_PATH_SEPARATOR"];
        if !honoured.contains(&name.as_str()) || env.hidden.contains(name) {
            notices.push(Notice {
                level: Level::Info,
                text: format!("la variable « {name} » du fichier .env est ignorée par le correcteur"),
                place: None,
            });
        }
    }
    let mut read = Vec::new();
    let apart = alone.iter().flatten().filter(|name| !files.contains(name));
    for name in files.iter().chain(apart) {
        read.push(read_yaml(root, name, limits)?);
    }
    super::gate::collect(root, &mut read, &env, limits)?;
    let listed = env.steering.get("COMPOSE_PROFILES").into_iter().flat_map(|list| list.split(','));
    let listed = listed.map(|p| p.trim().to_owned()).filter(|p| !p.is_empty());
    let profiles = match &wishes.profile {
        Some(profile) => vec![profile.clone()],
        None => listed.collect(),
    };
    let named = read
        .iter()
        .filter_map(|f| f.tree.as_ref().ok())
        .any(|tree| tree.docs.iter().any(|doc| tree.get(*doc, "name").is_some()));
    let asked = env.steering.get("COMPOSE_PROJECT_NAME").map(|n| normal_name(n)).filter(|n| !n.is_empty());
    let folder =
        origin.canonicalize().ok().and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()));
    let project = asked.or_else(|| {
        let name = normal_name(&folder.unwrap_or_default());
        (!named).then(|| if name.is_empty() { "projet".to_owned() } else { name })
    });
    let source = SourceMap::new(root, read).with_over(over.cloned());
    Ok(Choice { files, alone, profiles, project, env, source })
}

/// Lower case, only what a project name may hold.
pub(super) fn normal_name(name: &str) -> String {
    let kept: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

fn read_env(root: &Path) -> Result<DotEnv, Box<Problem>> {
    let path = root.join(".env");
    if !path.is_file() {
        return Ok(DotEnv::default());
    }
    let text = (path.metadata().is_ok_and(|m| m.len() <= 1 << 20))
        .then(|| std::fs::read(&path).ok())
        .flatten()
        .and_then(|bytes| decode(&bytes));
    text.map(|text| dotenv::read(&text)).ok_or_else(|| {
        problem(
            "env-unreadable",
            "le fichier .env n'est pas un texte UTF-8 de moins de 1 Mio".to_owned(),
            "réenregistrez-le en UTF-8, une variable par ligne : NOM=valeur",
        )
    })
}

/// A Compose file within its limits.
pub(super) fn read_yaml(root: &Path, name: &str, limits: &Limits) -> Result<SourceFile, Box<Problem>> {
    let path = root.join(name);
    let size = path.metadata().map_or(0, |m| m.len());
    if size > limits.yaml {
        return Err(problem(
            "yaml-too-big",
            format!("« {name} » pèse plus de {} Kio", limits.yaml >> 10),
            "un fichier Compose tient en quelques pages : retirez ce qui n'en est pas",
        ));
    }
    let bytes = std::fs::read(&path).map_err(|e| {
        let mut missing = problem(
            "file-missing",
            format!("« {name} » ne peut pas être lu"),
            "vérifiez le nom du fichier et ses droits",
        );
        missing.detail = e.to_string();
        missing
    })?;
    let text = decode(&bytes).ok_or_else(|| {
        problem(
            "yaml-encoding",
            format!("« {name} » n'est pas un texte UTF-8"),
            "réenregistrez le fichier en UTF-8 dans votre éditeur",
        )
    })?;
    if let Some(place) = control(name, &text) {
        let mut found = problem(
            "yaml-control",
            format!("« {name} » contient un caractère de contrôle"),
            "effacez ce caractère : chaque lecteur de YAML le comprend à sa façon",
        );
        found.place = Some(place);
        return Err(found);
    }
    Ok(SourceFile::new(name, text))
}

/// The first character that some YAML readers take for the end of a line and others do not, or
/// that no text holds.
fn control(name: &str, text: &str) -> Option<Place> {
    let bad = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    let lines = super::source::lines(text);
    lines.iter().enumerate().find_map(|(index, line)| {
        let column = line.chars().position(bad)? + 1;
        let mark = super::source::mark(line, index + 1, column, 1, "caractère de contrôle");
        Some(Place { file: name.to_owned(), mark, also: Vec::new() })
    })
}

/// `COMPOSE_FILE`, when its entries are plain files of the folder.
fn from_env(root: &Path, list: &str, env: &DotEnv) -> Result<Vec<String>, Box<Problem>> {
    let separator = env.steering.get("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
    let entries: Vec<&str> = if separator.is_empty() {
        vec![list]
    } else {
        list.split(separator).filter(|e| !e.is_empty()).collect()
    };
    let plain = |entry: &&str| {
        !Path::new(entry).is_absolute()
            && !entry.contains(['$', '\\', '\0'])
            && !entry.split('/').any(|part| part == "..")
            && root.join(entry).is_file()
    };
    if entries.is_empty() || !entries.iter().all(plain) {
        return Err(problem(
            "compose-file-outside",
            format!("COMPOSE_FILE, dans .env, désigne autre chose que des fichiers du dossier : « {list} »"),
            "n'y nommez que des fichiers du dossier rendu, ou retirez cette ligne",
        ));
    }
    Ok(entries.into_iter().map(|e| e.trim_start_matches("./").to_owned()).collect())
}

fn from_folder(root: &Path, notices: &mut Vec<Notice>) -> Result<Vec<String>, Box<Problem>> {
    // Compared with the listing: on a case-insensitive disk « Compose.yaml » would open too.
    let names = listing(root);
    let present = |wanted: [&str; 4]| -> Vec<String> {
        wanted.iter().filter(|w| names.iter().any(|n| n == *w)).map(|w| (*w).to_owned()).collect()
    };
    let (mains, overs) = (present(MAIN), present(OVER));
    let Some(main) = mains.first() else {
        return Err(missing(root, &names));
    };
    for (found, what) in [(&mains, "Compose"), (&overs, "de surcharge")] {
        if let [taken, others @ ..] = found.as_slice()
            && !others.is_empty()
        {
            let others: Vec<String> = others.iter().map(|o| format!("« {o} »")).collect();
            notices.push(Notice {
                level: Level::Warning,
                text: format!(
                    "deux fichiers {what} possibles : Docker Compose lit « {taken} » et ignore {}",
                    others.join(" et ")
                ),
                place: None,
            });
        }
    }
    let mut files = vec![main.clone()];
    files.extend(overs.first().cloned());
    Ok(files)
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .map(|entries| {
            entries.filter_map(Result::ok).map(|e| e.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

/// Nothing to read: says what was found, and what looks like it was meant.
fn missing(root: &Path, names: &[String]) -> Box<Problem> {
    let near = near_misses(root, names);
    let shown: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let mut what = "aucun fichier Compose dans le dossier rendu".to_owned();
    if shown.is_empty() {
        what.push_str(", qui est vide");
    } else {
        what = format!("{what} ; il contient : {}", shown.join(", "));
        if names.len() > shown.len() {
            what = format!("{what} et {} autres", names.len() - shown.len());
        }
    }
    let todo = match near.first() {
        Some(near) => near.clone(),
        None => format!("nommez-le « {} » (ou {}), à la racine du dossier", MAIN[0], MAIN[1..].join(", ")),
    };
    problem("compose-missing", what, &todo)
}

fn near_misses(root: &Path, names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        let lower = name.to_lowercase();
        let bare = lower.trim_end_matches(".txt").trim_end_matches(".bak").trim_end_matches(".yml.yaml");
        let looks = MAIN.contains(&bare)
            || matches!(
                bare,
                "compose"
                    | "docker-compose"
                    | "docker_compose.yml"
                    | "docker_compose.yaml"
                    | "dockercompose.yml"
                    | "composer.yaml"
            );
        if root.join(name).is_file() && looks {
            found.push(format!("renommez « {name} » en « {} » (minuscules, sans autre extension)", MAIN[0]));
        }
    }
    for name in names {
        let dir: PathBuf = root.join(name);
        if dir.is_dir()
            && !dir.is_symlink()
            && let Some(inner) = listing(&dir).into_iter().find(|n| MAIN.contains(&n.as_str()))
        {
            found.push(format!(
                    "le fichier « {name}/{inner} » est dans un sous-dossier : rendez ce dossier-là, ou remontez le fichier à la racine"
                ));
        }
    }
    found
}

fn problem(code: &str, what: String, todo: &str) -> Box<Problem> {
    Box::new(Problem {
        code: code.to_owned(),
        what,
        place: None,
        todo: todo.to_owned(),
        detail: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_names_are_normalised_as_compose_does() {
        assert_eq!(normal_name("Mon TP_1.été"), "montp_1t");
        assert_eq!(normal_name("_-x"), "x");
    }
}
