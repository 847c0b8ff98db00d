//! A dashboard's model as panels and their queries, whatever rows hide them.

use serde_json::Value;

use super::DataSource;
use super::vars::Vars;

/// Panels looked at in one dashboard at most.
const MAX_PANELS: usize = 200;

/// One panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// Title.
    pub title: String,
    /// Plug-in, for instance `timeseries`.
    pub kind: String,
    /// Unit of its values, for instance `ms`; empty when none is given.
    pub unit: String,
    /// Name of its series, when the panel sets one itself.
    pub display_name: String,
    /// Whether its transformations or its overrides may change those names.
    pub reworked: bool,
    /// Its queries, those that are hidden left out.
    pub targets: Vec<Target>,
}

/// One query of a panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Letter of the query.
    pub ref_id: String,
    /// Expression, as written.
    pub expr: String,
    /// Legend of its series, `{{label}}` standing for a label; empty when none is set.
    pub legend: String,
    /// Data source that it names, or what is wrong with it.
    pub source: Source,
    /// Only the last value is asked.
    pub instant: bool,
    /// `time_series`, `table` or `heatmap`.
    pub format: String,
    /// Unit of its values, when an override of the panel gives them another one.
    pub unit: Option<String>,
}

/// The data source of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Source {
    /// Its uid.
    Known(String),
    /// Grafana has none of that name or uid.
    Missing(String),
    /// None is named and Grafana has no default one.
    #[default]
    Unset,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// All panels of a dashboard, those of rows (open, folded, or of the old form) included.
pub fn panels(dashboard: &Value, sources: &[DataSource], vars: &Vars) -> Vec<Panel> {
    let mut found = Vec::new();
    let lists = [dashboard.get("panels"), dashboard.get("rows")];
    for list in lists.into_iter().flatten() {
        collect(list, 0, &mut |panel| {
            if found.len() < MAX_PANELS {
                found.push(read(panel, sources, vars));
            }
        });
    }
    found
}

/// Panels that draw no data, whatever queries are left in them.
const MUTE: &[&str] =
    &["row", "text", "news", "dashlist", "alertlist", "annolist", "pluginlist", "welcome", "gettingstarted"];

/// Walks lists of panels; a row is not a panel, its panels are.
fn collect<'a>(list: &'a Value, depth: usize, take: &mut impl FnMut(&'a Value)) {
    for item in list.as_array().into_iter().flatten() {
        match item.get("panels") {
            Some(inner) if depth < 3 => collect(inner, depth + 1, take),
            _ => {}
        }
        if item.get("targets").is_some() && !MUTE.contains(&text(item, "type")) {
            take(item);
        }
    }
}

/// The unit that the overrides of a panel give to the values of a query; `alone`: it has no other query. A later one
/// wins, as in Grafana. Names of series are not known here: an override by name counts when there is one query.
fn overridden(panel: &Value, ref_id: &str, alone: bool) -> Option<String> {
    let overrides = panel.pointer("/fieldConfig/overrides").and_then(Value::as_array)?;
    let concerns = |one: &&Value| {
        let options = one.pointer("/matcher/options");
        match one.pointer("/matcher/id").and_then(Value::as_str) {
            Some("byFrameRefID") => options.and_then(Value::as_str) == Some(ref_id),
            Some("byType") => options.and_then(Value::as_str) == Some("number"),
            Some("byName" | "byRegexp" | "byNames") => alone,
            _ => false,
        }
    };
    let properties =
        overrides.iter().filter(concerns).filter_map(|o| o.get("properties")?.as_array()).flatten();
    let units = properties.filter(|p| text(p, "id") == "unit");
    units.filter_map(|p| p.get("value")?.as_str()).next_back().map(str::to_owned)
}

fn read(panel: &Value, sources: &[DataSource], vars: &Vars) -> Panel {
    let unit = panel.pointer("/fieldConfig/defaults/unit").or_else(|| panel.pointer("/yaxes/0/format"));
    let own = panel.get("datasource");
    let targets = panel.get("targets").and_then(Value::as_array).into_iter().flatten();
    let alone = targets.clone().count() == 1;
    let targets = targets
        .filter(|t| t.get("hide") != Some(&Value::Bool(true)) && !text(t, "expr").trim().is_empty())
        .map(|t| Target {
            unit: overridden(panel, text(t, "refId"), alone),
            ref_id: text(t, "refId").to_owned(),
            expr: text(t, "expr").to_owned(),
            legend: text(t, "legendFormat").trim().to_owned(),
            source: resolve(t.get("datasource").filter(|d| !d.is_null()).or(own), sources, vars),
            instant: t.get("instant") == Some(&Value::Bool(true))
                && t.get("range") != Some(&Value::Bool(true)),
            format: match text(t, "format") {
                "" => "time_series".to_owned(),
                other => other.to_owned(),
            },
        });
    let some = |list: Option<&Value>| list.and_then(Value::as_array).is_some_and(|l| !l.is_empty());
    let overrides = panel.pointer("/fieldConfig/overrides").and_then(Value::as_array).into_iter().flatten();
    let mut properties = overrides.filter_map(|o| o.get("properties")?.as_array()).flatten();
    let display_name = panel.pointer("/fieldConfig/defaults/displayName").and_then(Value::as_str);
    Panel {
        title: text(panel, "title").to_owned(),
        display_name: display_name.unwrap_or_default().trim().to_owned(),
        reworked: some(panel.get("transformations"))
            || properties.any(|p| text(p, "id").starts_with("displayName")),
        kind: text(panel, "type").to_owned(),
        unit: unit.and_then(Value::as_str).unwrap_or_default().to_owned(),
        targets: targets.collect(),
    }
}

