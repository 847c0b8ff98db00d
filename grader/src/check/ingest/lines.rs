//! The lines of a run: a moment, a level, a service, a duration, then a message.

use serde_json::Value;

use super::{kit, tell};
use crate::check::world::World;

/// Lines of a run: enough for each level to differ.
const COUNT: u64 = 3;
const LEVELS: &[&str] = &["INFO", "WARN", "ERROR", "DEBUG"];
const SERVICES: &[&str] = &["paiement", "panier", "stock-eu", "auth2", "livraison"];
const MESSAGES: &[&str] = &[
    "commande {} refusée : solde insuffisant",
    "panier {} abandonné, 3 articles rendus",
    "session {} ouverte (2 essais)",
    "colis {} remis au transporteur \"Nord\"",
    "réponse {} trop lente, nouvel essai dans 5 s",
];

/// A line, and what it says.
#[derive(Clone, Debug)]
pub struct Line {
    /// As it is sent, without its line feed.
    pub text: String,
    /// Word of its message that no other line has.
    pub token: String,
    /// Its moment, to the millisecond.
    pub at: jiff::Timestamp,
    level: &'static str,
    service: &'static str,
    duration: u64,
    message: String,
}

fn pick(from: &'static [&'static str], number: u64) -> &'static str {
    usize::try_from(number).ok().and_then(|n| from.get(n % from.len())).copied().unwrap_or_default()
}

/// Draws the lines of this run.
pub fn draw(world: &dyn World) -> Vec<Line> {
    let now = jiff::Timestamp::now().as_millisecond();
    let line = |index: u64| {
        let dice = |salt: &str| kit::draw(world, &format!("ingest-{salt}-{index}"));
        // Of another day, and never of the same one as another line.
        let back = i64::try_from(index + 1).unwrap_or(1) * 86_400_000
            + i64::try_from(dice("at") % 3_600_000).unwrap_or(0);
        let at = jiff::Timestamp::from_millisecond(now - back).unwrap_or_default();
        let token = format!("{:012x}", dice("token") & 0xffff_ffff_ffff);
        let level = pick(LEVELS, kit::draw(world, "ingest-level") / 7 + index);
        let (service, duration) = (pick(SERVICES, dice("service") / 3), 1 + dice("duration") % 9_000);
        let message = pick(MESSAGES, dice("message") / 5).replace("{}", &token);
        let text =
            format!("{} {level} {service} {duration} {message}", at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
        Line { text, token, at, level, service, duration, message }
    };
    (0..COUNT).map(line).collect()
}

impl Line {
    /// Day of the line (UTC), as the name of an index has it.
    pub fn day(&self) -> String {
        self.at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y.%m.%d").to_string()
    }

    /// The fields that are asked for.
    pub fn told(&self) -> String {
        format!(
            "level : {}, service : {}, duration_ms : {} (un nombre), message : « {} »",
            self.level, self.service, self.duration, self.message
        )
    }

    /// What a document says otherwise.
    pub fn differences(&self, source: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut say = |key: &str, right: bool| {
            if !right {
                let shown = source.get(key).map_or("absent".to_owned(), |v| tell::cut(&v.to_string(), 120));
                wrong.push(format!("{key} : {shown}"));
            }
        };
        let text = |key: &str| source.get(key).and_then(Value::as_str);
        say("level", text("level") == Some(self.level));
        say("service", text("service") == Some(self.service));
        #[expect(clippy::cast_precision_loss, reason = "at most 9001")]
        let duration = self.duration as f64;
        say("duration_ms", source.get("duration_ms").and_then(Value::as_f64) == Some(duration));
        say("message", text("message").map(str::trim) == Some(&self.message));
        wrong
    }
}
