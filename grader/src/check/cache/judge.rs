//! Judgement of the cache experiment: pure functions of what was seen.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::experiment::CacheExperiment;
use super::super::world::World;
use super::super::{kit, tell};
use super::Proof;
use super::run::{Call, Renewal, Run, window};
use super::value::instant;
use crate::event::{Fact, Miss, Verdict};
use crate::time::{Judgement, french};

/// Judges one part.
pub fn judge(proof: Proof, run: &Run, experiment: &CacheExperiment, world: &dyn World) -> Verdict {
    let facts = facts(run);
    let judged = match proof {
        Proof::Switches => switches(run, experiment, world),
        Proof::InStore => in_store(run, experiment, world),
        Proof::Lifetime => lifetime(run, experiment, world),
        Proof::Expiry => expiry(run, experiment, world),
    };
    match judged {
        Ok(()) => Verdict::Pass { facts },
        Err(Stop::Miss(miss)) => Verdict::Fail(Box::new(Miss { facts, ..*miss })),
        Err(Stop::Unsure(what)) => Verdict::Inconclusive { fault: kit::noise(what), facts },
    }
}

enum Stop {
    Miss(Box<Miss>),
    Unsure(String),
}

fn miss(miss: Miss) -> Result<(), Stop> {
    Err(Stop::Miss(Box::new(miss)))
}

fn told(calls: &[Call]) -> String {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for call in calls {
        let word = match (&call.source, call.status) {
            (Some(source), _) => tell::cut(source, 30),
            (None, Some(status)) => format!("réponse {status}"),
            (None, None) => "pas de réponse".to_owned(),
        };
        match groups.last_mut() {
            Some((last, n)) if *last == word => *n += 1,
            _ => groups.push((word, 1)),
        }
    }
    let parts: Vec<String> =
        groups.iter().map(|(word, n)| if *n > 1 { format!("{word} × {n}") } else { word.clone() }).collect();
    parts.join(", ")
}

fn short(value: Option<&Value>) -> String {
    value.map_or("rien".to_owned(), |v| tell::cut(&v.to_string(), 80))
}

fn facts(run: &Run) -> Vec<Fact> {
    let sources: Vec<&str> = run.calls.iter().map(|c| c.source.as_deref().unwrap_or("-")).collect();
    let took: Vec<u64> = run.calls.iter().map(|c| c.when.end_us.saturating_sub(c.when.start_us)).collect();
    let mut facts = vec![
        Fact::new("sources", json!(sources), format!("sources vues : {}", told(&run.calls))),
        Fact::new("elapsed-us", json!(took), "durée de chaque appel"),
        Fact::new(
            "keys",
            json!(run.keys),
            format!("clés dans Redis après l'appel : {}", tell::names(&run.keys)),
        ),
    ];
    if let Some(entry) = &run.stored {
        facts.push(Fact::new(
            "key",
            entry.key.as_str(),
            format!("la valeur est dans la clé « {} »", entry.key),
        ));
        facts.push(Fact::new(
            "ttl-ms",
            entry.pttl_ms,
            format!("durée de vie juste après l'écriture : {}", life(entry.pttl_ms)),
        ));
    }
    if let Some(seen) = run.lives.last() {
        let until = seen.until.unwrap_or(seen.after);
        facts.push(Fact::new(
            "ttl-between-ms",
            json!([ms(seen.after), ms(until)]),
            format!("durée de vie à l'écriture : entre {} et {}", exact(seen.after), exact(until)),
        ));
    }
    if let Some((tampered, call)) = &run.tampered {
        facts.push(Fact::new(
            "changed",
            json!({"stored": tampered.stored, "answer": call.value, "source": call.source}),
            format!("valeur changée dans Redis ; réponse ensuite : {}", short(call.value.as_ref())),
        ));
    }
    if let Some(renewal) = &run.renewal {
        facts.push(Fact::new("ttl-after-read-ms", renewal.pttl_ms, told_renewal(renewal)));
    }
    if let Some(expiry) = &run.expiry {
        let last = expiry.calls.last();
        facts.push(Fact::new(
            "after-expiry",
            json!({"before": expiry.before, "after": last.and_then(|c| c.value.clone()), "source": last.and_then(|c| c.source.clone())}),
            format!("après expiration : {}", told(&expiry.calls)),
        ));
    }
    facts
}

