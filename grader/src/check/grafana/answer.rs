//! The answers of Grafana's HTTP API, as far as the labs look at them; unknown fields are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// An item of `GET /api/datasources`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataSource {
    /// Unique identifier.
    pub uid: String,
    /// Name.
    pub name: String,
    /// Plug-in, for instance `prometheus`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `proxy` (Grafana asks) or `direct` (the browser asks).
    pub access: String,
    /// URL.
    pub url: String,
    /// Used by the panels that name none.
    pub is_default: bool,
    /// Made from a file, and not editable in the interface.
    pub read_only: bool,
    /// Settings of the plug-in.
    pub json_data: Value,
}

/// `GET /api/datasources/uid/:uid/health`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HealthAnswer {
    /// `OK` or `ERROR`.
    pub status: String,
    /// English.
    pub message: String,
}

/// An item of `GET /api/search`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Found {
    /// Unique identifier.
    pub uid: String,
    /// Title.
    pub title: String,
    /// `dash-db` for a dashboard.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `GET /api/dashboards/uid/:uid`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DashboardAnswer {
    /// The dashboard's model.
    pub dashboard: Value,
    /// Where it comes from.
    pub meta: Meta,
}

/// `meta` of a dashboard.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Made from a file.
    pub provisioned: bool,
    /// That file, relative to its provider.
    pub provisioned_external_id: String,
}

/// `POST /api/ds/query`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Frames {
    /// Result of each query, by `refId`.
    pub results: BTreeMap<String, QueryResult>,
}

/// Result of one query.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct QueryResult {
    /// English, when the query failed.
    pub error: Option<String>,
    /// Data frames.
    pub frames: Vec<Frame>,
}

/// A data frame.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Frame {
    /// Columns.
    pub schema: Schema,
    /// Values, column by column.
    pub data: FrameData,
}

/// The columns of a frame.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Schema {
    /// Columns.
    pub fields: Vec<Field>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Field {
    /// Name.
    pub name: String,
    /// `time`, `number`, `string`…
    #[serde(rename = "type")]
    pub kind: String,
    /// Labels of the series.
    pub labels: Option<BTreeMap<String, String>>,
}

/// The values of a frame.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FrameData {
    /// One list a column; NaN and infinities are null.
    pub values: Vec<Vec<Value>>,
}

/// One series that a query returned: labels and its last number.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Last value that is a number.
    pub last: f64,
}

impl QueryResult {
    /// Series that hold at least one number. Text columns of a table are labels of its last row.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for frame in &self.frames {
            let columns: Vec<(&Field, &Vec<Value>)> =
                frame.schema.fields.iter().zip(&frame.data.values).collect();
            let texts: Vec<(&String, &Vec<Value>)> =
                columns.iter().filter(|(f, _)| f.kind == "string").map(|(f, v)| (&f.name, *v)).collect();
            for (field, values) in columns.iter().filter(|(f, _)| f.kind == "number") {
                let labels = field.labels.clone().unwrap_or_default();
                if texts.is_empty() {
                    let last = values.iter().rev().find_map(Value::as_f64);
                    lines.extend(last.map(|last| Line { labels, last }));
                    continue;
                }
                for (row, value) in values.iter().enumerate() {
                    let Some(last) = value.as_f64() else { continue };
                    let mut labels = labels.clone();
                    for (name, column) in &texts {
                        if let Some(text) = column.get(row).and_then(Value::as_str) {
                            labels.insert((*name).clone(), text.to_owned());
                        }
                    }
                    lines.push(Line { labels, last });
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(text: &str) -> QueryResult {
        serde_json::from_str(text).expect("json")
    }

    #[test]
    fn series_and_tables() {
        let series = result(
            r#"{"status":200,"frames":[
              {"schema":{"refId":"A","fields":[{"name":"Time","type":"time"},
                {"name":"Value","type":"number","labels":{"endpoint":"/a"}}]},
               "data":{"values":[[1,2,3],[0.5,1.5,null]]}},
              {"schema":{"fields":[{"name":"Time","type":"time"},{"name":"Value","type":"number","labels":{}}]},
               "data":{"values":[[1],[null]],"entities":[null,{"NaN":[0]}]}}]}"#,
        );
        let lines = series.lines();
        assert_eq!(lines.len(), 1, "NaN is no data");
        assert_eq!(lines[0].labels["endpoint"], "/a");
        assert!((lines[0].last - 1.5).abs() < 1e-9);
        let table = result(
            r#"{"frames":[{"schema":{"fields":[{"name":"Time","type":"time"},{"name":"name","type":"string"},
              {"name":"Value","type":"number"}]},"data":{"values":[[1,1],["x","y"],[2,3]]}}]}"#,
        );
        let names: Vec<_> = table.lines().iter().map(|l| l.labels["name"].clone()).collect();
        assert_eq!(names, ["x", "y"]);
        assert!(result(r#"{"error":"bad_data: no","status":400}"#).lines().is_empty());
        assert!(result(r#"{"frames":[{"schema":{"fields":[]},"data":{"values":[]}}]}"#).lines().is_empty());
    }
}
