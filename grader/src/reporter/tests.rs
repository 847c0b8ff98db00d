//! Whole outputs, and what must hold for any run.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::clean;
use super::human::{self, Options, Verbosity, render};
use super::replay::{self, ReplayError};
use super::{
    Classroom50, Fanout, Github, Html, Human, Json, JsonLines, Junit, Reporter, classroom, classroom50,
    github,
};
use crate::event::Event;
use crate::report::{Report, sample};

fn whole(events: Vec<Event>, options: Options) -> String {
    render(&Report::fold(events), options)
}

fn at(width: usize) -> Options {
    Options { width, ..Options::default() }
}

fn told(events: &[Event], mut reporter: impl Reporter) -> String {
    let mut out = Vec::new();
    replay::tell(events, &mut reporter, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn mixed_80() {
    insta::assert_snapshot!(whole(sample::mixed(), at(80)));
}

#[test]
fn mixed_60() {
    insta::assert_snapshot!(whole(sample::mixed(), at(60)));
}

#[test]
fn narrow_lists_who_sees_whom() {
    let shown = whole(sample::mixed(), at(44));
    let from = shown.find("Qui voit qui").expect("drawn");
    let to = shown.find("  images").expect("after it");
    insta::assert_snapshot!(shown[from..to].trim_end());
}

#[test]
fn quiet_still_tells_leftovers() {
    let mut events = sample::perfect();
    for event in &mut events {
        if let Event::Cleaned(left) = event {
            left.containers = 2;
        }
    }
    let shown = whole(events, Options { verbosity: Verbosity::Quiet, ..at(80) });
    insta::assert_snapshot!(shown);
}

#[test]
fn a_stack_that_stays_up() {
    let mut events = sample::perfect();
    let end = events.iter().position(|e| matches!(e, Event::Cleaned(_))).expect("cleaned");
    let after = events.split_off(end);
    events.push(Event::Kept(sample::kept()));
    let mut reporter = Human::new(at(80));
    let mut out = Vec::new();
    for event in &events {
        reporter.event(event, &mut out).expect("a Vec takes it");
    }
    let before = String::from_utf8(std::mem::take(&mut out)).expect("UTF-8");
    assert!(before.contains("Note 20/20") && !before.contains("ménage"), "{before}");
    insta::assert_snapshot!(before[before.find("Pile").expect("told")..].trim_end());
    for event in &after {
        reporter.event(event, &mut out).expect("a Vec takes it");
    }
    reporter.finish(&mut out).expect("a Vec takes it");
    let rest = String::from_utf8(out).expect("UTF-8");
    assert!(rest.starts_with("  ménage") && rest.lines().count() == 2, "{rest}");
}

#[test]
fn the_short_list() {
    let checks = Report::fold(sample::mixed()).checks;
    let ages = [human::Age::Old(130_000), human::Age::Now, human::Age::Never];
    let list: Vec<_> = checks.into_iter().zip(ages.into_iter().cycle()).collect();
    let shown = human::brief("14:32:07 · app/app.js · 2,4 s", &[], &list, "02", at(80));
    insta::assert_snapshot!(shown);
}

#[test]
fn an_obstacle_says_what_stays() {
    let outcome = Report::fold(sample::invalid()).outcome;
    insta::assert_snapshot!(human::obstacle("14:32:07 · compose.yaml · 0,3 s", &outcome, true, at(80)));
}

#[test]
fn missed_80() {
    insta::assert_snapshot!(whole(sample::missed(), at(80)));
}

#[test]
fn quiet() {
    insta::assert_snapshot!(whole(sample::missed(), Options { verbosity: Verbosity::Quiet, ..at(80) }));
}

#[test]
fn verbose() {
    insta::assert_snapshot!(whole(sample::perfect(), Options { verbosity: Verbosity::Verbose, ..at(80) }));
}

#[test]
fn perfect() {
    insta::assert_snapshot!(whole(sample::perfect(), at(80)));
}

#[test]
fn refused() {
    insta::assert_snapshot!(whole(sample::refused(), at(80)));
}

#[test]
fn invalid() {
    insta::assert_snapshot!(whole(sample::invalid(), at(80)));
}

#[test]
fn not_graded() {
    insta::assert_snapshot!(whole(sample::not_graded(), at(80)));
}

#[test]
fn json_document() {
    insta::assert_snapshot!(told(&sample::mixed(), Json::default()));
}

#[test]
fn colours_change_no_word() {
    let plain = whole(sample::mixed(), at(80));
    let coloured = whole(sample::mixed(), Options { color: true, ..at(80) });
    assert!(coloured.contains("\u{1b}["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn json_reads_back() {
    let mut events = sample::mixed();
    events.push(sample::awkward());
    let report: Report = serde_json::from_str(&told(&events, Json::default())).expect("a report");
    assert_eq!(report, Report::fold(events));
}

#[test]
fn journal_reads_back() {
    let mut events = sample::missed();
    events.push(sample::awkward());
    events.extend(sample::refused());
    events.extend(sample::not_graded());
    events.extend(sample::invalid());
    let journal = told(&events, JsonLines);
    assert_eq!(journal.lines().count(), events.len());
    assert_eq!(replay::read(journal.as_bytes()).expect("a journal"), events);
}

#[test]
fn a_replay_tells_the_same() {
    let journal = told(&sample::mixed(), JsonLines);
    let events = replay::read(journal.as_bytes()).expect("a journal");
    assert_eq!(told(&events, Human::new(at(80))), whole(sample::mixed(), at(80)));
}

#[test]
fn bad_journals_say_where() {
    let journal = told(&sample::perfect(), JsonLines);
    let torn = &journal[..journal.len() - 5];
    let error = replay::read(torn.as_bytes()).expect_err("torn");
    let last = journal.lines().count();
    assert!(error.to_string().starts_with(&format!("ligne {last} du journal, colonne ")), "{error}");

    let newer = journal.replacen("\"format\":1", "\"format\":9", 1);
    let error = replay::read(newer.as_bytes()).expect_err("newer");
    assert!(error.to_string().contains("format 9"), "{error}");
    assert!(matches!(error, ReplayError::Version { line: 1, .. }));

    let odd = format!("{journal}{{\"mystere\":1}}\n");
    assert!(
        matches!(replay::read(odd.as_bytes()), Err(ReplayError::NotEvent { line, .. }) if line == last + 1)
    );
    assert!(matches!(replay::read(&b"\n\n"[..]), Err(ReplayError::Empty)));
    assert!(matches!(replay::read(&b"\xff\n"[..]), Err(ReplayError::NotJson { line: 1, .. })));
}

#[test]
fn junit() {
    insta::assert_snapshot!("junit_mixed", told(&sample::mixed(), Junit::default()));
    insta::assert_snapshot!("junit_refused", told(&sample::refused(), Junit::default()));
    let lost = told(&sample::not_graded(), Junit::default());
    assert!(lost.contains("errors=\"1\"") && lost.contains("failures=\"0\""), "{lost}");
}

fn submission() -> classroom50::Submission {
    classroom50::Submission {
        classroom: "reseaux-2026".into(),
        assignment: "tp-02".into(),
        submission: "submit/2026-11-21".into(),
        commit: "https://example.org/c/1".into(),
        release: "https://example.org/r/1".into(),
        review: String::new(),
        datetime: Some("2026-11-20T22:00:00Z".into()),
    }
}

#[test]
fn classroom_50() {
    let document = told(&sample::missed(), Classroom50::new(submission()));
    insta::assert_snapshot!("classroom50_missed", document);
    let refused = told(&sample::refused(), Classroom50::new(submission()));
    let refused: serde_json::Value = serde_json::from_str(&refused).expect("JSON");
    assert_eq!((refused["score"].as_u64(), refused["max-score"].as_u64()), (Some(0), Some(18)));
    for events in [sample::mixed(), sample::not_graded(), vec![]] {
        assert_eq!(told(&events, Classroom50::new(submission())), "");
    }
}

#[test]
fn half_points_become_whole() {
    let mut events = sample::missed();
    for event in &mut events {
        if let Event::Checked(checked) = event
            && let crate::event::Verdict::Fail(miss) = &mut checked.verdict
        {
            miss.earned = 0.5;
        }
    }
    let report = Report::fold(events);
    let document = serde_json::to_value(classroom50::result(&report, &submission())).expect("JSON");
    assert_eq!(document["max-score"], 180);
    let sum: u64 =
        document["tests"].as_array().expect("a list").iter().filter_map(|t| t["score"].as_u64()).sum();
    assert_eq!(document["score"], sum);
}

#[test]
fn the_classroom_reporter_s_payload() {
    use base64::Engine as _;
    let read = |events| {
        let payload = classroom::payload(&Report::fold(events))?;
        let json = base64::engine::general_purpose::STANDARD.decode(payload).expect("base64");
        Some(serde_json::from_slice::<serde_json::Value>(&json).expect("JSON"))
    };
    let missed = read(sample::missed()).expect("a verdict");
    assert_eq!(
        (&missed["version"], &missed["status"], missed["max_score"].as_f64()),
        (&1.into(), &"fail".into(), Some(18.0))
    );
    let late = &missed["tests"][7];
    assert_eq!((late["score"].as_f64(), late["line_no"].as_u64()), (Some(1.0), Some(6)));
    assert_eq!(late["filename"], "prometheus/alert.rules.yml");
    assert_eq!(read(sample::perfect()).expect("a verdict")["status"], "pass");
    assert_eq!(read(sample::refused()).expect("a verdict")["status"], "error");
    assert!(read(sample::mixed()).is_none() && read(sample::not_graded()).is_none());
}

/// A writer that can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Panics;

impl Reporter for Panics {
    fn event(&mut self, _: &Event, _: &mut dyn Write) -> io::Result<()> {
        panic!("on purpose")
    }
}

#[test]
fn a_failing_reporter_silences_no_other() {
    let kept = Shared::default();
    let mut all = Fanout::default()
        .with("disque plein", JsonLines, Full)
        .with("panique", Panics, io::sink())
        .with("bon", JsonLines, kept.clone());
    for event in &sample::perfect() {
        all.event(event);
    }
    let failures = all.finish();
    let names: Vec<&str> = failures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["disque plein", "panique"]);
    let journal = kept.0.lock().expect("not poisoned").clone();
    assert_eq!(replay::read(journal.as_slice()).expect("a journal"), sample::perfect());
}

/// Lines that must stay whole to be copied.
fn is_whole(line: &str) -> bool {
    ["essayer", "suite", "-->"].iter().any(|label| line.trim_start().starts_with(label))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hostile_reaches_the_terminal(
        text in prop_oneof![any::<String>(), "[\\x00-\\x1f\u{80}-\u{9f}\u{202a}-\u{202e}a\n:é]{0,80}"],
        width in 0_usize..140,
        kind in 0..3_usize,
    ) {
        let options = Options { verbosity: Verbosity::Verbose, ..at(width) };
        let events = sample::hostile(&text, kind);
        let shown = whole(events.clone(), options);
        prop_assert!(!shown.contains(|c: char| clean::is_hidden(c) && c != '\n'), "{:?}", shown);
        let json = told(&events, Json::default());
        prop_assert!(!json.contains(|c: char| clean::is_hidden(c) && c != '\n'), "{:?}", json);
        let journal = told(&events, JsonLines);
        prop_assert_eq!(replay::read(journal.as_bytes()).expect("a journal"), events);
    }

    #[test]
    fn nothing_hostile_reaches_another_tool(text in super::encode::tests::hostile(), kind in 0..3_usize) {
        let events = sample::hostile(&text, kind);
        let hidden = |c: char| clean::is_hidden(c) && c != '\n';
        let xml = told(&events, Junit::default());
        prop_assert!(!xml.contains(hidden), "{:?}", xml);
        prop_assert!(quick_junit::Report::deserialize_from_str(&xml).is_ok(), "{:?}", xml);
        let page = told(&events, Html::default());
        prop_assert!(!page.contains("<script") && !page.contains("<img") && !page.contains(hidden), "{:?}", page);
        let dir = tempfile::tempdir().expect("a folder");
        let site = github::Site {
            root: String::new(),
            summary: Some(dir.path().join("summary")),
            outputs: Some(dir.path().join("outputs")),
        };
        let log = told(&events, Github::new(site));
        prop_assert!(!log.contains("##[") && !log.contains(hidden), "{:?}", log);
        for line in log.lines().filter(|line| line.trim_start().starts_with("::")) {
            let ours = ["group::", "endgroup::", "stop-commands::", "error ", "warning ", "notice "];
            let token = line.len() == 36 && line.ends_with("::");
            prop_assert!(token || ours.iter().any(|name| line[2..].starts_with(name)), "{line:?}");
        }
        let summary = std::fs::read_to_string(dir.path().join("summary")).expect("written");
        prop_assert!(!summary.contains(hidden), "{:?}", summary);
        for event in pulldown_cmark::Parser::new_ext(&summary, pulldown_cmark::Options::ENABLE_TABLES) {
            use pulldown_cmark::{Event, Tag};
            let ours = ["<br>", "<code>", "</code>", "<sub>", "</sub>"];
            match event {
                Event::InlineHtml(html) | Event::Html(html) => {
                    prop_assert!(ours.contains(&&*html), "{html:?} in {summary:?}");
                }
                Event::Start(Tag::Link { .. } | Tag::Image { .. }) => prop_assert!(false, "{summary:?}"),
                _ => {}
            }
        }
        for result in [told(&events, Classroom50::new(submission())), told(&events, Json::default())] {
            prop_assert!(!result.contains(hidden), "{:?}", result);
        }
    }

    #[test]
    fn lines_keep_to_the_width(text in "[a-z «»:é]{0,300}", width in 60_usize..100, kind in 0..3_usize) {
        let shown = whole(sample::hostile(&text, kind), at(width));
        for line in shown.lines().filter(|line| !is_whole(line)) {
            prop_assert!(line.width() <= width, "{} > {width}: {line}", line.width());
        }
    }
}
