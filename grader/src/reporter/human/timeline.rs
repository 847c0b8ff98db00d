//! Measured instants: one line each, then an axis that reads without colours.

use super::page::{Page, Tone};
use crate::event::{Moment, Timeline};
use crate::french::decimal;
use crate::reporter::clean;

/// Moments that one digit can name.
const MOST: usize = 9;

/// Draws the instants.
pub fn timeline(page: &mut Page, line: &Timeline) {
    let moments: Vec<&Moment> = line.moments.iter().take(MOST).collect();
    if moments.is_empty() {
        return;
    }
    page.field("durées", &heading(line));
    let times: Vec<String> = moments.iter().map(|m| time(m)).collect();
    let widest = times.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    for (index, (moment, time)) in moments.iter().zip(&times).enumerate() {
        let said = match (moment.said_ms, moment.until_ms) {
            (Some(said), Some(_)) => format!(" (selon Prometheus : {})", seconds(said)),
            _ => String::new(),
        };
        let pad = " ".repeat(widest - time.chars().count());
        let text = format!("{} {pad}{time}  {}{said}", index + 1, clean::inline(&moment.text));
        page.wide_field("", 11, &text);
    }
    let (left, axis, right) = axis(line, &moments, page.width());
    page.line(&[(Tone::Plain, "           "), (Tone::Dim, &left), (Tone::Plain, &axis), (Tone::Dim, &right)]);
}

fn heading(line: &Timeline) -> String {
    let mut said = vec![if line.factor > 1 {
        format!("montrées en temps réel, mesurées en temps divisé par {}", line.factor)
    } else {
        "mesurées en temps réel".to_owned()
    }];
    if let Some(asked) = line.asked {
        let bounds = format!("{} à {}", seconds_of(asked.from_ms), seconds_of(asked.to_ms));
        said.push(format!("entre [ ], la fenêtre demandée : {bounds}"));
    }
    said.join(" ; ")
}

fn seconds_of(ms: u64) -> String {
    seconds(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// Seconds with at most one decimal.
fn seconds(ms: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "durations of minutes")]
    let text = decimal(ms as f64 / 1000.0, 1);
    format!("{} s", text.strip_suffix(",0").unwrap_or(&text))
}

/// An instant with its bounds: « 74,9 s ± 0,5 s ».
fn time(moment: &Moment) -> String {
    let Some(until) = moment.until_ms else { return "jamais vu".to_owned() };
    let half = until.saturating_sub(moment.after_ms) / 2;
    if half < 50 {
        return seconds_of(until);
    }
    format!("{} ± {}", seconds_of(moment.after_ms + half), seconds_of(half))
}

/// Left label, drawing, right label.
fn axis(line: &Timeline, moments: &[&Moment], width: usize) -> (String, String, String) {
    let seen = moments.iter().map(|m| m.until_ms.unwrap_or(m.after_ms)).max().unwrap_or(0);
    let end = seen.max(line.asked.map_or(0, |a| a.to_ms)).max(1);
    let right = format!(" {}", seconds_of(end));
    let left = "0 s ".to_owned();
    let room = width.saturating_sub(11 + left.chars().count() + right.chars().count() + 2).clamp(16, 60);
    let at = |ms: u64| {
        let cell = u128::from(ms) * (room as u128 - 1) / u128::from(end);
        usize::try_from(cell).unwrap_or(0).min(room - 1)
    };
    let mut cells = vec!['-'; room];
    if let Some(asked) = line.asked {
        let (from, to) = (at(asked.from_ms), at(asked.to_ms));
        cells[from..=to].fill('=');
        cells[from] = '[';
        cells[to] = ']';
    }
    for (index, moment) in moments.iter().enumerate() {
        let Some(until) = moment.until_ms else { continue };
        let digit = char::from_digit(u32::try_from(index + 1).unwrap_or(0), 10).unwrap_or('?');
        let middle = moment.after_ms + until.saturating_sub(moment.after_ms) / 2;
        // The next free cell: two instants may fall on one.
        let free = (at(middle)..room).find(|i| matches!(cells[*i], '-' | '=' | '[' | ']'));
        if let Some(cell) = free {
            cells[cell] = digit;
        }
    }
    (left, format!("|{}|", cells.into_iter().collect::<String>()), right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stretch;

    fn moment(text: &str, after_ms: u64, until_ms: Option<u64>) -> Moment {
        Moment { text: text.into(), after_ms, until_ms, ..Moment::default() }
    }

    fn line() -> Timeline {
        Timeline {
            zero: "arrêt de « api »".into(),
            factor: 10,
            asked: Some(Stretch { from_ms: 60_000, to_ms: 90_000 }),
            promised: None,
            moments: vec![
                moment("arrêt de « api »", 0, Some(0)),
                moment("première collecte en échec", 3_700, Some(4_700)),
                Moment { said_ms: Some(14_820), ..moment("alerte « pending »", 14_400, Some(15_400)) },
                moment("alerte « firing »", 74_500, Some(75_500)),
                moment("alerte résolue", 110_000, None),
            ],
        }
    }

    #[test]
    fn one_line_each_then_an_axis() {
        let mut page = Page::new(80, false);
        timeline(&mut page, &line());
        let text = page.into_text().replace(['\u{202f}', '\u{a0}'], " ");
        let expected = "  durées   montrées en temps réel, mesurées en temps divisé par 10 ; entre [ ],
           la fenêtre demandée : 60 s à 90 s
           1            0 s  arrêt de « api »
           2  4,2 s ± 0,5 s  première collecte en échec
           3 14,9 s ± 0,5 s  alerte « pending » (selon Prometheus : 14,8 s)
           4   75 s ± 0,5 s  alerte « firing »
           5      jamais vu  alerte résolue
           0 s |1-2-----3---------------------[======4=======]----------| 110 s
";
        let blank = |t: &str| t.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let (seen, wanted) = (blank(&text), blank(expected));
        for (a, b) in seen.lines().zip(wanted.lines()).take(7) {
            assert_eq!(a, b);
        }
        let axis = seen.lines().last().expect("an axis");
        assert!(axis.ends_with("| 110 s") && axis.trim_start().starts_with("0 s |1"), "{axis}");
        let (open, firing, close) = (axis.find('['), axis.find('4'), axis.find(']'));
        assert!(open < firing && firing < close, "{axis}");
    }

    proptest::proptest! {
        #[test]
        fn any_line_fits(width in 40_usize..200, times in proptest::collection::vec(0u64..10_000_000, 0..12), a in 0u64..200_000) {
            let mut line = line();
            line.asked = Some(Stretch { from_ms: a, to_ms: a + 5 });
            line.moments = times.iter().map(|t| moment("x", t / 2, (t % 3 > 0).then_some(*t))).collect();
            let mut page = Page::new(width, false);
            timeline(&mut page, &line);
            let text = page.into_text();
            proptest::prop_assert!(text.lines().all(|l| l.chars().count() <= width.clamp(40, 100) + 8), "{}", text);
        }
    }
}
