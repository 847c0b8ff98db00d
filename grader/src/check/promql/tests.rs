use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_divided_and_nothing_else() {
    for (before, after) in [
        ("up == 0", "up == 0"),
        ("rate(x{a=\"[5m]\"}[5m]) > 5", "rate(x{a=\"[5m]\"}[30s]) > 5"),
        (
            "max_over_time(up[1h:1m] offset 30s) # [5m] offset 5m",
            "max_over_time(up[6m:6s] offset 3s) # [5m] offset 5m",
        ),
        ("up offset -1m", "up offset -6s"),
        ("up[5m:]", "up[30s:]"),
        ("rate(x[15s])", "rate(x[1s500ms])"),
        ("sum by (offset) (x{offset=\"5m\"})", "sum by (offset) (x{offset=\"5m\"})"),
        ("a:b:rate5m > 5", "a:b:rate5m > 5"),
        ("rate(x[300])", "rate(x[30s])"),
        ("x OFFSET\n 10m", "x OFFSET\n 1m"),
        ("x @ 1609746000", "x @ 1609746000"),
    ] {
        assert_eq!(compress(before, 10), after, "{before}");
    }
}

#[test]
fn what_does_not_scale_is_found() {
    for expr in
        ["time() - x > 60", "predict_linear(x[1h], 3600) < 0", "increase(x[5m]) > 10", "x @ 16", "up > 5m"]
    {
        assert!(absolute(expr).is_some(), "{expr}");
    }
    for expr in [
        "up == 0",
        "timestamps{time=\"x\"} > 0",
        "histogram_quantile(0.95, sum by (le) (rate(x[5m]))) > 1",
        "x offset -5m",
        "x offset 5m > 3",
        "max_over_time(x[5m:30s])",
        "x{a=\"time()\"}",
    ] {
        assert_eq!(absolute(expr), None, "{expr}");
    }
}

#[test]
fn ranges() {
    assert_eq!(looks_back("up == 0"), Duration::ZERO);
    assert_eq!(looks_back("rate(x[5m])"), Duration::from_secs(300));
    assert_eq!(looks_back("max_over_time(rate(x[5m])[10m:30s] offset 1m)"), Duration::from_secs(960));
}

#[test]
fn selectors_are_found() {
    let texts = |expr: &str| selectors(expr).into_iter().map(|s| s.text).collect::<Vec<_>>();
    assert_eq!(texts("up{job=\"express-api\"} == 0"), ["up{job=\"express-api\"}"]);
    assert_eq!(
        texts(
            "histogram_quantile(0.95, sum by (le, job) (rate(app_request_latency_seconds_bucket[5m]))) > 1"
        ),
        ["app_request_latency_seconds_bucket"]
    );
    assert_eq!(
        texts(
            "a / on (name) group_left (x) b{name!=\"\"} > 0.8 and on() c > 0 unless {__name__=\"d\", e=\"f\"}"
        ),
        ["a", "b{name!=\"\"}", "c", "{__name__=\"d\",e=\"f\"}"]
    );
    assert_eq!(texts("absent(up{job='api'}) or sum(up) without (x) < 1"), ["up{job='api'}", "up"]);
    let last = selectors("a{x=\"1\",y!=\"2\",z=~\"3\", w = '4'}").remove(0);
    assert_eq!(last.equals, [("x".to_owned(), "1".to_owned()), ("w".to_owned(), "4".to_owned())]);
    assert_eq!(numbers("histogram_quantile(0.95, rate(x[300])) > 1000"), [0.95, 1000.0]);
}

