//! Moodle's and Canvas's own exported files, filled.

use super::Row;
use super::matching::{self, Lines, folded};
use super::sheet::Sheet;
use crate::french;
use crate::report::class::Fate;
use crate::reporter::clean;
use crate::reporter::encode::csv::{self, number};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// A worksheet of an assignment, or an export of the gradebook.
    Moodle,
    /// An export of the gradebook.
    Canvas,
}

/// How a file is to be filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Header of the column of notes; sought when absent.
    pub column: Option<String>,
    /// Zero for what is refused, invalid or not handed in.
    pub zero: bool,
    /// Fill the column of comments too, where there is one.
    pub comments: bool,
}

/// A filled file and what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The file.
    pub bytes: Vec<u8>,
    /// Cells of notes written.
    pub written: usize,
    /// French lines: who has none, and why.
    pub told: Vec<String>,
}

/// Headers of the columns of a Moodle worksheet, folded.
const GRADE: [&str; 2] = ["note", "grade"];
const MAXIMUM: [&str; 2] = ["note maximale", "maximum grade"];
const COMMENTS: [&str; 3] = ["feedback par commentaires", "feedback comments", "commentaires de feedback"];
const NAMES: [&str; 6] = ["nom complet", "full name", "student", "etudiant", "nom de famille", "nom"];
const POSSIBLE: [&str; 3] = ["points possible", "points possibles", "nombre de points possible"];

/// Fills `bytes`. `Err` is a French message; nothing is written then.
pub fn fill(platform: Platform, bytes: Vec<u8>, rows: &[Row], wanted: &Wanted) -> Result<Filled, String> {
    let mut sheet = Sheet::read(bytes)?;
    let header: Vec<String> = sheet.header().map(str::to_owned).collect();
    let column = grade_column(platform, &header, wanted)?;
    let ids: Vec<(usize, matching::Id)> =
        header.iter().enumerate().filter_map(|(at, name)| Some((at, matching::id(name)?))).collect();
    if ids.is_empty() {
        return Err(format!(
            "aucune colonne d'identifiant ni d'adresse n'est reconnue ; colonnes du fichier : {}",
            listed(&header)
        ));
    }
    let students: Vec<usize> = (1..sheet.len()).filter(|line| is_student(platform, &sheet, *line)).collect();
    let mut lines = Lines::default();
    for &line in &students {
        for (at, id) in &ids {
            lines.note(line, id, sheet.get(line, *at).unwrap_or_default());
        }
    }
    let found = matching::find(rows, &lines);
    let scale = Scale::of(platform, &sheet, &header, column);
    let comments = wanted.comments.then(|| position(&header, &COMMENTS)).flatten();
    let mut filled = Filled { bytes: Vec::new(), written: 0, told: Vec::new() };
    for (index, line) in &found.found {
        let row = &rows[*index];
        let written = write(&mut sheet, row, (*line, column), &scale, wanted, &mut filled);
        if let (Some(at), true, false) = (comments, written, row.comment.is_empty()) {
            sheet.set(*line, at, &csv::text(&escaped(&row.comment)));
        }
    }
    let who = |line: &usize| named(&sheet, &header, *line);
    for (index, of) in &found.ambiguous {
        let of: Vec<String> = of.iter().map(who).collect();
        filled.told.push(format!(
            "ambigu : « {} » peut être {}, ou partage cette ligne ; rien n'est écrit",
            clean::inline(rows[*index].name()),
            of.join(" ou ")
        ));
    }
    for index in &found.unknown {
        let name = clean::inline(rows[*index].name());
        filled.told.push(format!("absent du fichier : « {name} » ; sa note n'est écrite nulle part"));
    }
    let taken: Vec<usize> =
        found.found.values().copied().chain(found.ambiguous.iter().flat_map(|(_, of)| of.clone())).collect();
    for line in students.iter().filter(|line| !taken.contains(line)) {
        filled.told.push(format!("sans copie : {} ; sa ligne reste telle quelle", who(line)));
    }
    filled.bytes = sheet.into_bytes();
    Ok(filled)
}

/// Writes one note, or says why there is none and gives false.
fn write(
    sheet: &mut Sheet,
    row: &Row,
    (line, column): (usize, usize),
    scale: &Scale,
    wanted: &Wanted,
    filled: &mut Filled,
) -> bool {
    let name = clean::inline(row.name());
    let zero = wanted.zero && row.standing.may_be_zero();
    let note = row.on(scale.max).filter(|_| row.standing == Fate::Graded).or(zero.then_some(0.0));
    let Some(note) = note else {
        if let Some(settled) = row.settled.as_ref().filter(|settled| !settled.partly.is_empty()) {
            let partly = &settled.partly;
            filled
                .told
                .push(format!("contrôles cachés : « {name} » ({partly}) ; sa note reste telle quelle"));
            return wanted.comments;
        }
        filled.told.push(format!("{} : « {name} » ; sa note reste telle quelle", row.standing.french()));
        return false;
    };
    let written = sheet.set(line, column, &number(note, scale.comma));
    if written {
        filled.written += 1;
    } else {
        filled.told.push(format!("ligne {} trop courte : la note de « {name} » n'est pas écrite", line + 1));
    }
    written
}

