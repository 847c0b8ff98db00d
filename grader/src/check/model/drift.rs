//! The baseline, and the drift from it.

use serde_json::Value;

use super::play::{Bench, Row, Told, shown};
use super::score::get;
use super::{Fact, Fault, Miss, Verdict, kit, tell};

/// Below: nothing moved.
const CALM: f64 = 0.1;
/// Above: it moved.
const MOVED: f64 = 0.25;
/// Transactions of a batch: the index of two such samples of one law stays far below `CALM`.
const ROWS: usize = 1000;
/// Shares of moved transactions, in percent, whose index goes from little to much.
const PARTS: [usize; 4] = [5, 15, 25, 35];
/// An index so near to [`MOVED`] may have been rounded.
const ROUNDING: f64 = 0.01;
/// Times that the same question is asked: several processes may answer it.
const AGAIN: usize = 6;

/// A law: a window of each variable's range.
struct Law(Vec<(f64, f64)>);

impl Law {
    fn draw(bench: &mut Bench<'_>) -> Self {
        let places = bench.variables().iter().map(|_| bench.number(0, 30)).collect::<Vec<_>>();
        #[expect(clippy::cast_precision_loss, reason = "at most 30")]
        let windows = places.iter().map(|place| *place as f64 / 100.0).map(|from| (from, from + 0.4));
        Self(windows.collect())
    }

    fn rows(&self, bench: &mut Bench<'_>, count: usize) -> Vec<Row> {
        let variables = bench.variables();
        let row = |bench: &mut Bench<'_>| -> Row {
            variables.iter().zip(&self.0).map(|(v, (from, to))| bench.value(v, *from, *to)).collect()
        };
        (0..count).map(|_| row(bench)).collect()
    }

    /// The same, one variable being elsewhere.
    fn moved(&self, index: usize) -> Self {
        let mut windows = self.0.clone();
        windows[index] = (windows[index].0 + 0.3, windows[index].1 + 0.3);
        Self(windows)
    }
}

/// Index of each variable, and whether a drift is told.
async fn measured(bench: &Bench<'_>, rows: &[Row]) -> Told<(Vec<f64>, bool)> {
    let answer = match bench.post("/drift", &bench.batch(rows)).await? {
        Ok(answer) => answer,
        Err(miss) => return Ok(Err(miss)),
    };
    let psi = answer.body.get("psi").and_then(Value::as_object);
    let read: Option<Vec<f64>> =
        psi.and_then(|psi| bench.variables().iter().map(|v| psi.get(&v.name)?.as_f64()).collect());
    Ok(match (read, answer.body.get("derive").and_then(Value::as_bool)) {
        (Some(psi), Some(told)) => Ok((psi, told)),
        _ => Err(bench.shape("/drift", "psi avec un nombre par variable, et derive, vrai ou faux", &answer)),
    })
}

async fn size(bench: &Bench<'_>) -> Told<u64> {
    let answer = match bench.ask("GET", "/baseline", None).await? {
        Ok(answer) => answer,
        Err(miss) => return Ok(Err(miss)),
    };
    Ok(match answer.body.get("effectif").and_then(Value::as_u64) {
        Some(size) if answer.status == 200 => Ok(size),
        _ => Err(Box::new(Miss {
            headline: "GET /baseline ne dit pas sur combien de transactions porte la référence".to_owned(),
            observed: format!("{} {}", answer.status, answer.shown),
            hint: "dès le premier démarrage, une référence existe : celle de l'entraînement".to_owned(),
            ..bench.miss("/baseline", "200 et {\"effectif\": …}")
        })),
    })
}

fn told(bench: &Bench<'_>, psi: &[f64]) -> String {
    let each: Vec<String> =
        bench.variables().iter().zip(psi).map(|(v, psi)| format!("{} {}", v.name, shown(*psi))).collect();
    each.join(", ")
}

const EXPECTED: &str = "indice sous 0,1 pour ce qui ressemble à la référence, au-dessus de 0,25 pour la variable qui a changé, et pour elle seule";

/// Data like the baseline must be told calm, whoever answers.
async fn calm(bench: &Bench<'_>, rows: &[Row], times: usize, why: &str) -> Result<Option<Miss>, Fault> {
    for _ in 0..times {
        let (psi, drifts) = match measured(bench, rows).await? {
            Ok(seen) => seen,
            Err(miss) => return Ok(Some(*miss)),
        };
        if drifts || psi.iter().any(|psi| *psi >= CALM) {
            return Ok(Some(Miss {
                headline: "une dérive est annoncée pour des données pareilles à la référence".to_owned(),
                observed: format!("derive : {drifts} ; {}", told(bench, &psi)),
                control: why.to_owned(),
                hint: "à quelle référence ces données sont-elles comparées, et tous les processus ont-ils la même ?"
                    .to_owned(),
                ..bench.miss("/drift", EXPECTED)
            }));
        }
    }
    Ok(None)
}

/// Data of which one variable moved must be told so.
async fn moves(bench: &mut Bench<'_>, law: &Law, index: usize) -> Result<Option<Miss>, Fault> {
    let rows = law.moved(index).rows(bench, ROWS);
    let (psi, drifts) = match measured(bench, &rows).await? {
        Ok(seen) => seen,
        Err(miss) => return Ok(Some(*miss)),
    };
    let name = &bench.variables()[index].name;
    let others = psi.iter().enumerate().any(|(i, psi)| i != index && *psi >= CALM);
    Ok((!drifts || psi[index] <= MOVED || others).then(|| Miss {
        headline: if others {
            "la dérive est annoncée pour une variable qui n'a pas changé".to_owned()
        } else {
            format!("une dérive de « {name} » passe inaperçue")
        },
        observed: format!("derive : {drifts} ; {}", told(bench, &psi)),
        control: format!(
            "seule « {name} » a changé : les trois quarts de ses valeurs sont hors de leur place d'avant"
        ),
        hint: "chaque variable se compare, tranche par tranche, à sa propre référence".to_owned(),
        ..bench.miss("/drift", EXPECTED)
    }))
}

