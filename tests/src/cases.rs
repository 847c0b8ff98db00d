//! Cases of a corpus: a folder, what git cannot hold of it, and what must be answered to it.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde::Deserialize;
use serde_json::Value;

/// `expect.toml` of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// What the case tries, in one line.
    pub note: String,
    /// `accepted`, `refused` or `invalid`.
    pub outcome: String,
    /// Rules of the refusals or codes of the problems: these and no other.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Places of the refusals or problems, `file:line:column`: these and no other.
    #[serde(default)]
    pub at: Vec<String>,
    /// False when there is no line to show (a file that is not a text…).
    #[serde(default = "yes")]
    pub place: bool,
    /// Words of the answer.
    #[serde(default)]
    pub says: Vec<String>,
    /// Paths that must be told as changed.
    #[serde(default)]
    pub changes: Vec<String>,
    /// JSON pointers that the rewritten model must not have.
    #[serde(default)]
    pub absent: Vec<String>,
    /// JSON pointers of the rewritten model, with their values.
    #[serde(default)]
    pub model: BTreeMap<String, Value>,
    /// Texts that must be nowhere in the answer.
    #[serde(default)]
    pub never: Vec<String>,
    /// Variables of the grader's own environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Longest time, seconds.
    #[serde(default = "twelve")]
    pub seconds: u64,
    /// Most memory of one process, MiB.
    #[serde(default = "memory")]
    pub memory: u64,
    /// What only a run on an engine can show.
    #[serde(default)]
    pub engine: String,
    /// What git cannot hold.
    #[serde(default)]
    pub make: Vec<Make>,
    /// Only the outcome counts.
    #[serde(skip)]
    lenient: bool,
}

impl Expect {
    fn lenient() -> Self {
        let text = "note = ''\noutcome = ''";
        let expect: Self = toml::from_str(text).unwrap_or_else(|e| panic!("{e}"));
        Self { lenient: true, ..expect }
    }
}

fn yes() -> bool {
    true
}

fn twelve() -> u64 {
    12
}

fn memory() -> u64 {
    500
}

/// A file to make before the case is judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Make {
    /// Where, in the folder.
    path: PathBuf,
    fifo: bool,
    socket: bool,
    /// Another name of a file outside of the folder.
    hardlink: bool,
    /// Character device: major and minor. Needs root.
    device: Option<[u32; 2]>,
    /// Symbolic link to this.
    link: Option<PathBuf>,
    /// Bytes of a file full of holes.
    size: Option<u64>,
    /// Empty files in this folder.
    files: Option<u32>,
    /// Content.
    text: Option<String>,
    /// Content: `head`, `times` times `repeat` (`%n` is the number), `times` times `close`, `tail`.
    head: String,
    repeat: String,
    close: String,
    times: usize,
    tail: String,
    /// Permissions of a file that is there.
    mode: Option<u32>,
}

impl Make {
    /// Makes it in `dir`; false when this user may not.
    fn make(&self, dir: &Path) -> std::io::Result<bool> {
        let path = dir.join(&self.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let node = |kind, device| mknodat(CWD, &path, kind, Mode::RWXU, device);
        if self.fifo {
            node(FileType::Fifo, 0)?;
        } else if let Some([major, minor]) = self.device {
            return Ok(node(FileType::CharacterDevice, makedev(major, minor)).is_ok());
        } else if self.socket {
            std::os::unix::net::UnixListener::bind(&path)?;
        } else if self.hardlink {
            let outside = dir.with_extension("voisin");
            std::fs::write(&outside, "VOISIN=secret\n")?;
            std::fs::hard_link(&outside, &path)?;
        } else if let Some(target) = &self.link {
            symlink(target, &path)?;
        } else if let Some(size) = self.size {
            std::fs::File::create(&path)?.set_len(size)?;
        } else if let Some(count) = self.files {
            std::fs::create_dir_all(&path)?;
            for n in 0..count {
                std::fs::File::create(path.join(n.to_string()))?;
            }
        } else if let Some(mode) = self.mode {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        } else if let Some(text) = &self.text {
            std::fs::write(&path, text)?;
        } else {
            let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
            file.write_all(self.head.as_bytes())?;
            for n in 0..self.times {
                file.write_all(self.repeat.replace("%n", &n.to_string()).as_bytes())?;
            }
            file.write_all(self.close.repeat(self.times).as_bytes())?;
            file.write_all(self.tail.as_bytes())?;
        }
        Ok(true)
    }
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of its folder.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Folder that it is laid over, and what is left out of that.
    base: Option<(PathBuf, Vec<PathBuf>)>,
    /// The lab whose wishes it is read with.
    pub lab: Option<String>,
    /// What must be answered.
    pub expect: Expect,
}

/// A case ready to be judged, in a folder of its own.
pub struct Ready {
    dir: tempfile::TempDir,
}

impl Ready {
    /// The submission.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("tp")
    }
}