/// How notes are written in a file.
struct Scale {
    max: f64,
    comma: bool,
}

impl Scale {
    fn of(platform: Platform, sheet: &Sheet, header: &[String], column: usize) -> Self {
        let maximum = match platform {
            Platform::Moodle => {
                position(header, &MAXIMUM).and_then(|at| (1..sheet.len()).find_map(|l| sheet.get(l, at)))
            }
            Platform::Canvas => {
                (1..sheet.len()).find(|l| is_possible(sheet, *l)).and_then(|l| sheet.get(l, column))
            }
        };
        let parse = |text: &str| text.trim().replace(',', ".").parse::<f64>().ok().filter(|max| *max > 0.0);
        // The mark of decimals that the file shows; else the one that goes with its separator.
        let seen = maximum.into_iter().chain((1..sheet.len()).filter_map(|line| sheet.get(line, column)));
        let mark = seen
            .filter(|text| parse(text).is_some())
            .find_map(|text| text.chars().find(|c| matches!(c, ',' | '.')));
        Self {
            max: maximum.and_then(parse).unwrap_or(20.0),
            comma: mark.map_or(sheet.separator == b';', |mark| mark == ','),
        }
    }
}

/// The column of notes.
fn grade_column(platform: Platform, header: &[String], wanted: &Wanted) -> Result<usize, String> {
    let ask = |what: &str| {
        Err(format!("{what} ; donnez-la : --column « … ». Colonnes du fichier : {}", listed(header)))
    };
    // Canvas adds its number: « TP 02 (12345) ».
    let bare = |name: &str| match name.rsplit_once(" (") {
        Some((bare, number)) if platform == Platform::Canvas && is_number(number) => bare.trim().to_owned(),
        _ => name.to_owned(),
    };
    let candidates: Vec<usize> = match (&wanted.column, platform) {
        (Some(asked), _) => {
            let same = |name: &(usize, &String)| folded(name.1) == folded(asked);
            let exact: Vec<usize> = header.iter().enumerate().filter(same).map(|(at, _)| at).collect();
            if exact.is_empty() {
                let same = |name: &String| folded(&bare(name)) == folded(asked);
                (0..header.len()).filter(|at| same(&header[*at])).collect()
            } else {
                exact
            }
        }
        (None, Platform::Moodle) => {
            (0..header.len()).filter(|at| GRADE.contains(&folded(&header[*at]).as_str())).collect()
        }
        (None, Platform::Canvas) => (0..header.len())
            .filter(|at| header[*at].rsplit_once(" (").is_some_and(|(_, n)| is_number(n)))
            .collect(),
    };
    match (candidates.as_slice(), &wanted.column) {
        ([one], _) if matching::id(&header[*one]).is_some() => {
            ask("cette colonne identifie les étudiants et ne peut pas recevoir de notes")
        }
        ([one], _) => Ok(*one),
        ([], Some(_)) => ask("cette colonne n'est pas dans le fichier"),
        ([], None) => ask("la colonne des notes n'est pas reconnue"),
        _ => ask("plusieurs colonnes peuvent recevoir les notes"),
    }
}

/// `12345)`
fn is_number(text: &str) -> bool {
    text.strip_suffix(')').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Canvas puts lines of its own between the header and the students.
fn is_student(platform: Platform, sheet: &Sheet, line: usize) -> bool {
    let first = sheet.get(line, 0).unwrap_or_default();
    match platform {
        Platform::Moodle => true,
        Platform::Canvas => !is_possible(sheet, line) && !first.trim().is_empty(),
    }
}

fn is_possible(sheet: &Sheet, line: usize) -> bool {
    sheet.get(line, 0).is_some_and(|text| POSSIBLE.contains(&folded(text).as_str()))
}

fn position(header: &[String], names: &[&str]) -> Option<usize> {
    header.iter().position(|name| names.contains(&folded(name).as_str()))
}

/// What a person knows a line by.
fn named(sheet: &Sheet, header: &[String], line: usize) -> String {
    let at = position(header, &NAMES).unwrap_or(0);
    format!("« {} » (ligne {})", clean::inline(sheet.get(line, at).unwrap_or_default().trim()), line + 1)
}

fn listed(header: &[String]) -> String {
    let names: Vec<String> = header.iter().map(|name| format!("« {} »", clean::inline(name))).collect();
    french::list(&names)
}

/// A platform reads comments as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