/// An expression with its durations apart: what is rendered with other durations differs by them
/// and by nothing else.
#[derive(Clone, Debug)]
enum Expr {
    Metric(String, Option<String>),
    Range(String, u64, Option<u64>),
    Sub(Box<Expr>, u64, Option<u64>),
    Call(&'static str, Box<Expr>),
    Offset(String, bool, u64),
    Binary(Box<Expr>, &'static str, Box<Expr>),
    Number(&'static str),
    Comment(Box<Expr>, String),
}

impl Expr {
    fn render(&self, factor: u64) -> String {
        let d = |ms: u64| span::write(Duration::from_millis(ms / factor));
        match self {
            Self::Metric(name, None) => name.clone(),
            Self::Metric(name, Some(value)) => format!("{name}{{job=\"{value}\", x=~'[5m]'}}"),
            Self::Range(name, range, None) => format!("{name}[{}]", d(*range)),
            Self::Range(name, range, Some(offset)) => {
                format!("{name}[ {} ] offset {}", d(*range), d(*offset))
            }
            Self::Sub(inner, range, None) => format!("({})[{}:]", inner.render(factor), d(*range)),
            Self::Sub(inner, range, Some(step)) => {
                format!("({})[{}:{}]", inner.render(factor), d(*range), d(*step))
            }
            Self::Call(name, inner) => format!("{name} ({})", inner.render(factor)),
            Self::Offset(name, true, by) => format!("{name} offset -{}", d(*by)),
            Self::Offset(name, false, by) => format!("{name} OFFSET {}", d(*by)),
            Self::Binary(a, sign, b) => format!("{} {sign} {}", a.render(factor), b.render(factor)),
            Self::Number(text) => (*text).to_owned(),
            Self::Comment(inner, text) => format!("{} # {text}\n", inner.render(factor)),
        }
    }
}

/// Milliseconds that divide by ten.
fn length() -> impl Strategy<Value = u64> {
    (1u64..2_000_000).prop_map(|n| n * 10)
}

fn expr() -> impl Strategy<Value = Expr> {
    let name = "[a-z_][a-z0-9_]{0,8}(:[a-z0-9]{1,5}m)?"
        .prop_filter("keywords", |n| !KEYWORDS.contains(&n.as_str()) && !GROUPINGS.contains(&n.as_str()));
    let leaf = prop_oneof![
        (name.clone(), proptest::option::of("[a-z5m\\[\\]: #]{0,8}")).prop_map(|(n, v)| Expr::Metric(n, v)),
        (name.clone(), length(), proptest::option::of(length())).prop_map(|(n, r, o)| Expr::Range(n, r, o)),
        (name, any::<bool>(), length()).prop_map(|(n, b, o)| Expr::Offset(n, b, o)),
        prop_oneof![Just("0.8"), Just("1e-3"), Just("0x5d"), Just("5"), Just("Inf")].prop_map(Expr::Number),
    ];
    leaf.prop_recursive(4, 30, 3, |inner| {
        prop_oneof![
            (prop_oneof![Just("rate"), Just("absent"), Just("max_over_time")], inner.clone())
                .prop_map(|(f, e)| Expr::Call(f, Box::new(e))),
            (inner.clone(), length(), proptest::option::of(length())).prop_map(|(e, r, s)| Expr::Sub(
                Box::new(e),
                r,
                s
            )),
            (
                inner.clone(),
                prop_oneof![Just(">"), Just("and"), Just("/ on (offset) group_left ()")],
                inner.clone()
            )
                .prop_map(|(a, s, b)| Expr::Binary(Box::new(a), s, Box::new(b))),
            (inner, "[a-z5m\\[\\]\" ]{0,10}").prop_map(|(e, c)| Expr::Comment(Box::new(e), c)),
        ]
    })
}

proptest! {
    /// Dividing is the same as having written the expression with divided durations.
    #[test]
    fn only_durations_change(expr in expr()) {
        prop_assert_eq!(compress(&expr.render(1), 10), expr.render(10));
        prop_assert_eq!(compress(&expr.render(1), 1), expr.render(1));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,60}") {
        let _ = (compress(&text, 10), absolute(&text), looks_back(&text), selectors(&text), numbers(&text));
    }
}
