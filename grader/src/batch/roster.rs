//! The class list: any CSV of which one column names the folders, and who handed in what.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::folders::{Folder, Found};
use super::names::{Keys, contains, folded};
use crate::french;

/// Headers that say that a column names the folder, [`folded`].
const NAMED: [&str; 10] =
    ["dossier", "folder", "depot", "repository", "repo", "rendu", "login", "identifiant", "username", "key"];

/// Shortest value sought inside the names of folders, characters.
const WORTH: usize = 4;

/// A class list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Names of the columns, each different.
    pub columns: Vec<String>,
    /// Rows, as many cells as columns.
    pub rows: Vec<Vec<String>>,
}

impl Roster {
    /// Reads a list: UTF-8, UTF-16 or Windows-1252; comma, semicolon or tab. `Err` is a French message.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = decoded(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator(&text))
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|e| format!("la liste de la classe ne se lit pas ({e})"))?;
            let cells: Vec<String> = row.iter().map(str::to_owned).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                rows.push(cells);
            }
        }
        if rows.is_empty() {
            return Err("la liste de la classe est vide".to_owned());
        }
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        for row in &mut rows {
            row.resize(width, String::new());
        }
        let columns = distinct(rows.remove(0));
        Ok(Self { columns, rows })
    }
}

/// Text of a file that some spreadsheet wrote.
fn decoded(bytes: &[u8]) -> String {
    if let Some((encoding, bom)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[bom..]).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The commonest separator of the first line.
fn separator(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |c: u8| line.bytes().filter(|b| *b == c).count();
    [b';', b'\t', b','].into_iter().rev().max_by_key(|c| count(*c)).unwrap_or(b',')
}

/// Headers made different from each other, and never empty.
fn distinct(headers: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let name = |(at, header): (usize, String)| {
        let header = if header.is_empty() { format!("colonne {}", at + 1) } else { header };
        let again = |n: usize| if n == 1 { header.clone() } else { format!("{header} ({n})") };
        // Among one name more than there are taken, one is free.
        (1..=seen.len() + 1).map(again).find(|name| seen.insert(name.clone())).unwrap_or_default()
    };
    headers.into_iter().enumerate().map(name).collect()
}

/// A line of the gradebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Unique in the class, a safe file name.
    pub key: String,
    /// For people.
    pub name: String,
    /// The row of the list, by column.
    pub identity: BTreeMap<String, String>,
    /// What was handed in.
    pub folder: Option<Folder>,
    /// Key under which the folder is graded: that of the first student who hands it in.
    pub graded_as: String,
    /// French: why there is no folder.
    pub why: String,
}

/// The class, and what is to be said of how it was put together (French, a line each).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// In the order of the list, then the folders that it does not know, by name.
    pub entries: Vec<Entry>,
    /// Remarks.
    pub told: Vec<String>,
}

/// Puts the class together from what was handed in and its list, if there is one.
pub fn put_together(found: &Found, roster: Option<&Roster>) -> Put {
    let mut put = Put::default();
    if !found.files.is_empty() {
        put.told.push(format!("à côté des dossiers, laissé de côté : {}", found.files.join(", ")));
    }
    if !found.links.is_empty() {
        put.told.push(format!("liens symboliques, non suivis : {}", found.links.join(", ")));
    }
    // Folders come first, so that the key of one does not depend on the list.
    let mut keys = Keys::default();
    let of_folders: Vec<String> = found.folders.iter().map(|f| keys.give(&f.name)).collect();
    let mut taken: HashMap<usize, String> = HashMap::new();
    if let Some(roster) = roster {
        listed(found, roster, &of_folders, &mut keys, &mut taken, &mut put);
    }
    let mut unknown = 0;
    for (at, folder) in found.folders.iter().enumerate() {
        if !taken.contains_key(&at) {
            unknown += 1;
            put.entries.push(Entry {
                key: of_folders[at].clone(),
                name: folder.name.clone(),
                identity: BTreeMap::new(),
                folder: Some(folder.clone()),
                graded_as: of_folders[at].clone(),
                why: String::new(),
            });
        }
    }
    if roster.is_some() && unknown > 0 {
        let (one, many) =
            ("dossier hors de la liste, corrigé et placé", "dossiers hors de la liste, corrigés et placés");
        put.told.push(format!("{} à la fin", french::count(unknown, one, many)));
    }
    put
}

