//! Judgement of what only a histogram has: its buckets and its sum.

use super::Metrics;
use super::judge::{Wrong, number_told, same};
use super::parse::number;
use super::run::{Long, Measure, Sent};
use crate::check::experiment::Traffic;
use crate::event::Miss;
use crate::time::french;

impl Metrics {
    /// What was sent to a path while its sum stayed where it was from the beginning of the measure to the end of the
    /// many requests that followed it.
    fn unmoved<'l>(&self, m: &Measure, long: &'l Long, path: &str) -> Option<&'l Sent> {
        let sum = format!("{}_sum", self.name());
        let [first, last] = [&m.before, &long.after].map(|reading| self.total(&reading.page, &sum, path));
        long.sent.get(path).filter(|sent| (last - first).abs() < 1e-9 && sent.bad == 0)
    }

    /// Type, buckets and sum of a histogram.
    pub(super) fn shaped(&self, m: &Measure, traffic: &Traffic, base: &Miss) -> Result<(), Wrong> {
        let name = self.name();
        let page = &m.after.page;
        let wrong = |headline: String, observed: String, hint: &str| {
            Err(Wrong::Miss(Box::new(Miss { headline, observed, hint: hint.to_owned(), ..base.clone() })))
        };
        let kind = page.types.get(name).map_or("sans type", String::as_str);
        if kind != "histogram" {
            return wrong(
                format!("« {name} » n'est pas un histogramme"),
                format!("type annoncé : {kind}"),
                "le type est dans la ligne # TYPE de la page",
            );
        }
        for path in self.paths(traffic) {
            let count = self.total(page, &format!("{name}_count"), path);
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            let series = format!("{name}_bucket");
            for sample in page.of(&series).filter(|s| self.is_of(s, path)) {
                let Some(le) = sample.labels.get("le").and_then(|le| number(le)) else {
                    return wrong(
                        format!("un seau de « {name} » n'a pas de borne lisible"),
                        format!("{:?}", sample.labels),
                        "l'étiquette le est un nombre ou +Inf",
                    );
                };
                match buckets.iter_mut().find(|(b, _)| b.total_cmp(&le).is_eq()) {
                    Some((_, sum)) => *sum += sample.value,
                    None => buckets.push((le, sample.value)),
                }
            }
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let rising = buckets.windows(2).all(|w| w[0].1 <= w[1].1);
            let last = buckets.last().copied();
            let closed = last.is_some_and(|(le, n)| le.is_infinite() && same(n, count));
            if !rising || !closed || buckets.len() < 2 {
                let shown: Vec<String> =
                    buckets.iter().map(|(le, n)| format!("{le}:{}", number_told(*n))).collect();
                return wrong(
                    format!("les seaux de « {name} » ne forment pas un histogramme"),
                    format!("{path} : {} ; _count {}", shown.join(" "), number_told(count)),
                    "les seaux sont cumulés, et le dernier (+Inf) vaut _count",
                );
            }
            let sum = format!("{name}_sum");
            let moved = self.total(page, &sum, path) - self.total(&m.before.page, &sum, path);
            let took = m.sent.get(path).map(|s| s.took).unwrap_or_default();
            let most = took.as_secs_f64() * 1.5 + 0.05;
            if let Some(long) = m.long.as_ref().and_then(|long| self.unmoved(m, long, path)) {
                return wrong(
                    format!("« {name} » ne mesure aucune durée"),
                    format!(
                        "_sum n'a pas bougé pendant {} requêtes à {path}, qui ont duré {} en tout",
                        long.sure,
                        french(long.took)
                    ),
                    "la durée s'observe en secondes, avec ses décimales : 20 ms valent 0,02",
                );
            }
            if moved < -1e-9 || moved > most || moved.is_nan() {
                return wrong(
                    format!("« {name} » ne mesure pas des secondes"),
                    format!(
                        "_sum + {} pour des requêtes qui ont duré {} en tout",
                        number_told(moved),
                        french(took)
                    ),
                    "l'unité est dans le nom : une milliseconde vaut 0,001",
                );
            }
        }
        Ok(())
    }
}
