//! What a lab draws for each student: declared under `[draw]`, decided by one number that is kept in
//! the student's folder (docs/adr/0060).

use std::collections::BTreeMap;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value as Jinja};
use minijinja::{Environment, UndefinedBehavior};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// `[draw]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Draw {
    /// File of the student's folder that holds the number.
    pub file: String,
    /// What is drawn, by name.
    pub values: BTreeMap<String, Source>,
}

/// How one value is drawn: exactly one of `one-of`, `deal` and `hex`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// One of these texts.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// These texts, shuffled and dealt to the names of `to`, each at most once.
    #[serde(default)]
    pub deal: Vec<String>,
    /// Who gets what is dealt (or, with `hex`, one text each).
    #[serde(default)]
    pub to: Vec<String>,
    /// A text of so many hexadecimal digits, 16 at most.
    #[serde(default)]
    pub hex: Option<usize>,
}

/// The number from which everything is drawn, for one student and one lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// A drawn value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A text.
    Text(String),
    /// A text for each name.
    Each(BTreeMap<String, String>),
}

/// Drawn values, by name.
pub type Values = BTreeMap<String, Value>;

/// Digits of the number and of its seal.
const DIGITS: (usize, usize) = (12, 4);

impl Ticket {
    /// The ticket of any number; its first 48 bits count.
    pub fn new(number: u64) -> Self {
        Self(number & 0xffff_ffff_ffff)
    }

    fn seal(self, lab: &str) -> String {
        let digest = Sha256::digest(format!("tp-docker {lab} {:012x}", self.0));
        hex::encode(&digest[..DIGITS.1 / 2])
    }

    /// As it is written in the student's folder: number and seal, in groups of four digits.
    pub fn told(self, lab: &str) -> String {
        let digits = format!("{:012x}{}", self.0, self.seal(lab));
        let groups: Vec<&str> = (0..4).map(|i| &digits[4 * i..4 * i + 4]).collect();
        groups.join("-")
    }

    /// The content of the student's file.
    pub fn file(self, lab: &str) -> String {
        format!(
            "# Votre tirage pour le TP {lab} : il a choisi ce que ce dossier a de particulier. Il se rend avec le reste, sans changement.\n{}\n",
            self.told(lab)
        )
    }

    /// Reads the student's file. `Err` says in French what is wrong with it.
    pub fn read(text: &str, lab: &str) -> Result<Self, &'static str> {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let mut told = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (told.next(), told.next()) else {
            return Err("on y attend une seule ligne, hors commentaires");
        };
        let digits: String = line.chars().filter(|c| *c != '-' && !c.is_whitespace()).collect();
        if digits.len() != DIGITS.0 + DIGITS.1 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err("on y attend seize chiffres hexadécimaux, quatre par quatre");
        }
        let (number, seal) = digits.split_at(DIGITS.0);
        let ticket = u64::from_str_radix(number, 16).map(Self).map_err(|_| "nombre illisible")?;
        if ticket.seal(lab) != seal.to_lowercase() {
            return Err("ce nombre n'a pas été tiré par le correcteur pour ce TP");
        }
        Ok(ticket)
    }

    /// Numbers for the value `name`; the same for ever, whatever else the lab draws.
    fn numbers(self, name: &str) -> Numbers {
        let digest = Sha256::digest(format!("{:012x} {name}", self.0));
        let state = digest.iter().take(8).fold(0, |n: u64, byte| (n << 8) | u64::from(*byte));
        Numbers(state)
    }
}

/// SplitMix64: small, and it never changes with a crate's version.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, below `n`. The bias of a remainder is nothing at these sizes.
    fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    fn hex(&mut self, digits: usize) -> String {
        format!("{:016x}", self.next()).chars().take(digits).collect()
    }
}

impl Source {
    fn draw(&self, numbers: &mut Numbers) -> Value {
        if let Some(digits) = self.hex {
            if self.to.is_empty() {
                return Value::Text(numbers.hex(digits));
            }
            return Value::Each(self.to.iter().map(|to| (to.clone(), numbers.hex(digits))).collect());
        }
        if self.deal.is_empty() {
            return Value::Text(
                self.one_of.get(numbers.below(self.one_of.len())).cloned().unwrap_or_default(),
            );
        }
        let mut left = self.deal.clone();
        let mut dealt = BTreeMap::new();
        for to in &self.to {
            if left.is_empty() {
                break;
            }
            let at = numbers.below(left.len());
            dealt.insert(to.clone(), left.swap_remove(at));
        }
        Value::Each(dealt)
    }

    /// French: what is wrong with the declaration.
    fn check(&self, name: &str) -> Result<(), String> {
        let ways = [!self.one_of.is_empty(), !self.deal.is_empty(), self.hex.is_some()];
        if ways.iter().filter(|way| **way).count() != 1 {
            return Err(format!("draw.values.{name} : exactement un de one-of, deal et hex"));
        }
        if !self.deal.is_empty() && (self.to.is_empty() || self.deal.len() < self.to.len()) {
            return Err(format!(
                "draw.values.{name} : deal veut to, et au moins autant de textes que de noms"
            ));
        }
        if self.hex.is_some_and(|digits| digits == 0 || digits > 16) {
            return Err(format!("draw.values.{name} : hex va de 1 à 16"));
        }
        Ok(())
    }
}