/// Solutions, starters and variants of the labs: none of them may be refused, unless it says so.
pub fn labs() -> Vec<Case> {
    let folders = |dir: PathBuf| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut cases = Vec::new();
    for lab in folders(crate::root().join("labs")).into_iter().filter(|lab| lab.join("lab.toml").is_file()) {
        // The starter of a lab that draws is a template until `init` fills it.
        let plain = |dir: &PathBuf| !dir.join("compose.yaml.j2").is_file();
        let own = ["solution", "starter"].map(|name| lab.join(name)).into_iter().filter(plain);
        for dir in own.chain(folders(lab.join("variants"))) {
            let told = std::fs::read_to_string(dir.join("expect.toml")).unwrap_or_default();
            let told: toml::Table = told.parse().unwrap_or_default();
            // Some are invalid on purpose: a code of 1 without a check that fails.
            let code = told.get("exit").and_then(toml::Value::as_integer);
            let outcome = match code {
                Some(3) => "refused",
                Some(1) => continue,
                _ => "accepted",
            };
            let note = told.get("note").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let file = std::fs::read_to_string(lab.join("lab.toml")).unwrap_or_default();
            let file: toml::Table = file.parse().unwrap_or_default();
            cases.push(Case {
                lab: file.get("id").and_then(toml::Value::as_str).map(str::to_owned),
                name: dir.strip_prefix(lab.parent().unwrap_or(&lab)).unwrap_or(&dir).display().to_string(),
                // A solution and a starter are whole folders.
                base: dir.starts_with(lab.join("variants")).then(|| base(&lab, &told)),
                dir,
                expect: Expect { note, outcome: outcome.to_owned(), ..Expect::lenient() },
            });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// The folder that a variant is laid over, and what is left out of that.
fn base(lab: &Path, told: &toml::Table) -> (PathBuf, Vec<PathBuf>) {
    let base = told.get("base").and_then(toml::Value::as_str).unwrap_or("solution");
    let removed = told.get("remove").and_then(toml::Value::as_array);
    let removed = removed.into_iter().flatten().filter_map(toml::Value::as_str).map(PathBuf::from);
    (lab.join(base), removed.collect())
}

/// Lays a folder in `to`, over its base if it has one, without what is expected of it.
fn lay(dir: &Path, base: Option<&(PathBuf, Vec<PathBuf>)>, to: &Path) -> std::io::Result<()> {
    if let Some((base, removed)) = base {
        crate::copy(base, to);
        for name in removed {
            std::fs::remove_file(to.join(name)).or_else(|_| std::fs::remove_dir_all(to.join(name)))?;
        }
    }
    crate::copy(dir, to);
    let told = to.join("expect.toml");
    if told.is_file() { std::fs::remove_file(told) } else { Ok(()) }
}

/// Lays the solution of a lab, or one of its variants, in `to`.
///
/// # Errors
/// Those of the file system.
pub fn lay_variant(lab: &Path, dir: &Path, to: &Path) -> std::io::Result<()> {
    let told = std::fs::read_to_string(dir.join("expect.toml")).unwrap_or_default();
    lay(dir, Some(&base(lab, &told.parse().unwrap_or_default())), to)
}

/// Every case of a corpus (`hostile`, `public`), by name.
pub fn corpus(name: &str) -> Vec<Case> {
    let root = crate::root().join("tests").join(name);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let mut cases: Vec<Case> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            let dir = entry.path();
            let file = dir.join("expect.toml");
            let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let expect = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            Case {
                base: None,
                lab: None,
                name: entry.file_name().to_string_lossy().into_owned(),
                dir,
                expect,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

impl Case {
    /// Copies the case and makes what git cannot hold; `None` when this user may not.
    pub fn ready(&self) -> std::io::Result<Option<Ready>> {
        let ready = Ready { dir: tempfile::tempdir()? };
        let to = ready.path();
        lay(&self.dir, self.base.as_ref(), &to)?;
        for make in &self.expect.make {
            if !make.make(&to)? {
                return Ok(None);
            }
        }
        Ok(Some(ready))
    }

    /// Exit code that goes with the outcome.
    pub fn exit(&self) -> i32 {
        match self.expect.outcome.as_str() {
            "accepted" => 0,
            "invalid" => 1,
            _ => 3,
        }
    }

    /// What is not as expected in an opinion (`grader policy --format json`).
    pub fn faults(&self, opinion: &Value) -> Vec<String> {
        let expect = &self.expect;
        let mut faults = Vec::new();
        let mut check = |what: &str, wanted: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug, same: bool| {
            if !same {
                faults.push(format!("{what} : {wanted:?} attendu, {seen:?} observé"));
            }
        };
        let decision = opinion["decision"].as_str().unwrap_or_default();
        check("décision", &expect.outcome, &decision, expect.outcome == decision);
        let told: Vec<&Value> = ["refusals", "problems"]
            .iter()
            .flat_map(|key| opinion[*key].as_array().into_iter().flatten())
            .collect();
        let mut codes: Vec<&str> =
            told.iter().filter_map(|t| t["rule"].as_str().or_else(|| t["code"].as_str())).collect();
        codes.sort_unstable();
        codes.dedup();
        check("règles", &expect.codes, &codes, expect.lenient || expect.codes == codes);
        let places: Vec<String> = told.iter().filter_map(|t| place(&t["place"])).collect();
        if expect.place && !expect.lenient {
            check("lieux", &expect.at, &places, expect.at == places);
            check("refus sans lieu", &0, &(told.len() - places.len()), told.len() == places.len());
        }
        for one in &told {
            let complete = ["what", "why", "instead"].iter().all(|k| one[*k].as_str() != Some(""))
                && one["todo"].as_str() != Some("")
                && !one["what"].as_str().unwrap_or_default().contains("{valeur}");
            check("texte complet", &true, &one, complete);
        }
        let changes: Vec<&str> = opinion["changes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|change| change["path"].as_str())
            .collect();
        for wanted in &expect.changes {
            check("changement dit", wanted, &changes, changes.contains(&wanted.as_str()));
        }
        let model = &opinion["model"];
        for pointer in &expect.absent {
            let seen = model.pointer(pointer);
            check("absent du modèle", pointer, &seen, model.is_object() && seen.is_none());
        }
        for (pointer, wanted) in &expect.model {
            let seen = model.pointer(pointer);
            check(pointer, wanted, &seen, seen == Some(wanted));
        }
        let text = opinion.to_string();
        for word in &expect.says {
            check("dit", word, &"absent", text.contains(word.as_str()));
        }
        for word in &expect.never {
            check("jamais dit", word, &"présent", !text.contains(word.as_str()));
        }
        faults
    }
}

fn place(place: &Value) -> Option<String> {
    let mark = &place["mark"];
    Some(format!("{}:{}:{}", place["file"].as_str()?, mark["line"], mark["column"]))
}
