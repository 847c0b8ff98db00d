//! Which line of a platform's file is whose: by identifiers and addresses that are the same, nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::Row;

/// What a column identifies a student by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// An address.
    Email,
    /// A login.
    Login,
    /// A number given by the school.
    Number,
    /// Moodle's number of a participant.
    Participant,
    /// Canvas's own number.
    Canvas,
}

/// The headers that say so, folded.
const HEADERS: [(Id, &[&str]); 5] = [
    (
        Id::Email,
        &[
            "adresse de courriel",
            "adresse courriel",
            "courriel",
            "email",
            "e-mail",
            "mail",
            "email address",
            "adresse e-mail",
            "adresse email",
            "adresse mail",
        ],
    ),
    (Id::Login, &["nom d'utilisateur", "username", "login", "sis login id", "login id", "compte"]),
    (
        Id::Number,
        &[
            "numero d'identification",
            "id number",
            "idnumber",
            "numero etudiant",
            "numero",
            "n° etudiant",
            "matricule",
            "student id",
            "student number",
            "sis user id",
        ],
    ),
    (Id::Participant, &["identifiant", "identifier", "participant"]),
    (Id::Canvas, &["id", "canvas id", "canvas user id"]),
];

/// What a header says that its column holds.
pub fn id(header: &str) -> Option<Id> {
    let header = folded(header);
    HEADERS.iter().find(|(_, names)| names.contains(&header.as_str())).map(|(id, _)| id.clone())
}

/// Lower case, no accents that matter here, plain apostrophes and spaces.
pub fn folded(text: &str) -> String {
    let plain = |c: char| match c {
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'à' | 'â' => 'a',
        'ù' | 'û' => 'u',
        'î' | 'ï' => 'i',
        'ô' => 'o',
        'ç' => 'c',
        '’' => '\'',
        '\u{a0}' | '\u{202f}' => ' ',
        _ => c,
    };
    text.trim().trim_start_matches('\u{feff}').to_lowercase().chars().map(plain).collect()
}

/// A value as it is compared.
fn value(id: &Id, text: &str) -> String {
    let text = text.trim();
    match id {
        Id::Email => text.to_lowercase(),
        // « Participant 12345 » in the file, 12345 in the names of the folders that Moodle makes.
        Id::Participant => text.rsplit(' ').next().unwrap_or_default().to_owned(),
        Id::Login | Id::Number | Id::Canvas => text.to_owned(),
    }
}

/// What is known of the lines of a file.
#[derive(Debug, Default)]
pub struct Lines {
    by: BTreeMap<(Id, String), BTreeSet<usize>>,
}

impl Lines {
    /// Notes one identifier of a line.
    pub fn note(&mut self, line: usize, id: &Id, text: &str) {
        let value = value(id, text);
        if !value.is_empty() {
            self.by.entry((id.clone(), value)).or_default().insert(line);
        }
    }

    /// The lines that a submission may be.
    fn of(&self, row: &Row) -> BTreeSet<usize> {
        let mut keys: Vec<(Id, String)> =
            row.identity.iter().filter_map(|(header, text)| Some((id(header)?, text.clone()))).collect();
        if let Some(number) = participant(&row.folder) {
            keys.push((Id::Participant, number.to_owned()));
        }
        if keys.is_empty() {
            // Without a class list, a folder may be named after an identifier.
            keys.extend([Id::Email, Id::Login, Id::Number].map(|id| (id, row.folder.clone())));
        }
        // « identifiant » is a login in many a class list, and Moodle's number in its own files.
        let logins =
            keys.iter().filter(|(id, _)| *id == Id::Participant).map(|(_, text)| (Id::Login, text.clone()));
        let logins: Vec<_> = logins.collect();
        let all = keys.iter().chain(&logins);
        all.filter_map(|(id, text)| self.by.get(&(id.clone(), value(id, text)))).flatten().copied().collect()
    }
}

/// The number in « Nom Prénom_12345_assignsubmission_file ».
fn participant(folder: &str) -> Option<&str> {
    let (before, _) = folder.split_once("_assignsubmission_")?;
    let number = before.rsplit('_').next()?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(number)
}

/// Who is where.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Index of a submission → line.
    pub found: BTreeMap<usize, usize>,
    /// Submissions that no line is.
    pub unknown: Vec<usize>,
    /// Submissions that several lines may be, or that share a line.
    pub ambiguous: Vec<(usize, Vec<usize>)>,
}

/// Finds the line of each submission.
pub fn find(rows: &[Row], lines: &Lines) -> Match {
    let mut found = Match::default();
    let mut claims: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let of = lines.of(row);
        match (of.len(), of.first()) {
            (1, Some(line)) => claims.entry(*line).or_default().push(index),
            (0, _) | (_, None) => found.unknown.push(index),
            _ => found.ambiguous.push((index, of.into_iter().collect())),
        }
    }
    for (line, who) in claims {
        match who.as_slice() {
            [one] => _ = found.found.insert(*one, line),
            many => found.ambiguous.extend(many.iter().map(|index| (*index, vec![line]))),
        }
    }
    found.ambiguous.sort();
    found
}
