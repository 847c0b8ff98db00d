//! Platforms' files filled, compared byte for byte outside of the filled cells.

use proptest::prelude::*;

use super::matching::{self, Lines};
use super::sheet::Sheet;
use super::*;
use crate::report::{Report, sample};
use crate::reporter::encode::csv::Dialect;

const FRENCH: &[u8] = include_bytes!("fixtures/moodle-fr.csv");
const ENGLISH: &[u8] = include_bytes!("fixtures/moodle-en.csv");
const CANVAS: &[u8] = include_bytes!("fixtures/canvas.csv");

fn row(key: &str, identity: &[(&str, &str)], note: Option<f64>, standing: Fate) -> Row {
    Row {
        key: key.into(),
        folder: key.into(),
        identity: identity.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        note,
        max: 40.0,
        standing,
        comment: "Manqué : « web » <trouve> « bdd ».".into(),
        settled: None,
        report: None,
    }
}

fn class() -> Vec<Row> {
    vec![
        row("dupre", &[("Courriel", "zoe.dupre@ecole.example"), ("nom", "Dupré")], Some(29.0), Fate::Graded),
        row("leon", &[("Courriel", "martin.leon@ecole.example")], None, Fate::NotGraded),
        row("sousa", &[("Courriel", "ana.sousa@ecole.example")], None, Fate::Missing),
        row("inconnu", &[("Courriel", "qui@ailleurs.example")], Some(40.0), Fate::Graded),
    ]
}

