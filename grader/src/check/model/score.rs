//! Scores and their explanations.

use serde_json::{Value, json};

use super::play::{Bench, Explained, Row, shown, sigmoid};
use super::{Fact, Fault, Miss, Verdict, tell};

/// What rounding may cost to a score or to a sum of contributions.
const TOLERANCE: f64 = 1e-4;
/// Smallest difference that a variable must make over the middle of its range.
const MOVES: f64 = 1e-3;

/// Gives the value, or ends the judgement with its miss.
macro_rules! get {
    ($told:expr) => {
        match $told {
            Ok(value) => value,
            Err(miss) => return tell::fail(*miss),
        }
    };
}
pub(super) use get;

/// In [0, 1], repeatable, and following each variable the right way.
pub(super) async fn score(bench: &mut Bench<'_>) -> Result<Verdict, Fault> {
    let expected = "un score entre 0 et 1, le même pour la même transaction, qui suit chaque variable dans le sens de l'énoncé";
    let mut rows: Vec<Row> = (0..8).map(|_| bench.row(0.0, 1.0)).collect();
    // Far beyond what the model has seen, both ways.
    let far = |high: bool| -> Row {
        bench
            .variables()
            .iter()
            .map(|v| if Bench::raises(v) == high { v.to * 5000.0 } else { v.from })
            .collect()
    };
    rows.extend([far(true), far(false)]);
    let mut seen = Vec::new();
    for row in &rows {
        let first = get!(bench.score(row).await?);
        let second = get!(bench.score(row).await?);
        let noted = vec![format!("transaction : {}", bench.object(row))];
        if !(0.0..=1.0).contains(&first) {
            return tell::fail(Miss {
                headline: "le score n'est pas une probabilité".to_owned(),
                observed: format!("score = {}", shown(first)),
                noted,
                hint: "une somme de contributions n'est pas encore une probabilité".to_owned(),
                ..bench.miss("/predict", expected)
            });
        }
        if (first - second).abs() > f64::EPSILON {
            return tell::fail(Miss {
                headline: "la même transaction reçoit deux scores".to_owned(),
                observed: format!("{first}, puis {second}"),
                noted,
                hint: "où y a-t-il du hasard, ou un modèle différent d'un processus à l'autre ?".to_owned(),
                ..bench.miss("/predict", expected)
            });
        }
        seen.push(first);
    }
    let (low, high) = seen.iter().fold((1.0_f64, 0.0_f64), |(l, h), s| (l.min(*s), h.max(*s)));
    for (index, variable) in bench.variables().iter().enumerate() {
        let row = bench.row(0.15, 0.35);
        let mut steps = Vec::new();
        for share in [0.1, 0.25, 0.4, 0.55, 0.8, 1.0] {
            steps.push(get!(bench.score(&Bench::with(&row, index, Bench::at(variable, share))).await?));
        }
        let raises = Bench::raises(variable);
        let towards = |a: f64, b: f64| if raises { b - a } else { a - b };
        let goes = steps.windows(2).all(|pair| towards(pair[0], pair[1]) >= -f64::EPSILON);
        if !goes || towards(steps[0], steps[3]) < MOVES {
            let told: Vec<String> = steps.iter().map(|s| shown(*s)).collect();
            return tell::fail(Miss {
                headline: format!("le score ne suit pas « {} »", variable.name),
                observed: format!("« {} » augmente seul : {}", variable.name, told.join(" → ")),
                noted: vec![format!("le reste de la transaction : {}", bench.object(&row))],
                hint: format!(
                    "plus de « {} » doit {} le score ; qu'a appris le modèle, et reçoit-il les variables dans l'ordre où il les a apprises ?",
                    variable.name,
                    if raises { "augmenter" } else { "diminuer" }
                ),
                ..bench.miss("/predict", expected)
            });
        }
    }
    tell::pass(vec![
        Fact::new(
            "asked",
            rows.len() * 2,
            format!("{} scores, de {} à {}", seen.len(), shown(low), shown(high)),
        ),
        Fact::new(
            "variables",
            bench.variables().len(),
            "chaque variable fait varier le score dans le bon sens",
        ),
    ])
}