fn told_renewal(renewal: &Renewal) -> String {
    let reads =
        if renewal.reads == 1 { "une lecture".to_owned() } else { format!("{} lectures", renewal.reads) };
    let before = if renewal.shortened {
        format!("clé ramenée à {}", life(renewal.most_ms))
    } else {
        format!("clé de {}", life(renewal.most_ms))
    };
    let after = match renewal.pttl_ms {
        -1 => "la clé n'expire plus".to_owned(),
        left if left < 0 => "plus de clé".to_owned(),
        left => format!("il reste {}", life(left)),
    };
    format!("{before}, puis {reads} : {after}")
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn exact(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64()).replace('.', ",")
}

fn life(pttl_ms: i64) -> String {
    match u64::try_from(pttl_ms) {
        Ok(left) => exact(Duration::from_millis(left)),
        Err(_) if pttl_ms == -1 => "illimitée".to_owned(),
        Err(_) => "clé absente".to_owned(),
    }
}

fn switches(run: &Run, e: &CacheExperiment, world: &dyn World) -> Result<(), Stop> {
    if run.switched {
        return Ok(());
    }
    let path = &e.request.path;
    let service = &e.request.service;
    let all = |test: &dyn Fn(&Call) -> bool| run.calls.iter().all(test);
    let mut noted = vec![match run.clients {
        Some(0) => format!("Redis : aucune connexion de « {service} », {} clé(s) écrite(s)", run.keys.len()),
        Some(n) => format!("Redis : {n} connexion(s) de « {service} », {} clé(s) écrite(s)", run.keys.len()),
        None => format!("Redis : {} clé(s) écrite(s)", run.keys.len()),
    }];
    let place = run
        .own_host
        .as_ref()
        .and_then(|(name, value)| {
            world.place(&["services", service, "environment", name], &format!("{name} vaut {value}"))
        })
        .or_else(|| {
            tell::in_app(
                world,
                service,
                &["createClient", "new Redis", "redis"],
                "le client Redis est créé ici",
            )
        });
    let observed = format!("{} (GET {path}, {})", told(&run.calls), french(run.elapsed));
    let (headline, hint) = if all(&|c| c.status.is_none()) {
        ("l'API ne répond pas".to_owned(), "le journal de l'API dit ce qu'elle attend")
    } else if all(&|c| c.source.is_none()) {
        if let Some(call) = run.calls.last().filter(|c| !c.body.is_empty()) {
            noted.push(format!("corps : {}", call.body));
        }
        (
            format!("la réponse n'a pas de clé « {} »", e.source_field),
            "le code de la réponse et ses clés sont fixés par l'énoncé",
        )
    } else if all(&|c| c.says(&e.fresh)) {
        let hint = if run.own_host.is_some() {
            "dans un conteneur, « localhost » désigne le conteneur lui-même"
        } else if run.clients == Some(0) {
            "à quelle adresse le client Redis se connecte-t-il vraiment ?"
        } else if run.keys.is_empty() {
            "la valeur est-elle écrite dans Redis après la lecture de la base ?"
        } else {
            "la clé relue est-elle celle qui a été écrite ?"
        };
        ("la réponse ne vient jamais du cache".to_owned(), hint)
    } else if run.calls.iter().skip(1).all(|c| c.says(&e.cached)) {
        (
            "la réponse se dit « en cache » alors que Redis vient d'être vidé".to_owned(),
            "une variable du processus n'est pas le cache demandé : elle n'est pas partagée entre deux copies de l'API",
        )
    } else {
        (
            "la source annoncée ne suit pas ce qui se trouve dans Redis".to_owned(),
            "après chaque vidage de Redis : la base une fois, puis le cache",
        )
    };
    miss(Miss {
        headline,
        expected: format!("Redis vidé : {} = {}, puis {} deux fois", e.source_field, e.fresh, e.cached),
        observed,
        noted,
        place,
        hint: hint.to_owned(),
        try_it: format!("docker compose exec {} redis-cli --scan", e.store),
        ..Miss::default()
    })
}