fn filled(platform: Platform, bytes: &[u8], rows: &[Row], wanted: &Wanted) -> (String, Filled) {
    let filled = fill(platform, bytes.to_vec(), rows, wanted).expect("filled");
    (String::from_utf8(filled.bytes.clone()).expect("UTF-8"), filled)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn moodle_in_french() {
    let (said, filled) = filled(Platform::Moodle, FRENCH, &class(), &Wanted::default());
    // Nothing else changes: the byte order mark, the line ends, the quotes, the note given by hand.
    let wanted = text(FRENCH).replace(
        "évaluation - \",,\"20,00\",Oui,\"samedi",
        "évaluation - \",\"14,5\",\"20,00\",Oui,\"samedi",
    );
    assert_eq!(said, wanted);
    assert_eq!(filled.written, 1);
    assert_eq!(
        filled.told,
        [
            "non noté : « leon » ; sa note reste telle quelle",
            "non rendu : « sousa » ; sa note reste telle quelle",
            "absent du fichier : « inconnu » ; sa note n'est écrite nulle part",
            "sans copie : « =Alex, Bo » (ligne 5) ; sa ligne reste telle quelle",
        ]
    );
}

#[test]
fn moodle_in_english_with_comments_and_zeros() {
    let wanted = Wanted { comments: true, zero: true, ..Wanted::default() };
    let (said, filled) = filled(Platform::Moodle, ENGLISH, &class(), &wanted);
    let comment = "Manqué : « web » &lt;trouve&gt; « bdd ».";
    let expected = text(ENGLISH)
        .replace("grading - \",,100.00,Yes,-,\n", &format!("grading - \",72.5,100.00,Yes,-,{comment}\n"))
        .replace("submission\",,100.00,Yes,-,", &format!("submission\",0,100.00,Yes,-,{comment}"));
    assert_eq!(said, expected);
    assert_eq!(filled.written, 2);
}

#[test]
fn canvas() {
    let rows = vec![
        row("a", &[("login", "zdupre")], Some(29.0), Fate::Graded),
        row("b", &[("numéro étudiant", "20262")], Some(40.0), Fate::Graded),
        row("c", &[("SIS User ID", "20263"), ("login", "asousa")], None, Fate::Refused),
    ];
    let column = |name: &str| Wanted { column: Some(name.to_owned()), ..Wanted::default() };
    let (said, filled) = filled(Platform::Canvas, CANVAS, &rows, &column("tp 02"));
    let expected = text(CANVAS).replace("18.00,,18.00", "18.00,29,18.00").replace("12.50,31.00", "12.50,40");
    assert_eq!(said, expected);
    assert_eq!(filled.written, 2);
    assert_eq!(
        filled.told,
        [
            "refusé : « c » ; sa note reste telle quelle",
            "sans copie : « Student, Test » (ligne 7) ; sa ligne reste telle quelle",
        ]
    );
    // Two columns may take the notes: nothing is chosen.
    let unsure = fill(Platform::Canvas, CANVAS.to_vec(), &rows, &Wanted::default());
    assert!(unsure.is_err_and(|e| e.contains("plusieurs colonnes") && e.contains("« TP 01 (771) »")));
    for wrong in ["ID", "TP 03"] {
        assert!(fill(Platform::Canvas, CANVAS.to_vec(), &rows, &column(wrong)).is_err());
    }
}

#[test]
fn nothing_is_guessed() {
    let twice = vec![
        row("a", &[("email", "zoe.dupre@ecole.example")], Some(1.0), Fate::Graded),
        row("b", &[("email", "zoe.dupre@ecole.example")], Some(2.0), Fate::Graded),
        // Two identifiers that contradict each other.
        row("c", &[("email", "ana.sousa@ecole.example"), ("numéro", "20262")], Some(3.0), Fate::Graded),
        // A name is no identifier.
        row("d", &[("nom complet", "Martin Léon")], Some(4.0), Fate::Graded),
        row("Martin Léon", &[], Some(4.0), Fate::Graded),
    ];
    let (said, filled) = filled(Platform::Moodle, ENGLISH, &twice, &Wanted::default());
    assert_eq!(said, text(ENGLISH));
    assert_eq!(filled.written, 0);
    assert_eq!(filled.told.iter().filter(|line| line.starts_with("ambigu")).count(), 3, "{:#?}", filled.told);
    assert_eq!(filled.told.iter().filter(|line| line.starts_with("absent")).count(), 2, "{:#?}", filled.told);
}

#[test]
fn the_folders_that_moodle_makes_carry_its_number() {
    let rows = vec![row("Sousa Ana_1203_assignsubmission_file", &[], Some(40.0), Fate::Graded)];
    let (said, _) = filled(Platform::Moodle, FRENCH, &rows, &Wanted::default());
    assert_eq!(said, text(FRENCH).replace("remis\",,", "remis\",20,"));
}

#[test]
fn other_encodings_and_separators() {
    let windows = encoding_rs::WINDOWS_1252
        .encode("Prénom;Numéro d'identification;TP 02;Note\r\nZoé;20261;8,5;\r\nÉva;20262;;\r\n")
        .0
        .into_owned();
    let rows = vec![row("a", &[("numéro", "20262")], Some(29.0), Fate::Graded)];
    let filled = fill(Platform::Moodle, windows.clone(), &rows, &Wanted::default()).expect("filled");
    let mut expected = windows;
    let end = expected.len() - 2;
    expected.splice(end..end, *b"14,5");
    assert_eq!(filled.bytes, expected);
    for wrong in [&b"PK\x03\x04"[..], b"\xff\xfea\0", b"", b"a,b\n1,2\n"] {
        assert!(fill(Platform::Moodle, wrong.to_vec(), &rows, &Wanted::default()).is_err());
    }
}

#[test]
fn a_spreadsheet_has_everyone() {
    let source = Source { rows: class(), is_class: true };
    let mut out = Vec::new();
    table(&source, Dialect::FRENCH, &mut out).expect("written");
    let said = text(&out);
    assert_eq!(said.lines().count(), 5);
    assert!(said.contains(";noté;14,5;29;40;") && said.contains(";non noté;;;40;"), "{said}");
}

#[test]
fn one_run_is_a_source() {
    let report = Report::fold(sample::missed());
    let json = serde_json::to_vec(&report).expect("JSON");
    let source = read(&json).expect("a report");
    assert!(!source.is_class && source.rows[0].standing == Fate::Graded);
    let journal: Vec<String> =
        sample::missed().iter().map(|e| serde_json::to_string(e).expect("JSON")).collect();
    assert_eq!(read(journal.join("\n").as_bytes()).expect("a journal").rows, source.rows);
    let results: serde_json::Value =
        serde_json::from_str(&gradescope(&source.rows[0]).expect("a note")).expect("JSON");
    assert_eq!((results["score"].as_f64(), results["tests"].as_array().map(Vec::len)), (Some(6.0), Some(9)));
    for events in [sample::mixed(), sample::not_graded()] {
        let json = serde_json::to_vec(&Report::fold(events)).expect("JSON");
        assert_eq!(gradescope(&read(&json).expect("a report").rows[0]), None);
    }
}

#[test]
fn a_class_is_a_source() {
    let report = serde_json::to_value(Report::fold(sample::missed())).expect("JSON");
    let class = serde_json::json!({
        "format": 1, "grader": "0.1.0", "lab": "02", "lab-title": "T", "max": 18.0, "checks": [], "columns": ["email"],
        "submissions": [
            { "key": "a", "folder": "A", "identity": { "email": "a@b" }, "attempts": 1,
              "result": { "standing": "graded", "score": report["score"], "checks": [] }, "report": report },
            { "key": "b", "result": { "standing": "not-graded", "score": null, "why": "panne" } },
        ],
    });
    let source = read(class.to_string().as_bytes()).expect("a class");
    assert!(source.is_class);
    assert_eq!((source.rows[0].note, source.rows[0].max), (Some(6.0), 18.0));
    assert_eq!((source.rows[1].note, source.rows[1].standing), (None, Fate::NotGraded));
    let mut out = Vec::new();
    junit(&source, &mut out).expect("written");
    assert_eq!(text(&out).matches("<testsuite ").count(), 2);
    assert!(read(br#"{"format": 9, "submissions": []}"#).is_err_and(|e| e.contains("format 9")));
}

#[test]
fn headers() {
    assert_eq!(matching::id("Adresse de courriel"), Some(matching::Id::Email));
    assert_eq!(matching::id("Numéro d’identification"), Some(matching::Id::Number));
    assert_eq!(matching::id("Nom complet"), None);
    let mut lines = Lines::default();
    lines.note(1, &matching::Id::Login, "");
    assert_eq!(matching::find(&[row("", &[], None, Fate::Graded)], &lines).unknown, [0]);
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zé ,;\"\n\r=+'-]{0,8}", any::<String>()]
}

proptest! {
    #[test]
    fn one_cell_changes_and_no_other_byte(
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 3), 1..6),
        (at, column, text) in (0_usize..6, 0_usize..3, cell()),
        (semicolon, crlf, bom, quoted, cut) in any::<(bool, bool, bool, bool, bool)>(),
    ) {
        let delimiter = if semicolon { b';' } else { b',' };
        let mut bytes = if bom { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        let mut builder = csv::WriterBuilder::new();
        builder.delimiter(delimiter).has_headers(false);
        builder.quote_style(if quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary });
        builder.terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') });
        let mut writer = builder.from_writer(&mut bytes);
        // A header that leaves no doubt about the separator.
        writer.write_record(["a", "b", "c"]).expect("written");
        for row in &rows {
            writer.write_record(row).expect("written");
        }
        writer.flush().expect("written");
        drop(writer);
        if cut {
            let end = bytes.len() - if crlf { 2 } else { 1 };
            bytes.truncate(end);
        }
        prop_assume!(!bytes.contains(&0) && !text.contains('\0'));
        let mut sheet = Sheet::read(bytes.clone()).expect("a sheet");
        prop_assert_eq!(sheet.len(), rows.len() + 1);
        for (line, row) in rows.iter().enumerate() {
            for (column, text) in row.iter().enumerate() {
                prop_assert_eq!(sheet.get(line + 1, column), Some(text.as_str()));
            }
        }
        prop_assert_eq!(sheet.clone().into_bytes(), bytes.clone());
        let line = at % rows.len() + 1;
        prop_assert!(sheet.set(line, column, &text));
        let after = sheet.into_bytes();
        let head = bytes.iter().zip(&after).take_while(|(a, b)| a == b).count();
        let tail = bytes[head..].iter().rev().zip(after[head..].iter().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(head + tail <= bytes.len());
        let again = Sheet::read(after).expect("a sheet");
        for (l, row) in rows.iter().enumerate() {
            for (c, old) in row.iter().enumerate() {
                let wanted = if (l + 1, c) == (line, column) { &text } else { old };
                prop_assert_eq!(again.get(l + 1, c), Some(wanted.as_str()));
            }
        }
    }
}