/// The data source that a panel or a query names: an object with a uid, an old-style name, a
/// variable, or nothing, which means the default one.
fn resolve(written: Option<&Value>, sources: &[DataSource], vars: &Vars) -> Source {
    let name = match written {
        None | Some(Value::Null) => "",
        Some(Value::String(name)) => name,
        Some(object) => match text(object, "uid") {
            // A type without a uid: the default one if it is of that type, else the first of them.
            "" => {
                let kind = text(object, "type");
                let of_kind = sources.iter().filter(|s| s.kind == kind);
                let best = of_kind.clone().find(|s| s.is_default).or_else(|| of_kind.clone().next());
                return best.map_or(Source::Missing(kind.to_owned()), |s| Source::Known(s.uid.clone()));
            }
            uid => uid,
        },
    };
    if name.contains('$') || name.contains("[[") {
        return match vars.data_source(name, sources) {
            Some(uid) => Source::Known(uid),
            None => Source::Missing(name.to_owned()),
        };
    }
    by_name(name, sources)
}

/// A data source by uid, name, or one of the words that mean the default one.
pub fn by_name(name: &str, sources: &[DataSource]) -> Source {
    // In a « mixed » panel each query names its own; one that does not gets the default one.
    if ["", "default", "-- Mixed --"].contains(&name) {
        return sources.iter().find(|s| s.is_default).map_or(Source::Unset, |s| Source::Known(s.uid.clone()));
    }
    let found = sources.iter().find(|s| s.uid == name).or_else(|| sources.iter().find(|s| s.name == name));
    found.map_or_else(|| Source::Missing(name.to_owned()), |s| Source::Known(s.uid.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sources() -> Vec<DataSource> {
        let source = |uid: &str, name: &str, kind: &str, is_default: bool| DataSource {
            uid: uid.into(),
            name: name.into(),
            kind: kind.into(),
            is_default,
            ..DataSource::default()
        };
        vec![source("t", "TestData", "testdata", false), source("p1", "Prometheus", "prometheus", true)]
    }

    #[test]
    fn rows_of_all_ages_are_opened() {
        let model = json!({
            "panels": [
                {"type": "row", "collapsed": true, "panels": [{"title": "folded", "targets": [{"expr": "a"}]}]},
                {"type": "row", "panels": []},
                {"title": "open", "type": "stat", "fieldConfig": {"defaults": {"unit": "ms"}},
                 "targets": [{"expr": "b", "refId": "A"}, {"expr": "c", "hide": true}, {"refId": "X"}]},
                {"title": "text", "type": "text"},
                {"title": "left", "type": "text", "targets": [{"expr": "z"}]}
            ],
            "rows": [{"panels": [{"title": "old", "yaxes": [{"format": "s"}], "targets": [{"expr": "d"}]}]}]
        });
        let found = panels(&model, &sources(), &Vars::default());
        let titles: Vec<_> = found.iter().map(|p| p.title.as_str()).collect();
        assert_eq!(titles, ["folded", "open", "old"]);
        assert_eq!(found[1].targets.len(), 1);
        assert_eq!((found[1].unit.as_str(), found[2].unit.as_str()), ("ms", "s"));
        assert_eq!(found[0].targets[0].source, Source::Known("p1".into()));
    }

    #[test]
    fn names_of_the_series() {
        let model = json!({"panels": [
            {"targets": [{"expr": "a", "legendFormat": " {{name}} "}],
             "fieldConfig": {"defaults": {"displayName": "x"}, "overrides": [{"properties": [{"id": "unit"}]}]}},
            {"targets": [{"expr": "a"}], "transformations": [{"id": "renameByRegex"}]},
            {"targets": [{"expr": "a"}], "fieldConfig": {"overrides": [{"properties": [{"id": "displayName"}]}]}},
        ]});
        let found = panels(&model, &sources(), &Vars::default());
        assert_eq!((found[0].targets[0].legend.as_str(), found[0].display_name.as_str()), ("{{name}}", "x"));
        let reworked: Vec<bool> = found.iter().map(|p| p.reworked).collect();
        assert_eq!(reworked, [false, true, true]);
    }

    #[test]
    fn data_sources_by_all_their_names() {
        let model =
            json!({"templating": {"list": [{"name": "ds", "type": "datasource", "query": "prometheus"}]}});
        let vars = Vars::read(&model);
        let all = sources();
        let cases = [
            (json!({"type": "prometheus", "uid": "p1"}), Source::Known("p1".into())),
            (json!({"type": "prometheus"}), Source::Known("p1".into())),
            (json!("Prometheus"), Source::Known("p1".into())),
            (json!("default"), Source::Known("p1".into())),
            (Value::Null, Source::Known("p1".into())),
            (json!({"uid": "${ds}"}), Source::Known("p1".into())),
            (json!("$ds"), Source::Known("p1".into())),
            (json!("${DS_PROMETHEUS}"), Source::Missing("${DS_PROMETHEUS}".into())),
            (
                json!({"type": "prometheus", "uid": "PBFA97CFB590B2093"}),
                Source::Missing("PBFA97CFB590B2093".into()),
            ),
            (json!({"type": "loki"}), Source::Missing("loki".into())),
        ];
        for (written, wanted) in cases {
            assert_eq!(resolve(Some(&written), &all, &vars), wanted, "{written}");
        }
        assert_eq!(resolve(None, &[], &vars), Source::Unset);
    }
}