fn in_store(run: &Run, e: &CacheExperiment, world: &dyn World) -> Result<(), Stop> {
    switches(run, e, world)?;
    let base = Miss {
        expected: "la valeur servie depuis le cache est celle qui se trouve dans Redis".to_owned(),
        place: tell::in_app(
            world,
            &e.request.service,
            &[".setEx(", ".set(", "createClient"],
            "écriture du cache",
        ),
        try_it: format!("docker compose exec {} redis-cli --scan", e.store),
        ..Miss::default()
    };
    let Some((first, last)) = &run.round else {
        return Err(Stop::Unsure("la mesure du cache est incomplète".into()));
    };
    let Some(entry) = &run.stored else {
        let headline = "la valeur dite « cache » n'est pas dans Redis".to_owned();
        return miss(Miss {
            headline,
            observed: if run.keys.is_empty() {
                "Redis est vide".to_owned()
            } else {
                format!("aucune des clés {} ne contient la valeur", tell::names(&run.keys))
            },
            noted: vec![format!("valeur servie : {}", short(last.value.as_ref()))],
            hint: "le mot « cache » ne prouve rien : où la valeur est-elle gardée ?".to_owned(),
            ..base
        });
    };
    if first.value.is_none() || last.value.is_none() {
        return miss(Miss {
            headline: format!("la réponse n'a pas de clé « {} »", e.value_field),
            observed: format!("corps : {}", last.body),
            hint: "les clés de la réponse sont fixées par l'énoncé".to_owned(),
            ..base
        });
    }
    let Some((tampered, call)) = &run.tampered else {
        return Err(Stop::Unsure(format!("la clé « {} » n'a pas pu être changée sur place", entry.key)));
    };
    let value = call.value.as_ref();
    if call.says(&e.cached) && value.is_some_and(|v| tampered.shows_in(v)) {
        return Ok(());
    }
    if call.status.is_none() {
        return Err(Stop::Unsure("l'API n'a pas répondu juste après le changement de la clé".into()));
    }
    let fresh = call.says(&e.fresh);
    miss(Miss {
        headline: if fresh {
            "la valeur changée dans Redis est ignorée : la base est relue".to_owned()
        } else {
            "la réponse « cache » n'est pas la valeur qui se trouve dans Redis".to_owned()
        },
        observed: format!("la clé « {} » a été changée ; la réponse reste {}", entry.key, short(value)),
        noted: vec![
            format!("dans Redis : {}", tell::cut(&tampered.stored, 80)),
            format!("source annoncée : {}", call.source.as_deref().unwrap_or("aucune")),
        ],
        hint: "écrire dans Redis ne suffit pas : la réponse doit être relue dans Redis".to_owned(),
        ..base
    })
}

