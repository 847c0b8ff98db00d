//! A tolerant reader of the Prometheus text format (and of OpenMetrics, its close relation).

use std::collections::BTreeMap;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name, suffix included.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

/// What a page of metrics says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// `# TYPE` lines: metric to type.
    pub types: BTreeMap<String, String>,
    /// Samples, in order.
    pub samples: Vec<Sample>,
    /// Lines that could not be read.
    pub odd: Vec<String>,
}

impl Page {
    /// Names of all metrics, once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for sample in &self.samples {
            if !names.contains(&sample.name.as_str()) {
                names.push(&sample.name);
            }
        }
        names
    }

    /// Samples of that exact name.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |s| s.name == name)
    }
}

/// Reads a page. Nothing is refused: what cannot be read is in `odd`.
pub fn parse(text: &str) -> Page {
    let mut page = Page::default();
    for line in text.lines() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix('#') {
            let mut words = rest.split_whitespace();
            if words.next() == Some("TYPE")
                && let (Some(name), Some(kind)) = (words.next(), words.next())
            {
                page.types.insert(name.to_owned(), kind.to_lowercase());
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        match sample(line) {
            Some(sample) => page.samples.push(sample),
            None if page.odd.len() < 5 => page.odd.push(line.chars().take(120).collect()),
            None => {}
        }
    }
    page
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let name = &line[..end];
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || !name.chars().all(legal) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = line[end..].trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (BTreeMap::new(), rest),
    };
    // A timestamp or an exemplar may follow the value.
    let value = number(rest.split_whitespace().next()?)?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Reads labels up to the closing brace, and gives the rest of the line.
fn labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((found, after));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (i, '"') => break i,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        found.insert(name.trim().to_owned(), value);
        rest = after[end + 1..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// A number as Prometheus writes it: `+Inf` and `NaN` too.
pub fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" | "inf" | "+inf" => Some(f64::INFINITY),
        "-Inf" | "-inf" => Some(f64::NEG_INFINITY),
        "NaN" | "nan" => Some(f64::NAN),
        other => other.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_of_prom_client() {
        let page = parse(
            "# HELP app_requests_total Requêtes\n# TYPE app_requests_total counter\n\
             app_requests_total{endpoint=\"/api/data\",method=\"GET\"} 12\n\
             app_requests_total{endpoint=\"/health\",method=\"GET\",} 3 1700000000000\n\
             # TYPE app_request_latency_seconds histogram\n\
             app_request_latency_seconds_bucket{le=\"+Inf\",endpoint=\"/a\\\"b\\n\"} 4 # {trace=\"x\"} 1\n\
             nodejs_heap 1.5e+07\nune ligne fausse\n",
        );
        assert_eq!(page.samples.len(), 4);
        assert_eq!(page.samples[2].labels["endpoint"], "/a\"b\n");
        assert_eq!(page.types["app_request_latency_seconds"], "histogram");
        assert_eq!(page.odd.len(), 1);
        assert_eq!(number("+Inf"), Some(f64::INFINITY));
    }

    fn label() -> impl Strategy<Value = (String, String)> {
        ("[a-z_][a-z0-9_]{0,6}", ".{0,12}")
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,200}") {
            let _ = parse(&text);
        }

        /// What a client library writes is read back as it was.
        #[test]
        fn round_trip(
            name in "[a-z_:][a-z0-9_:]{0,12}",
            labels in proptest::collection::btree_map("[a-z_][a-z0-9_]{0,6}", "[^\r]{0,12}", 0..4),
            value in -1.0e9f64..1.0e9,
            extra in proptest::option::of(label()),
        ) {
            let mut labels = labels;
            labels.extend(extra.filter(|(_, v)| !v.contains('\r')));
            let inner: Vec<String> = labels
                .iter()
                .map(|(k, v)| format!("{k}=\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")))
                .collect();
            let line = format!("{name}{{{}}} {value}\n", inner.join(","));
            // Only `\n` ends a line in this format; other separators are ordinary characters.
            let page = parse(&line);
            prop_assert_eq!(page.samples.len(), 1);
            prop_assert_eq!(&page.samples[0].labels, &labels);
            prop_assert!((page.samples[0].value - value).abs() <= f64::EPSILON * value.abs());
        }
    }
}
