//! What a panel writes beside a series, and whether that says which container it is.

use crate::check::grafana::dashboard::{Panel, Target};
use crate::check::prom::Labels;

/// Whether a text is the name of a service, or that of its container as Compose makes it.
pub(super) fn named(value: &str, service: &str) -> bool {
    let end = value.rfind(service).map(|at| (&value[..at], &value[at + service.len()..]));
    end.is_some_and(|(before, after)| {
        let before = before.is_empty() || before.ends_with(['-', '_', '/']);
        let after = after.trim_start_matches(['-', '_']);
        before && after.chars().all(|c| c.is_ascii_digit())
    })
}

/// The text that stands for a series, or `None` when all of its labels do: no legend is set, a
/// table shows them as columns, or the panel rewrites its names in ways that are not followed here.
fn template<'a>(panel: &'a Panel, target: &'a Target) -> Option<&'a str> {
    let columns = panel.kind.starts_with("table") || target.format == "table";
    if columns || panel.reworked || panel.display_name.contains('$') {
        return None;
    }
    let text = if panel.display_name.is_empty() { &target.legend } else { &panel.display_name };
    (!text.is_empty() && text != "__auto").then_some(text)
}

/// The literal text of a legend and the labels between its braces.
fn pieces(template: &str) -> (String, Vec<&str>) {
    let mut literal = String::new();
    let mut labels = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((label, after)) = after.split_once("}}") else { break };
        literal.push_str(before);
        literal.push(' ');
        labels.push(label.trim());
        rest = after;
    }
    (literal + rest, labels)
}

/// Whether what is written beside a series says that it is of this service.
pub(super) fn tells(panel: &Panel, target: &Target, labels: &Labels, service: &str) -> bool {
    let Some(template) = template(panel, target) else {
        return labels.values().any(|v| named(v, service));
    };
    let (literal, shown) = pieces(template);
    let (literal, word) = (literal.to_lowercase(), service.to_lowercase());
    let begins = |at: usize| !literal[..at].ends_with(char::is_alphanumeric);
    shown.iter().filter_map(|l| labels.get(*l)).any(|v| named(v, service))
        || literal.match_indices(&word).any(|(at, _)| begins(at))
}

/// What is written beside a series, as Grafana does.
pub(super) fn shown(panel: &Panel, target: &Target, labels: &Labels) -> String {
    let Some(template) = template(panel, target) else {
        let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        return format!("{{{}}}", pairs.join(", "));
    };
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((label, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(labels.get(label.trim()).map_or("", String::as_str));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let id = "/docker/0123456789abcdef0123".to_owned();
        [("name", "tp-api-1".to_owned()), ("id", id)].map(|(k, v)| (k.to_owned(), v)).into()
    }

    #[test]
    fn the_legend_must_say_which_container() {
        let panel = Panel { kind: "timeseries".into(), ..Panel::default() };
        let told = |legend: &str| {
            tells(&panel, &Target { legend: legend.into(), ..Target::default() }, &labels(), "api")
        };
        for legend in
            ["", "__auto", "{{name}}", "{{ name }} (sortant)", "CPU de {{name}}", "API", "conteneur api"]
        {
            assert!(told(legend), "{legend}");
        }
        for legend in ["mémoire", "{{id}}", "{{service}}", "rapide", "{{", "conteneur {{id}}"] {
            assert!(!told(legend), "{legend}");
        }
        let table = Panel { kind: "table".into(), ..Panel::default() };
        let target = Target { legend: "mémoire".into(), ..Target::default() };
        assert!(tells(&table, &target, &labels(), "api"));
        let renamed = |name: &str| Panel { display_name: name.into(), ..Panel::default() };
        assert!(tells(&renamed("${__field.labels.name}"), &target, &labels(), "api"));
        assert!(!tells(&renamed("mémoire"), &Target::default(), &labels(), "api"));
        let by_id: Labels = labels().into_iter().filter(|(k, _)| k == "id").collect();
        assert!(!tells(&panel, &Target::default(), &by_id, "api"), "an id is no name");
        assert_eq!(shown(&panel, &Target::default(), &by_id), "{id=\"/docker/0123456789abcdef0123\"}");
        let both = Target { legend: "{{ name }} {{nope}}!".into(), ..Target::default() };
        assert_eq!(shown(&panel, &both, &labels()), "tp-api-1 !");
    }
}
