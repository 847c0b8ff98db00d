//! A CSV file of which some cells are replaced and every other byte stays.

use std::borrow::Cow;
use std::ops::Range;

use csv_core::{ReadFieldResult, ReaderBuilder};
use encoding_rs::WINDOWS_1252;

/// Separators that platforms use.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One cell: where it is, quotes included, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    at: Range<usize>,
    text: String,
}

/// A file, read.
#[derive(Clone, Debug)]
pub struct Sheet {
    bytes: Vec<u8>,
    rows: Vec<Vec<Cell>>,
    /// Between two cells.
    pub separator: u8,
    is_utf8: bool,
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl Sheet {
    /// Reads a file. `Err` is a French message.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.starts_with(b"PK\x03\x04") {
            return Err("c'est un classeur, pas un fichier CSV : exportez en CSV (texte)".to_owned());
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
            return Err(
                "le fichier est en UTF-16 ou n'est pas un texte : exportez-le en CSV UTF-8".to_owned()
            );
        }
        let is_utf8 = std::str::from_utf8(&bytes).is_ok();
        let first = bytes.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
        let count = |c: &u8| first.split(|b| b == c).count();
        // The commonest in the header; of equals, the first.
        let separator = SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b',');
        let rows = cells(&bytes, separator, is_utf8);
        if rows.is_empty() {
            return Err("le fichier est vide".to_owned());
        }
        Ok(Self { bytes, rows, separator, is_utf8, edits: Vec::new() })
    }

    /// Number of rows, the header included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The cells of the header.
    pub fn header(&self) -> impl Iterator<Item = &str> {
        self.rows[0].iter().map(|cell| cell.text.trim())
    }

    /// What a cell says; nothing where the row is too short.
    pub fn get(&self, row: usize, column: usize) -> Option<&str> {
        Some(&self.rows.get(row)?.get(column)?.text)
    }

    /// Replaces a cell, quoted when it was, or must be. False where there is no such cell.
    pub fn set(&mut self, row: usize, column: usize, text: &str) -> bool {
        let Some(cell) = self.rows.get(row).and_then(|row| row.get(column)) else { return false };
        let was_quoted = self.bytes[cell.at.clone()].first() == Some(&b'"');
        let must = text.contains(['"', '\n', '\r', char::from(self.separator)]) || text.trim() != text;
        let text = if was_quoted || must {
            Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
        } else {
            Cow::Borrowed(text)
        };
        let bytes =
            if self.is_utf8 { text.as_bytes().to_vec() } else { WINDOWS_1252.encode(&text).0.into_owned() };
        self.edits.push((cell.at.clone(), bytes));
        true
    }

    /// The file with its new cells.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.edits.sort_by_key(|(at, _)| at.start);
        let mut out = Vec::with_capacity(self.bytes.len() + 16 * self.edits.len());
        let mut from = 0;
        for (at, bytes) in self.edits {
            out.extend_from_slice(&self.bytes[from..at.start]);
            out.extend_from_slice(&bytes);
            from = at.end;
        }
        out.extend_from_slice(&self.bytes[from..]);
        out
    }
}

/// Every cell with its place. Blank lines make no row.
fn cells(bytes: &[u8], separator: u8, is_utf8: bool) -> Vec<Vec<Cell>> {
    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    let mut out = vec![0; bytes.len().max(1)];
    let mut at = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    loop {
        let (mut result, read, mut written) = reader.read_field(&bytes[at..], &mut out);
        let (mut from, mut to) = (at, at + read);
        at = to;
        if matches!(result, ReadFieldResult::InputEmpty) {
            // The end of the input has to be told.
            let (last, _, more) = reader.read_field(&[], &mut out[written..]);
            (result, written) = (last, written + more);
        }
        let ReadFieldResult::Field { record_end } = result else { return rows };
        if row.is_empty() {
            // What is left of the previous line's end, and blank lines.
            from += bytes[from..to].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        }
        let ends = |b: u8| if record_end { matches!(b, b'\r' | b'\n') } else { b == separator };
        if to > from && ends(bytes[to - 1]) {
            to -= 1;
        }
        row.push(Cell { at: from..to, text: decode(&out[..written], is_utf8) });
        if record_end {
            rows.push(std::mem::take(&mut row));
        }
    }
}

fn decode(bytes: &[u8], is_utf8: bool) -> String {
    if is_utf8 {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
    }
}