fn sum(explained: &Explained) -> f64 {
    explained.base + explained.parts.iter().sum::<f64>()
}

/// Contributions that add up to the score, and belong to their variables.
pub(super) async fn explanation(bench: &mut Bench<'_>) -> Result<Verdict, Fault> {
    let expected = "score = 1 / (1 + exp(−(base + somme des contributions))), chaque contribution ne dépendant que de sa variable";
    let mut first: Option<Explained> = None;
    for _ in 0..5 {
        let row = bench.row(0.0, 0.8);
        let told = get!(bench.explain(&row).await?);
        let score = get!(bench.score(&row).await?);
        let noted = vec![format!("transaction : {}", bench.object(&row))];
        let computed = sigmoid(sum(&told));
        if (computed - told.score).abs() > TOLERANCE || (score - told.score).abs() > TOLERANCE {
            let other = (score - told.score).abs() > TOLERANCE;
            return tell::fail(Miss {
                headline: if other {
                    "l'explication parle d'un autre score que celui de /predict".to_owned()
                } else {
                    "les contributions ne donnent pas le score".to_owned()
                },
                observed: if other {
                    format!("/explain : {} ; /predict : {}", shown(told.score), shown(score))
                } else {
                    format!("score annoncé {}, calculé d'après les contributions {}", shown(told.score), shown(computed))
                },
                noted,
                hint: "dans un modèle linéaire, ce que chaque variable ajoute est un produit : son poids par son écart à la moyenne".to_owned(),
                ..bench.miss("/explain", expected)
            });
        }
        if let Some(before) = &first
            && (before.base - told.base).abs() > TOLERANCE
        {
            return tell::fail(Miss {
                headline: "la base change d'une transaction à l'autre".to_owned(),
                observed: format!("{}, puis {}", shown(before.base), shown(told.base)),
                noted,
                hint: "la base est ce que toutes les transactions ont en commun".to_owned(),
                ..bench.miss("/explain", expected)
            });
        }
        first.get_or_insert(told);
    }
    for (index, variable) in bench.variables().iter().enumerate() {
        let row = bench.row(0.1, 0.6);
        let mut told = Vec::new();
        for share in STEPS {
            told.push(get!(bench.explain(&Bench::with(&row, index, Bench::at(variable, share))).await?));
        }
        if let Some(miss) = misplaced(bench, index, &told, expected) {
            return tell::fail(miss);
        }
    }
    tell::pass(vec![Fact::new(
        "sums",
        5,
        "la somme donne le score, et chaque contribution suit sa variable en ligne droite",
    )])
}

/// Where a variable is put, as shares of its range, to see a line.
const STEPS: [f64; 5] = [0.1, 0.3, 0.5, 0.75, 1.0];

