//! `lab test`: the solution, the starter and every variant of a lab, side by side.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use futures_util::StreamExt;
use serde::Deserialize;

use super::args::{Global, LabTest};
use super::{places, shell, starter};
use crate::engine::{self, Engine};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::event::Event;
use crate::lab::{self, Lab};
use crate::report::{Outcome, Report, Standing};
use crate::reporter::human::{self, Options};
use crate::run::{RunOptions, run};

/// `expect.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Expect {
    base: Option<String>,
    #[serde(default)]
    fail: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    exit: Option<u8>,
    /// Left out by `--core`: a near twin of another variant, for the long runs.
    #[serde(default)]
    extended: bool,
    #[serde(default)]
    note: String,
}

/// A variant and what is expected of it.
pub struct Variant {
    /// Folder name.
    pub name: String,
    /// Ids that must fail, and no other.
    pub fail: Vec<String>,
    /// Exit code, when it is not 0 (nothing fails) or 1.
    pub exit: Option<u8>,
    /// Folder that it is laid over.
    base: PathBuf,
    overlay: Option<PathBuf>,
    remove: Vec<String>,
    below_full: bool,
    extended: bool,
}

/// Reads the variants of a lab. `Err` is a French message.
pub fn read(lab: &Lab) -> Result<Vec<Variant>, String> {
    let plain = |name: &str, below_full| Variant {
        name: name.to_owned(),
        fail: Vec::new(),
        exit: None,
        base: lab.dir.join(name),
        overlay: None,
        remove: Vec::new(),
        below_full,
        extended: false,
    };
    let mut found = vec![plain("solution", false), plain("starter", true)];
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(lab.dir.join("variants"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    dirs.sort();
    for dir in dirs {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = dir.join("expect.toml");
        let text = std::fs::read_to_string(&file)
            .map_err(|e| format!("variante « {name} » : expect.toml illisible ({e})"))?;
        let expect: Expect =
            toml::from_str(&text).map_err(|e| format!("variante « {name} » : {}", e.message()))?;
        let _ = expect.note;
        found.push(Variant {
            name,
            fail: expect.fail,
            exit: expect.exit,
            base: lab.dir.join(expect.base.as_deref().unwrap_or("solution")),
            overlay: Some(dir),
            remove: expect.remove,
            below_full: false,
            extended: expect.extended,
        });
    }
    Ok(found)
}

impl Variant {
    /// Lays the variant over its base, in `to`.
    fn assemble(&self, lab: &Lab, to: &Path) -> std::io::Result<()> {
        if self.base.ends_with("starter") {
            // Another draw each time that the tests run: all of them must be below full marks.
            starter::lay(lab, to, starter::ticket())?;
        } else {
            copy(&self.base, to)?;
        }
        for file in &self.remove {
            let path = to.join(file);
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        if let Some(overlay) = &self.overlay {
            copy(overlay, to)?;
            std::fs::remove_file(to.join("expect.toml"))?;
        }
        Ok(())
    }

    /// What is not as expected; empty when all is.
    fn compare(&self, report: &Report) -> Vec<String> {
        let mut wrong = Vec::new();
        let failed: BTreeSet<&str> = report.standing(Standing::Missed).map(|c| c.card.id.as_str()).collect();
        let expected: BTreeSet<&str> = self.fail.iter().map(String::as_str).collect();
        if self.below_full {
            let full = report.exit_code == 0;
            let graded = matches!(report.outcome, Outcome::Graded | Outcome::Invalid(_));
            if full || !graded {
                wrong.push(format!("le départ doit être noté sous le maximum (sortie {})", report.exit_code));
            }
            return wrong;
        }
        for id in failed.difference(&expected) {
            wrong.push(format!("« {id} » est manqué et ne devrait pas l'être"));
        }
        for id in expected.difference(&failed) {
            wrong.push(format!("« {id} » devrait être manqué et ne l'est pas"));
        }
        let graded = matches!(report.outcome, Outcome::Graded);
        for check in report.standing(Standing::Ungraded).filter(|_| graded) {
            wrong.push(format!("« {} » n'est pas noté", check.card.id));
        }
        let exit = self.exit.unwrap_or(u8::from(!self.fail.is_empty()));
        if report.exit_code != exit {
            wrong.push(format!("code de sortie {} au lieu de {exit}", report.exit_code));
        }
        wrong
    }
}

/// Copies a folder of ours, links as links.
pub(super) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// `grader lab test`
pub async fn test(args: &LabTest, global: &Global) -> ExitCode {
    match test_all(args, global).await {
        Ok(code) => code,
        Err(e) => shell::fault(&e),
    }
}

async fn test_all(args: &LabTest, global: &Global) -> Result<ExitCode, Fault> {
    let labs = places::labs()?;
    let bad = |what: String| Fault::new(FaultKind::Lab, what, "corrigez le TP, puis relancez");
    let lab = lab::load(&labs, &args.lab).map_err(|e| bad(e.to_string()))?;
    let mut variants = read(&lab).map_err(bad)?;
    if let Some(filter) = &args.filter {
        variants.retain(|v| v.name.contains(filter.as_str()));
    }
    if args.core {
        variants.retain(|v| !v.extended);
    }
    let engine = Engine::connect().await?;
    engine::clean(&engine, false).await?;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    // A check waits for its stack during about a third of its time: one more
    // than the cores keeps them busy.
    let jobs = args.jobs.unwrap_or(cores + 1).max(1);
    let (start, total) = (Instant::now(), variants.len());
    shell::say(&format!("TP {} · {total} copies, {jobs} de front", lab.id));
    let runs = variants.iter().map(|variant| {
        let (engine, lab, labs) = (&engine, &lab, &labs);
        async move { (variant, one(engine, lab, labs, variant, args, global).await) }
    });
    let work = async {
        let mut stream = futures_util::stream::iter(runs).buffer_unordered(jobs);
        let (mut passed, mut wrong, mut doubtful) = (0, 0, Vec::new());
        while let Some((variant, outcome)) = stream.next().await {
            match outcome? {
                Conformity::Right => passed += 1,
                Conformity::Wrong => wrong += 1,
                Conformity::Doubtful => doubtful.push(variant),
            }
        }
        drop(stream);
        // What the load made doubtful is run again alone, once.
        let again = doubtful.len();
        for variant in doubtful {
            match one(&engine, &lab, &labs, variant, args, global).await? {
                Conformity::Right => passed += 1,
                Conformity::Wrong | Conformity::Doubtful => wrong += 1,
            }
        }
        Ok::<_, Fault>((passed, wrong, again))
    };
    let (passed, wrong, again) = tokio::select! {
        done = work => done?,
        () = shell::interrupted() => {
            engine::clean(&engine, false).await?;
            return Ok(ExitCode::Interrupted);
        }
    };
    let left = engine::inventory(&engine).await?;
    shell::say(&format!(
        "TP {} · {passed} conformes, {wrong} non conformes ({again} relancées seules), en {:.0} s · reste : {}",
        lab.id,
        start.elapsed().as_secs_f64(),
        shell::inventory(&left)
    ));
    Ok(if wrong == 0 { ExitCode::Passed } else { ExitCode::Failed })
}

/// How a variant's report compares with what is expected of it.
enum Conformity {
    Right,
    Wrong,
    /// Something could not be judged on this machine at that moment.
    Doubtful,
}

/// Grades one variant and says whether all is as expected.
async fn one(
    engine: &Engine,
    lab: &Lab,
    labs: &Path,
    variant: &Variant,
    args: &LabTest,
    global: &Global,
) -> Result<Conformity, Fault> {
    let io = |e: std::io::Error| {
        Fault::new(
            FaultKind::Lab,
            format!("la variante « {} » ne s'assemble pas", variant.name),
            "corrigez-la",
        )
        .detail(e)
    };
    let temp = tempfile::tempdir().map_err(io)?;
    let dir = temp.path().join("copie");
    variant.assemble(lab, &dir).map_err(io)?;
    let options = RunOptions {
        label: variant.name.clone(),
        dir,
        images: args.images.into(),
        recipes: labs.join("images"),
        only: None,
        real_time: args.real_time,
        timeout: global.timeout,
    };
    let events: Mutex<Vec<Event>> = Mutex::default();
    let start = Instant::now();
    run(engine, lab, &options, std::future::pending(), &|event| {
        if let Ok(mut events) = events.lock() {
            events.push(event);
        }
    })
    .await;
    let report = Report::fold(events.into_inner().unwrap_or_default());
    let wrong = variant.compare(&report);
    let note = report.score.as_ref().map_or_else(|| "non noté".to_owned(), human::note_of);
    let mark = if wrong.is_empty() { "✓ conforme " } else { "✗ NON CONFORME" };
    shell::say(&format!("{mark} {:<44} {note:>10}  {:>5.1} s", variant.name, start.elapsed().as_secs_f64()));
    for line in &wrong {
        shell::say(&format!("    {line}"));
    }
    if args.show || !wrong.is_empty() {
        let text = human::render(&report, Options { width: 100, ..Options::default() });
        for line in text.lines() {
            shell::say(&format!("    │ {line}"));
        }
    }
    Ok(match (wrong.is_empty(), report.exit_code) {
        (true, _) => Conformity::Right,
        (false, 4) => Conformity::Doubtful,
        (false, _) => Conformity::Wrong,
    })
}
