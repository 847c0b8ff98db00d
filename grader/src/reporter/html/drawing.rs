//! Measured instants on an axis.

use serde::Serialize;

use crate::event::Timeline;
use crate::french;

/// Width of the axis, in the units of the drawing.
const WIDTH: u64 = 600;

/// A drawing with its numbers computed: the template only places it.
#[derive(Serialize)]
pub struct Drawing {
    zero: String,
    factor: u32,
    end: String,
    asked: Option<Band>,
    promised: Option<Band>,
    points: Vec<Point>,
}

/// A stretch of the axis.
#[derive(Serialize)]
struct Band {
    x: u64,
    width: u64,
    text: String,
}

/// An instant.
#[derive(Serialize)]
struct Point {
    number: usize,
    /// Absent when it was never seen.
    x: Option<u64>,
    text: String,
    time: String,
    said: Option<String>,
}

/// Places everything.
pub fn of(line: &Timeline) -> Drawing {
    let seen = line.moments.iter().map(|m| m.until_ms.unwrap_or(m.after_ms)).max().unwrap_or(0);
    let ends = [line.asked, line.promised].into_iter().flatten().map(|s| s.to_ms);
    let end = ends.fold(seen, u64::max).max(1);
    let x = |ms: u64| ms.min(end) * WIDTH / end;
    let band = |stretch: Option<crate::event::Stretch>| {
        stretch.map(|s| Band {
            x: x(s.from_ms),
            width: (x(s.to_ms) - x(s.from_ms)).max(2),
            text: format!("{} à {}", french::duration(s.from_ms), french::duration(s.to_ms)),
        })
    };
    let points = line.moments.iter().enumerate().map(|(i, moment)| {
        let half = moment.until_ms.map(|until| until.saturating_sub(moment.after_ms) / 2);
        let middle = half.map(|half| moment.after_ms + half);
        Point {
            number: i + 1,
            x: middle.map(x),
            text: moment.text.clone(),
            time: match (middle, half) {
                (Some(at), Some(half)) if half >= 50 => {
                    format!("{} ± {}", french::duration(at), french::duration(half))
                }
                (Some(at), _) => french::duration(at),
                _ => "jamais vu".to_owned(),
            },
            said: moment
                .said_ms
                .and_then(|said| u64::try_from(said).ok())
                .filter(|_| moment.until_ms.is_some())
                .map(french::duration),
        }
    });
    Drawing {
        zero: line.zero.clone(),
        factor: line.factor.max(1),
        end: french::duration(end),
        asked: band(line.asked),
        promised: band(line.promised),
        points: points.collect(),
    }
}