impl Draw {
    /// French: what is wrong with the declaration.
    ///
    /// # Errors
    ///
    /// A value that is drawn in no way, or in two.
    pub fn check(&self) -> Result<(), String> {
        self.values.iter().try_for_each(|(name, source)| source.check(name))
    }

    /// Everything that a ticket draws.
    pub fn values(&self, ticket: Ticket) -> Values {
        let draw =
            |(name, source): (&String, &Source)| (name.clone(), source.draw(&mut ticket.numbers(name)));
        self.values.iter().map(draw).collect()
    }
}

/// Why a text with drawn values cannot be rendered (English, from the template engine).
#[derive(Debug, Clone)]
pub struct RenderError(String);

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Puts the drawn values into a text (Jinja: `{{ name }}`, `{% if %}`…).
///
/// # Errors
///
/// A syntax error, or a name that is not drawn.
pub fn render(text: &str, values: &Values) -> Result<String, RenderError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let bad = |e: minijinja::Error| RenderError(format!("{e:#}"));
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build().map_err(bad)?);
    environment.render_str(text, Jinja::from(Serde(values))).map_err(bad)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn draw() -> Draw {
        toml::from_str(
            r#"
            file = "tirage.txt"
            [values]
            cause.deal = ["nom", "port", "réseau"]
            cause.to = ["a", "b", "c"]
            code.hex = 4
            password.hex = 10
            password.to = ["a", "b"]
            store.one-of = ["postgres", "redis"]
            "#,
        )
        .expect("a draw")
    }

    #[test]
    fn a_draw_never_changes() {
        let draw = draw();
        draw.check().expect("well declared");
        let ticket = Ticket::new(0x2026_1121_06aa);
        assert_eq!(ticket.told("06"), "2026-1121-06aa-8247");
        // What students have in their folders must be drawn again for years.
        let told = serde_json::to_string(&draw.values(ticket)).expect("JSON");
        let cause = r#"{"a":"port","b":"réseau","c":"nom"}"#;
        let password = r#"{"a":"f94c098cce","b":"494a4a6990"}"#;
        let all = format!(r#"{{"cause":{cause},"code":"b29a","password":{password},"store":"redis"}}"#);
        assert_eq!(told, all);
    }

    #[test]
    fn files_as_students_return_them() {
        let ticket = Ticket::new(0x2026_1121_06aa);
        for text in [
            ticket.file("06"),
            format!("\u{feff}{}", ticket.file("06").replace('\n', "\r\n")),
            "20261121 06AA 8247".to_owned(),
        ] {
            assert_eq!(Ticket::read(&text, "06"), Ok(ticket), "{text}");
        }
        for (text, lab) in [
            ("", "06"),
            ("# rien\n", "06"),
            ("2026-1121-06aa-8247\n2026-1121-06aa-8247", "06"),
            ("2026-1121-06aa", "06"),
            ("2026-1121-06ab-8247", "06"),
            ("2026-1121-06aa-824é", "06"),
            ("2026-1121-06aa-8247", "07"),
        ] {
            assert!(Ticket::read(text, lab).is_err(), "{text} {lab}");
        }
    }

    #[test]
    fn a_template_knows_what_is_drawn() {
        let values = draw().values(Ticket::new(7));
        let Some(Value::Each(cause)) = values.get("cause") else { panic!("dealt") };
        let text = "{% if cause.a == 'x' %}\nnon\n{% endif %}\ncause : {{ cause.a }}\n";
        assert_eq!(render(text, &values).expect("rendered"), format!("cause : {}\n", cause["a"]));
        assert!(render("{{ inconnu }}", &values).is_err());
        assert!(render("{% if %}", &values).is_err());
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        for bad in [
            "",
            "one-of = [\"a\"]\nhex = 3",
            "deal = [\"a\"]",
            "deal = [\"a\"]\nto = [\"x\", \"y\"]",
            "hex = 17",
        ] {
            let source: Source = toml::from_str(bad).expect("readable");
            assert!(source.check("v").is_err(), "{bad}");
        }
    }

    proptest! {
        /// Each name gets one text, none twice; every ticket is read back.
        #[test]
        fn dealt_once(number in any::<u64>()) {
            let ticket = Ticket::new(number);
            let values = draw().values(ticket);
            let Some(Value::Each(cause)) = values.get("cause") else { panic!("dealt") };
            prop_assert_eq!(cause.len(), 3);
            prop_assert_eq!(cause.values().collect::<BTreeSet<_>>().len(), 3);
            prop_assert_eq!(Ticket::read(&ticket.file("06"), "06"), Ok(ticket));
        }
    }
}