fn lifetime(run: &Run, e: &CacheExperiment, world: &dyn World) -> Result<(), Stop> {
    in_store(run, e, world)?;
    let key = run.stored.as_ref().map(|s| s.key.clone()).unwrap_or_default();
    let asked = exact(e.by.0).replace(",00", "");
    let base = Miss {
        expected: format!("la clé vit {asked} à partir de l'écriture, et une lecture n'y change rien"),
        place: tell::in_app(
            world,
            &e.request.service,
            &[".setEx(", ".setex(", "EX:", "\"EX\"", "'EX'", ".expire(", ".set("],
            "écriture du cache",
        ),
        try_it: format!("docker compose exec {} redis-cli pttl {key}", e.store),
        ..Miss::default()
    };
    if run.eternal {
        return miss(Miss {
            headline: "la valeur n'expire jamais".to_owned(),
            observed: format!("la clé « {key} » n'a pas de durée de vie (PTTL = -1)"),
            hint: "la durée se donne à l'écriture, en secondes".to_owned(),
            ..base
        });
    }
    let judged: Vec<Judgement> = run.lives.iter().map(|seen| window(e).judge(*seen)).collect();
    let firm = run.lives.iter().zip(&judged).rev().find(|(_, j)| **j != Judgement::Straddles);
    let Some((seen, judgement)) = firm else {
        return Err(Stop::Unsure("la durée de vie n'a pas pu être mesurée assez finement".into()));
    };
    if *judgement != Judgement::Inside {
        let early = *judgement == Judgement::Early;
        return miss(Miss {
            headline: format!("la valeur vit trop {}", if early { "peu" } else { "longtemps" }),
            observed: format!("{} juste après l'écriture (clé « {key} »)", exact(seen.after)),
            hint: if seen.after > e.by.0 * 100 {
                "l'unité compte : la commande attend-elle des secondes ou des millisecondes ?".to_owned()
            } else {
                "comparez la durée donnée à l'écriture et celle de l'énoncé".to_owned()
            },
            ..base
        });
    }
    let Some(renewal) = &run.renewal else {
        return Err(Stop::Unsure("le renouvellement n'a pas pu être observé".into()));
    };
    if renewal.pttl_ms == -2 {
        return Err(Stop::Unsure("la clé a disparu pendant la mesure".into()));
    }
    if renewal.pttl_ms > renewal.most_ms || renewal.pttl_ms == -1 {
        return miss(Miss {
            headline: "une lecture prolonge la vie de la valeur".to_owned(),
            observed: told_renewal(renewal),
            hint: "cherchez ce qui, à la lecture, touche encore à la clé".to_owned(),
            place: tell::in_app(
                world,
                &e.request.service,
                &["getEx(", ".expire(", ".persist(", ".setEx("],
                "la clé est touchée ici",
            ),
            ..base
        });
    }
    if !renewal.call.says(&e.cached) {
        return Err(Stop::Unsure("la lecture de contrôle n'est pas venue du cache".into()));
    }
    Ok(())
}

fn expiry(run: &Run, e: &CacheExperiment, world: &dyn World) -> Result<(), Stop> {
    in_store(run, e, world)?;
    let Some(expiry) = &run.expiry else {
        return Err(Stop::Unsure("l'expiration n'a pas pu être observée".into()));
    };
    if !expiry.gone {
        return Err(Stop::Unsure(
            "la clé n'a pas disparu à l'échéance, ou elle a été réécrite aussitôt".into(),
        ));
    }
    let base = Miss {
        expected: format!("clé expirée : {} = {}, avec une valeur plus récente", e.source_field, e.fresh),
        noted: vec![format!("valeur d'avant : {}", short(Some(&expiry.before)))],
        place: tell::in_app(world, &e.request.service, &[".query(", "createClient"], "lecture de la base"),
        hint: "la valeur doit être lue dans la base à ce moment-là, pas au démarrage".to_owned(),
        try_it: format!("docker compose exec {} redis-cli flushall", e.store),
        ..Miss::default()
    };
    let fresh: Vec<&Call> = expiry.calls.iter().filter(|c| c.says(&e.fresh)).collect();
    let Some(last) = fresh.last() else {
        return miss(Miss {
            headline: format!("la clé expirée, la réponse ne revient pas à « {} »", e.fresh),
            observed: told(&expiry.calls),
            ..base
        });
    };
    let shows_change = |c: &Call| match (&run.tampered, &c.value) {
        (Some((tampered, _)), Some(value)) => tampered.shows_in(value),
        _ => false,
    };
    let newer = match (instant(&expiry.before), last.value.as_ref().and_then(instant)) {
        (Some(before), Some(after)) => after > before,
        _ => last.value.is_some() && last.value.as_ref() != Some(&expiry.before),
    };
    if newer && !shows_change(last) {
        return Ok(());
    }
    miss(Miss {
        headline: "après expiration, la valeur n'est pas plus récente".to_owned(),
        observed: format!("{} appels, dernière valeur {}", expiry.calls.len(), short(last.value.as_ref())),
        ..base
    })
}
