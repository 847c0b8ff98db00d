//! What Grafana and Prometheus themselves say of a dashboard that shows nothing.

use crate::check::prom::Prom;
use crate::check::world::World;
use crate::check::{promql, tell};
use crate::error::Fault;

/// What Grafana complained of when it read the provisioned dashboards, three lines at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaints {
    /// `api.json : invalid character '}'…`
    pub lines: Vec<String>,
    /// Base name of the first file that it could not read.
    pub file: Option<String>,
}

/// The value of a key of a line in logfmt, quotes removed.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = &line[line.find(&format!(" {key}="))? + key.len() + 2..];
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let bytes = quoted.as_bytes();
            let end = (0..bytes.len()).find(|&i| bytes[i] == b'"' && (i == 0 || bytes[i - 1] != b'\\'));
            Some(&quoted[..end.unwrap_or(quoted.len())])
        }
        None => rest.split(' ').next(),
    }
}

fn read(log: &str) -> Complaints {
    let mut found = Complaints::default();
    let errors =
        log.lines().filter(|l| l.contains("level=error") && l.contains("logger=provisioning.dashboard"));
    for line in errors {
        let file = value(line, "file").and_then(|f| f.rsplit('/').next()).map(|f| tell::cut(f, 60));
        let what = value(line, "error").or_else(|| value(line, "msg")).unwrap_or_default();
        let what = tell::cut(&what.replace("\\\"", "\""), 160);
        let told = file.as_ref().map_or_else(|| what.clone(), |f| format!("{f} : {what}"));
        found.file = found.file.or(file);
        if !found.lines.contains(&told) && found.lines.len() < 3 {
            found.lines.push(told);
        }
    }
    found
}

/// Reads Grafana's log.
pub(super) async fn complaints(world: &dyn World, grafana: &str) -> Result<Complaints, Fault> {
    Ok(read(&world.logs(grafana, 400).await?))
}

/// How many series each selector of a query lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sieve {
    /// A sentence for each selector that lets nothing through.
    pub lines: Vec<String>,
    /// Metrics without any series.
    pub unknown: bool,
    /// Matchers that no series of the metric passes.
    pub filtered: bool,
}

/// Asks Prometheus for what the selectors of a query find, and for the same without their matchers.
pub(super) async fn sieve(prom: &Prom<'_>, expr: &str) -> Result<Sieve, Fault> {
    let mut seen = Sieve::default();
    for selector in promql::selectors(expr).into_iter().take(6) {
        let Some(metric) = selector.metric else { continue };
        let count = async |what: &str| -> Result<usize, Fault> {
            Ok(prom.vector(what, None).await?.map_or(0, |found| found.len()))
        };
        if count(&selector.text).await? > 0 {
            continue;
        }
        let all = count(&metric).await?;
        let text = tell::cut(&selector.text, 100);
        let line = if all == 0 {
            seen.unknown = true;
            format!("« {} » : aucune série dans Prometheus", tell::cut(&metric, 80))
        } else {
            seen.filtered = true;
            format!("« {text} » : aucune série, sur {all} de cette mesure")
        };
        if !seen.lines.contains(&line) {
            seen.lines.push(line);
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grafana_names_the_file_and_the_error() {
        let log = "logger=http.server t=1 level=info msg=\"HTTP Server Listen\"\n\
            logger=provisioning.dashboard type=file name=tp t=2 level=error msg=\"failed to load dashboard from \" \
            file=/etc/grafana/provisioning/dashboards/api.json error=\"invalid character '}' after \\\"title\\\"\"\n\
            logger=provisioning.dashboard type=file name=tp t=3 level=error msg=\"failed to load dashboard from \" \
            file=/etc/grafana/provisioning/dashboards/api.json error=\"invalid character '}' after \\\"title\\\"\"\n\
            logger=provisioning.dashboard t=4 level=error msg=\"Cannot read directory\" error=\"stat /x: no such file\"\n";
        let said = read(log);
        assert_eq!(said.file.as_deref(), Some("api.json"));
        assert_eq!(said.lines, ["api.json : invalid character '}' after \"title\"", "stat /x: no such file"]);
        assert_eq!(read(""), Complaints::default());
    }
}