/// Data of which a part moved: whatever the index, `derive` must say what it says.
async fn told_as_measured(bench: &mut Bench<'_>, law: &Law, index: usize) -> Result<Option<Miss>, Fault> {
    for share in PARTS {
        let moved = law.moved(index).rows(bench, ROWS * share / 100);
        let mut rows = law.rows(bench, ROWS - moved.len());
        rows.extend(moved);
        let (psi, drifts) = match measured(bench, &rows).await? {
            Ok(seen) => seen,
            Err(miss) => return Ok(Some(*miss)),
        };
        let highest = psi.iter().copied().fold(0.0, f64::max);
        if (highest - MOVED).abs() < ROUNDING || drifts == (highest > MOVED) {
            continue;
        }
        return Ok(Some(Miss {
            headline: "« derive » ne dit pas ce que disent les indices".to_owned(),
            observed: format!("derive : {drifts} ; {}", told(bench, &psi)),
            hint: "« derive » est vrai quand un indice dépasse 0,25, et seulement alors".to_owned(),
            ..bench.miss("/drift", EXPECTED)
        }));
    }
    Ok(None)
}

/// A new baseline, data like it, and data that moved.
pub(super) async fn drift(bench: &mut Bench<'_>) -> Result<Verdict, Fault> {
    let first = get!(size(bench).await?);
    if first == 0 {
        return tell::fail(Miss {
            headline: "la référence de départ est vide".to_owned(),
            observed: "effectif : 0".to_owned(),
            hint: "avant toute mise à jour, la référence est celle des données de l'entraînement".to_owned(),
            ..bench.miss("/baseline", "une référence dès le premier démarrage")
        });
    }
    let law = Law::draw(bench);
    let rows = law.rows(bench, ROWS);
    get!(bench.post("/baseline", &bench.batch(&rows)).await?);
    let like = law.rows(bench, ROWS);
    if let Some(miss) =
        calm(bench, &like, AGAIN, "ces données suivent la loi de la référence qui vient d'être donnée")
            .await?
    {
        return tell::fail(miss);
    }
    for index in 0..bench.variables().len() {
        if let Some(miss) = moves(bench, &law, index).await? {
            return tell::fail(miss);
        }
    }
    let index = bench.number(0, bench.variables().len() - 1);
    if let Some(miss) = told_as_measured(bench, &law, index).await? {
        return tell::fail(miss);
    }
    tell::pass(vec![Fact::new(
        "drifts",
        bench.variables().len(),
        format!("{AGAIN} lots calmes et {} dérives, tous reconnus", bench.variables().len()),
    )])
}

/// A new baseline that is still there once the container was removed.
pub(super) async fn kept(bench: &mut Bench<'_>) -> Result<Verdict, Fault> {
    let (world, service) = (bench.world, bench.scoring.service.clone());
    let law = Law::draw(bench);
    let count = bench.number(ROWS, ROWS + 200);
    let rows = law.rows(bench, count);
    get!(bench.post("/baseline", &bench.batch(&rows)).await?);
    let like = law.rows(bench, ROWS);
    if let Some(miss) =
        calm(bench, &like, 1, "ces données suivent la loi de la référence qui vient d'être donnée").await?
    {
        return tell::fail(miss);
    }
    let before: Vec<String> = world.instances(&service).await?.into_iter().map(|i| i.id).collect();
    let ready = world.recreate(&service).await?;
    if world.instances(&service).await?.iter().any(|i| before.contains(&i.id)) {
        return Err(kit::noise(format!("« {service} » n'a pas été recréé")));
    }
    let volumes = tell::at(world, &service, "volumes", "montages de ce service");
    if !ready {
        return tell::fail(Miss {
            headline: format!("« {service} » ne redevient pas prêt après « down » puis « up »"),
            observed: "pas prêt à temps".to_owned(),
            noted: tell::tail(&world.logs(&service, 20).await?, 8),
            place: volumes,
            hint: "le journal dit ce que le programme a trouvé dans son volume".to_owned(),
            ..bench.miss("/baseline", format!("« {service} » recréé, en marche et en bonne santé"))
        });
    }
    let seen = get!(size(bench).await?);
    if seen != count as u64 {
        return tell::fail(Miss {
            headline: "la référence ne survit pas à la suppression du conteneur".to_owned(),
            observed: format!("effectif {count} avant « down », {seen} après « up »"),
            control: "la référence donnée servait bien avant la suppression".to_owned(),
            place: volumes,
            hint: "où ce fichier est-il écrit, et ce dossier est-il celui d'un volume nommé ?".to_owned(),
            try_it: "docker compose down && docker compose up -d && curl -s http://localhost:5000/baseline"
                .to_owned(),
            ..bench.miss("/baseline", "la référence donnée avant « down » est encore là après « up »")
        });
    }
    if let Some(miss) =
        calm(bench, &like, AGAIN, "ces données suivent la loi de la référence donnée avant la suppression")
            .await?
    {
        return tell::fail(Miss { place: volumes, ..miss });
    }
    let index = bench.number(0, bench.variables().len() - 1);
    if let Some(miss) = moves(bench, &law, index).await? {
        return tell::fail(miss);
    }
    tell::pass(vec![Fact::new(
        "size",
        count,
        format!("référence de {count} transactions retrouvée après suppression"),
    )])
}