fn listed(
    found: &Found,
    roster: &Roster,
    of_folders: &[String],
    keys: &mut Keys,
    taken: &mut HashMap<usize, String>,
    put: &mut Put,
) {
    let folders = Seek::of(found);
    let column = column(roster, &folders);
    let title = roster.columns.get(column).map_or("", String::as_str);
    let (mut seen, mut rows) = (HashSet::new(), 0);
    for row in &roster.rows {
        if !seen.insert(row) {
            put.told.push(format!("deux fois dans la liste, compté une fois : {}", row.join(", ")));
            continue;
        }
        let value = row.get(column).map_or("", String::as_str);
        let at = folders.folder(value).map(|(at, _)| at);
        rows += usize::from(at.is_some());
        let link = found.links.iter().any(|link| link == value);
        let identity = roster.columns.iter().cloned().zip(row.iter().cloned()).collect();
        let (key, graded_as) = match at {
            Some(at) => match taken.get(&at) {
                Some(first) => {
                    put.told
                        .push(format!("« {} » est rendu à plusieurs : même note", found.folders[at].name));
                    (keys.give(value), first.clone())
                }
                None => {
                    taken.insert(at, of_folders[at].clone());
                    (of_folders[at].clone(), of_folders[at].clone())
                }
            },
            None => {
                let key = keys.give(value);
                (key.clone(), key)
            }
        };
        put.entries.push(Entry {
            key,
            name: if value.is_empty() { row.join(" ") } else { value.to_owned() },
            identity,
            folder: at.map(|at| found.folders[at].clone()),
            graded_as,
            why: if link {
                "c'est un lien symbolique, qui n'est pas suivi".to_owned()
            } else {
                String::new()
            },
        });
    }
    put.told.push(format!(
        "liste : la colonne « {title} » désigne les dossiers ({rows} trouvés pour {} lignes)",
        seen.len()
    ));
}

/// Folders by name, and by name as people write it.
struct Seek {
    exact: HashMap<String, usize>,
    folded: Vec<String>,
}

impl Seek {
    fn of(found: &Found) -> Self {
        let names = || found.folders.iter().map(|f| f.name.as_str());
        Self {
            exact: names().enumerate().map(|(at, name)| (name.to_owned(), at)).collect(),
            folded: names().map(folded).collect(),
        }
    }

    /// The folder that `value` names, and how surely (3: its very name; 2: but for case and accents;
    /// 1: it is the only one whose name contains it).
    fn folder(&self, value: &str) -> Option<(usize, usize)> {
        if let Some(at) = self.exact.get(value) {
            return Some((*at, 3));
        }
        let value = folded(value);
        let only = |test: &dyn Fn(&str) -> bool| {
            let mut all = self.folded.iter().enumerate().filter(|(_, name)| test(name)).map(|(at, _)| at);
            all.next().filter(|_| all.next().is_none())
        };
        let same = only(&|name| !value.is_empty() && name == value).map(|at| (at, 2));
        let inside = || only(&|name| contains(name, &value)).map(|at| (at, 1));
        same.or_else(|| if value.chars().count() >= WORTH { inside() } else { None })
    }
}

/// The column that names the folders: the one that names them best; among equals, one whose header
/// says so, then the first.
fn column(roster: &Roster, seek: &Seek) -> usize {
    let worth = |at: usize| {
        let sure: usize =
            roster.rows.iter().filter_map(|row| seek.folder(row.get(at)?)).map(|(_, s)| s).sum();
        let title = folded(&roster.columns[at]);
        (sure, usize::from(NAMED.contains(&title.as_str())))
    };
    (0..roster.columns.len()).rev().max_by_key(|at| worth(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
