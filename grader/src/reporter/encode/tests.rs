//! Each encoder against a reader of its format: foreign text stays text.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::command::{Commands, Level, Spot};
use super::csv::{Cell, Csv, Dialect, number};
use super::markdown::Markdown;
use super::xml::Xml;
use crate::french;
use crate::reporter::clean;

/// Pieces that mean something to one of the readers.
const PIECES: &[&str] = &[
    "a",
    "é",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "::",
    "::error::",
    "::stop-commands::x",
    "##[",
    "##[error]",
    "##[set-env name=A;]b",
    "%0A",
    "%25",
    "%",
    "`",
    "```",
    "~~~",
    "|",
    "\\",
    "<script>",
    "</code>",
    "<!--",
    "<br>",
    "&lt;",
    "&#60;",
    "&",
    "*",
    "_",
    "# ",
    "- ",
    "1. ",
    "> ",
    "[a](http://h)",
    "![",
    "http://h.example",
    "www.h.example",
    "a@b.example",
    "@everyone",
    "#12",
    "\x1b[31m",
    "\x1b]52;c;YQ==\x07",
    "\u{9b}",
    "\0",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "=cmd|' /C calc'!A0",
    "=",
    "+",
    "-",
    "@",
    "＝",
    ";",
    ",",
    "\"",
    "'",
    "]]>",
    "<![CDATA[",
    "TOKEN",
    "::TOKEN::",
    "{{",
    "${{ a }}",
    "🐳",
    "---",
    "===",
    "    x",
];

/// Random text, and pieces that mean something put together.
pub fn hostile() -> impl Strategy<Value = String> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES), 0..12);
    prop_oneof![any::<String>(), pieces.prop_map(|pieces| pieces.concat())]
}

/// What a reader of Markdown makes of it: the words, and every kind of markup but paragraphs and ours.
fn read(markdown: &str) -> (String, Vec<String>) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH;
    let (mut words, mut markup) = (String::new(), Vec::new());
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(text) => words.push_str(&text),
            Event::Start(Tag::Paragraph) | Event::End(_) => {}
            Event::InlineHtml(html) if &*html == "<br>" => words.push('\n'),
            Event::InlineHtml(html) if matches!(&*html, "<code>" | "</code>") => {}
            other => markup.push(format!("{other:?}")),
        }
    }
    (words.replace('\u{2060}', ""), markup)
}

fn written(write: impl FnOnce(&mut Markdown)) -> String {
    let mut text = Markdown::default();
    write(&mut text);
    text.into_string()
}

/// A model of the runner: commands of both forms that it finds in a line.
fn commands(log: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut stopped: Option<String> = None;
    for line in log.lines() {
        let trimmed = line.trim_start();
        if let Some(token) = &stopped {
            if trimmed.starts_with(&format!("::{token}::")) {
                stopped = None;
            }
            // What could end the stretch, or is a command all the same, is counted.
            else if trimmed.starts_with("::") || line.contains("##[") {
                found.push(line.to_owned());
            }
            continue;
        }
        if let Some(token) = trimmed.strip_prefix("::stop-commands::") {
            stopped = Some(token.to_owned());
        } else if trimmed.starts_with("::") || line.contains("##[") {
            found.push(line.to_owned());
        }
    }
    found
}