/// Explanations that differ by one variable, whose values are at [`STEPS`] (but for rounding).
fn misplaced(bench: &Bench<'_>, index: usize, told: &[Explained], expected: &str) -> Option<Miss> {
    let variable = &bench.variables()[index];
    let values: Vec<f64> = STEPS.map(|share| Bench::at(variable, share)).to_vec();
    let other = bench
        .variables()
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != index)
        .find(|(i, _)| told.iter().any(|t| (t.parts[*i] - told[0].parts[*i]).abs() > TOLERANCE));
    let own: Vec<f64> = told.iter().map(|t| t.parts[index]).collect();
    if let Some((other_index, other)) = other {
        let seen: Vec<String> = told.iter().map(|t| shown(t.parts[other_index])).collect();
        return Some(Miss {
            headline: format!("la contribution de « {} » dépend d'une autre variable", other.name),
            observed: format!(
                "seule « {} » change, et « {} » aussi : {}",
                variable.name,
                other.name,
                seen.join(" → ")
            ),
            hint: "une contribution partagée entre toutes les variables n'explique rien".to_owned(),
            ..bench.miss("/explain", expected)
        });
    }
    let last = own.len() - 1;
    let slope = |a: usize, b: usize| (own[b] - own[a]) / (values[b] - values[a]);
    let bent = (1..last).any(|at| {
        let shortest = (values[at] - values[at - 1]).min(values[at + 1] - values[at]);
        (slope(at - 1, at) - slope(at, at + 1)).abs() > 0.02 * slope(0, last).abs() + TOLERANCE / shortest
    });
    let flat = (own[last] - own[0]).abs() <= TOLERANCE;
    (bent || flat).then(|| {
        let seen: Vec<String> = own.iter().map(|part| shown(*part)).collect();
        Miss {
            headline: format!(
                "la contribution de « {} » ne suit pas sa variable en ligne droite",
                variable.name
            ),
            observed: format!("« {} » augmente seule : {}", variable.name, seen.join(" → ")),
            hint: "le modèle demandé est linéaire : à pas égaux, contributions à pas égaux".to_owned(),
            ..bench.miss("/explain", expected)
        }
    })
}

/// Bodies that cannot be read, and a good one after them.
pub(super) async fn refusal(bench: &mut Bench<'_>) -> Result<Verdict, Fault> {
    let row = bench.row(0.1, 0.9);
    let good = bench.object(&row);
    get!(bench.score(&row).await?);
    let index = bench.number(0, bench.variables().len() - 1);
    let name = bench.variables()[index].name.clone();
    let changed = |value: Value| {
        let mut object = good.clone();
        if let Some(pairs) = object.as_object_mut() {
            pairs.insert(name.clone(), value);
        }
        object.to_string()
    };
    let without = |name: &str| {
        let mut object = good.clone();
        if let Some(pairs) = object.as_object_mut() {
            pairs.remove(name);
        }
        object.to_string()
    };
    let in_quotes = good.get(&name).map(ToString::to_string).unwrap_or_default();
    let mut cases: Vec<(String, String)> =
        bench.variables().iter().map(|v| (format!("sans « {} »", v.name), without(&v.name))).collect();
    cases.extend([
        (format!("« {name} » est un texte"), changed(json!("beaucoup"))),
        (format!("« {name} » est un texte, {in_quotes} entre guillemets"), changed(json!(in_quotes))),
        (format!("« {name} » est nul"), changed(Value::Null)),
        (format!("« {name} » est une liste"), changed(json!([1, 2]))),
        ("une liste en place d'un objet".to_owned(), json!([good]).to_string()),
        ("un texte qui n'est pas du JSON".to_owned(), "montant=12".to_owned()),
    ]);
    let count = cases.len();
    for path in ["/predict", "/explain"] {
        for (what, body) in &cases {
            let answer = get!(bench.ask("POST", path, Some(body.clone())).await?);
            if (400..500).contains(&answer.status) {
                continue;
            }
            let crashed = answer.status >= 500;
            return tell::fail(Miss {
                headline: if crashed {
                    format!("POST {path} se casse sur une entrée mal faite")
                } else {
                    format!("POST {path} accepte une entrée mal faite")
                },
                observed: format!("{what} : {} {}", answer.status, answer.shown),
                control: "la même transaction, bien faite, reçoit un score".to_owned(),
                hint: if crashed {
                    "500 dit « je suis en panne », 400 dit « votre demande est mal faite » : ici, qui doit corriger quoi ?"
                } else {
                    "un score pour une transaction incomplète est un score inventé"
                }
                .to_owned(),
                ..bench.miss(path, "une réponse 4xx à ce qui n'est pas une transaction")
            });
        }
    }
    get!(bench.score(&row).await?);
    tell::pass(vec![Fact::new(
        "refused",
        count * 2,
        format!("{} entrées mal faites, toutes refusées par un 4xx ; la bonne passe encore", count * 2),
    )])
}