fn told(tell: impl FnOnce(&mut Commands<'_>)) -> String {
    let mut out = Vec::new();
    tell(&mut Commands::new(&mut out, "5ecre7"));
    String::from_utf8(out).expect("UTF-8")
}

fn unescape(text: &str) -> String {
    text.replace("%3A", ":").replace("%2C", ",").replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

#[test]
fn what_is_usual_stays_readable() {
    let text = written(|m| {
        m.text("« web » répond en 5 s, 2/3").ours(" ").code("a|b`c");
    });
    assert_eq!(read(&text).0, "«\u{202f}web\u{202f}» répond en 5\u{202f}s, 2/3 a|b`c");
    let log = told(|c| c.log("  ::error::x\nmilieu ##[error]y\nfe80::1 est une adresse").expect("written"));
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines,
        [
            "::stop-commands::5ecre7",
            "  ⟨::⟩error::x",
            "milieu ##⟨[⟩error]y",
            "fe80::1 est une adresse",
            "::5ecre7::"
        ]
    );
    assert_eq!(super::csv::text("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
    assert_eq!(super::csv::text("Zoé"), "Zoé");
    assert_eq!(
        [
            number(14.5, true),
            number(14.0, true),
            number(0.1 + 0.2, false),
            number(-0.0, false),
            number(20.0, false)
        ],
        ["14,5", "14", "0.3", "0", "20"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn markdown_keeps_words_and_gains_no_markup(text in hostile()) {
        for write in [
            written(|m| { m.ours("x ").text(&text); }),
            written(|m| { m.text(&text).ours(" x"); }),
            written(|m| { m.ours("x ").code(&text); }),
            written(|m| { m.ours("x ").lines(&text); }),
        ] {
            let (words, markup) = read(&write);
            prop_assert!(markup.is_empty(), "{markup:?} of {write:?}");
            prop_assert!(!words.contains(|c: char| clean::is_hidden(c) && c != '\n'), "{words:?}");
        }
        let (words, _) = read(&written(|m| { m.ours("x").text(&text).ours("x"); }));
        prop_assert_eq!(words, format!("x{}x", french::typeset(&clean::inline(&text))));
    }

    #[test]
    fn a_table_keeps_its_cells(text in hostile()) {
        let table = written(|m| {
            m.ours("| a | b |\n|---|---|\n| ").text(&text).ours(" | ").code(&text).ours(" |\n");
        });
        let mut cells = 0;
        for event in Parser::new_ext(&table, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
            match event {
                Event::Start(Tag::TableCell) => cells += 1,
                Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow) | Event::End(_) | Event::Text(_) => {}
                Event::InlineHtml(html) if matches!(&*html, "<code>" | "</code>") => {}
                other => prop_assert!(false, "{other:?} of {table:?}"),
            }
        }
        prop_assert_eq!(cells, 4);
    }

    #[test]
    fn a_fence_holds(text in hostile()) {
        let block = written(|m| { m.ours("avant").fence(&text).ours("après"); });
        let mut texts = Vec::new();
        let mut blocks = 0;
        for event in Parser::new(&block) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => blocks += 1,
                Event::Start(Tag::Paragraph) | Event::End(_) => {}
                Event::Text(text) => texts.push(text.into_string()),
                other => prop_assert!(false, "{other:?} of {block:?}"),
            }
        }
        prop_assert_eq!(blocks, 1);
        prop_assert_eq!(texts.first().map(String::as_str), Some("avant"));
        prop_assert_eq!(texts.last().map(String::as_str), Some("après"));
    }

    #[test]
    fn the_runner_reads_our_commands_only(text in hostile(), line in 1_usize..500) {
        let spot = Spot { file: text.clone(), line, column: 3, end_column: 9 };
        let log = told(|c| {
            c.group(&text).expect("written");
            c.log(&text).expect("written");
            c.end_group().expect("written");
            c.annotate(Level::Error, Some(&spot), &text, &text).expect("written");
            c.annotate(Level::Warning, None, &text, &text).expect("written");
        });
        let found = commands(&log);
        prop_assert_eq!(found.len(), 4, "{}", log);
        prop_assert!(!log.contains("##["));
        prop_assert!(!log.contains(|c: char| clean::is_hidden(c) && c != '\n'));
        // The properties are as many as we wrote, and the message comes back whole.
        let (head, message) = found[2].strip_prefix("::error ").and_then(|rest| rest.split_once("::")).expect("a command");
        let names: Vec<&str> = head.split(',').filter_map(|p| p.split_once('=')).map(|(name, _)| name).collect();
        prop_assert_eq!(names, ["file", "line", "col", "endColumn", "title"]);
        prop_assert_eq!(head.split(',').count(), 5);
        let shown = unescape(message).replace("⟨::⟩", "::").replace("##⟨[⟩", "##[");
        let lines: Vec<String> = clean::block(&text).iter().map(|line| french::typeset(line)).collect();
        prop_assert_eq!(shown, lines.join("\n"));
    }

    #[test]
    fn xml_is_read_back_whole(text in hostile()) {
        let mut suite = quick_junit::TestSuite::new(Xml::line(&text));
        let mut status = quick_junit::TestCaseStatus::non_success(quick_junit::NonSuccessKind::Failure);
        status.set_message(Xml::line(&text)).set_description(Xml::block(&format!("x{text}x")));
        let mut case = quick_junit::TestCase::new(Xml::line(&text), status);
        case.add_property(quick_junit::Property::new("title", Xml::line(&text)));
        suite.add_test_case(case);
        let mut document = quick_junit::Report::new("grader");
        document.add_test_suite(suite);
        let xml = document.to_string().expect("written");
        let forbidden = |c: char| matches!(c, '\u{fffe}' | '\u{ffff}') || (clean::is_hidden(c) && c != '\n');
        prop_assert!(!xml.contains(forbidden), "{xml:?}");
        let back = quick_junit::Report::deserialize_from_str(&xml).expect("still XML");
        let case = &back.test_suites[0].test_cases[0];
        prop_assert_eq!(case.name.as_str().to_owned(), Xml::line(&text).as_str().to_owned());
        let quick_junit::TestCaseStatus::NonSuccess { message, description, .. } = &case.status else {
            return Err(TestCaseError::fail("a failure"));
        };
        prop_assert_eq!(message.as_ref().map(|m| m.as_str().to_owned()), Some(Xml::line(&text).as_str().to_owned()));
        prop_assert!(description.as_ref().is_some_and(|d| d.contains('x')));
    }

    #[test]
    fn a_spreadsheet_computes_nothing(text in hostile(), semicolon in any::<bool>()) {
        let dialect = Dialect { delimiter: if semicolon { b';' } else { b',' }, comma: semicolon };
        let mut out = Vec::new();
        let mut csv = Csv::new(&mut out, dialect).expect("written");
        csv.row([Cell::Text(&text), Cell::Number(-1.5), Cell::Empty, Cell::Text(&text)]).expect("written");
        csv.finish().expect("written");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(dialect.delimiter).from_reader(&out[3..]);
        let row = reader.records().next().expect("a row").expect("readable");
        prop_assert_eq!(row.len(), 4);
        for cell in [&row[0], &row[3]] {
            prop_assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']), "{cell:?}");
            prop_assert!(!cell.contains(clean::is_hidden));
        }
        prop_assert_eq!(row[1].to_owned(), if semicolon { "-1,5" } else { "-1.5" });
    }
}
