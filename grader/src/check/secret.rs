//! `secret-used` and `secret-hidden`: a file secret that opens the database and shows nowhere. Its
//! value is drawn for the run: what was copied elsewhere opens nothing any more.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::backup::Backup;
use super::cache::access::Store;
use super::deep::{Drawn, Trace};
use super::experiment::Request;
use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// The secret drawn for the run opens the database, to the grader and to the services.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecretUsed {
    /// PostgreSQL service.
    pub store: String,
    /// Its port in the container.
    #[serde(default = "default_port")]
    pub port: u16,
    /// A request that needs the database, asked of every container of that service.
    pub request: Request,
    /// Redis service that may answer in the place of the database: it is emptied first.
    #[serde(default)]
    pub cache: Option<String>,
}

/// The value of the secret is in no environment, no command line, no image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecretHidden {
    /// Backups on demand, whose command lines are looked at too while they are made.
    #[serde(default)]
    pub during: Option<Backup>,
}

fn default_port() -> u16 {
    5432
}

/// How long a service may take to be able to log in.
const PATIENCE: Duration = Duration::from_secs(8);

/// The miss of a submission without the secret.
fn absent(world: &dyn World, name: &str) -> Miss {
    Miss {
        headline: format!("défi non fait : pas de secret « {name} » lu dans un fichier"),
        expected: format!(
            "sous secrets:, en tête du fichier, « {name} » avec file:, donné à un service au moins"
        ),
        observed: "aucun secret de ce nom dans le fichier, ou aucun service ne le demande".to_owned(),
        place: world.place(&["secrets"], "secrets du fichier"),
        hint: "un secret se déclare une fois, en tête, puis se donne service par service".to_owned(),
        try_it: "docker compose config".to_owned(),
        ..Miss::default()
    }
}

/// Name of the secret that the lab speaks of.
fn name(experiments: &Experiments) -> Result<&str, Fault> {
    experiments.secret.as_deref().ok_or_else(|| kit::lab_fault("il manque experiment.secret"))
}

impl SecretUsed {
    async fn login(&self, world: &dyn World, password: &str) -> kit::Asked<Vec<wire::PostgresResult>> {
        self.ask(world, None, password, "SELECT 1").await
    }

    /// Asks the database, as its own user unless another is given.
    async fn ask(
        &self,
        world: &dyn World,
        user: Option<&str>,
        password: &str,
        sql: &str,
    ) -> kit::Asked<Vec<wire::PostgresResult>> {
        let (own, ip) = kit::needed(world, &self.store).await?;
        let of = |key: &str| own.env.get(key).filter(|v| !v.is_empty()).cloned();
        let owner = of("POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned());
        let user = user.map_or_else(|| owner.clone(), str::to_owned);
        let ask = wire::Postgres {
            // Its own address: the loopback asks for no password.
            host: ip.to_string(),
            port: self.port,
            dbname: of("POSTGRES_DB").unwrap_or(owner),
            user,
            password: Some(password.to_owned()),
            sql: sql.to_owned(),
            max_rows: 20,
            timeout_ms: 5_000,
        };
        kit::postgres(world, &kit::inside(&self.store), ask).await
    }

    /// A role under which the service is connected at this moment and that the secret does not open.
    async fn foreign_role(&self, world: &dyn World, drawn: &Drawn) -> Result<Option<String>, Fault> {
        let ips = kit::addresses(&kit::running(world, &self.request.service).await?);
        let list: Vec<String> = ips.iter().map(|ip| format!("'{ip}'")).collect();
        let sql = format!(
            "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE usename IS NOT NULL AND host(client_addr) IN ({})",
            list.join(", ")
        );
        let Ok(seen) = self.ask(world, None, &drawn.value, &sql).await? else { return Ok(None) };
        for role in seen.iter().flat_map(|result| &result.rows).filter_map(|row| row.first()?.clone()) {
            if self.ask(world, Some(&role), &drawn.value, "SELECT 1").await?.is_err() {
                return Ok(Some(role));
            }
        }
        Ok(None)
    }

    fn base(&self, drawn: &Drawn) -> Miss {
        Miss {
            expected: format!(
                "« {} » accepte le contenu du secret « {} », lui seul, et « {} » s'en sert",
                self.store, drawn.name, self.request.service
            ),
            try_it: format!("docker compose exec {} sh -c 'ls -l /run/secrets'", self.store),
            ..Miss::default()
        }
    }

    /// What the API answers, by each of its containers, once the cache is empty.
    async fn served(&self, world: &dyn World) -> Result<Result<usize, String>, Fault> {
        let Request { service, port, path } = &self.request;
        if let Some(cache) = self.cache.as_ref().filter(|c| world.declared().services.contains_key(*c)) {
            Store::open(world, cache, 6379).await?.flush(world).await?;
        }
        let found = kit::settled(world, service, Duration::from_secs(3)).await?;
        for instance in &found {
            let Some(ip) = kit::own_ip(std::slice::from_ref(instance)) else { continue };
            let ask = wire::Http::get(ip.to_string(), *port, path);
            match kit::http(world, &kit::inside(service), ask).await?.0 {
                Ok(answer) if (200..300).contains(&answer.status) => {}
                Ok(answer) => {
                    return Ok(Err(format!(
                        "GET {path} : {} ({})",
                        answer.status,
                        tell::cut(&answer.body, 80)
                    )));
                }
                Err(failure) => return Ok(Err(format!("GET {path} : {}", tell::why(&failure)))),
            }
        }
        Ok(if found.is_empty() { Err("aucun conteneur en marche".to_owned()) } else { Ok(found.len()) })
    }
}

#[async_trait]
impl Check for SecretUsed {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(240)
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        experiments.secret.as_ref().map(drop).ok_or_else(|| "secret-used veut experiment.secret".to_owned())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let Some(drawn) = world.drawn() else { return tell::fail(absent(world, name(cx.experiments)?)) };
        if kit::settled(world, &self.store, Duration::from_secs(3)).await?.is_empty() {
            return tell::fail(tell::stopped(world, &self.store).await?);
        }
        let _alone = cx.memo.alone().await;
        let seen = kit::patiently(PATIENCE, Result::is_ok, || self.login(world, &drawn.value)).await?;
        if let Err(failure) = seen {
            let old = self.login(world, &drawn.was).await?.is_ok();
            return tell::fail(Miss {
                headline: format!("« {} » ne prend pas son mot de passe dans le secret", self.store),
                observed: format!("avec le contenu de ce fichier : {}", tell::why(&failure)),
                noted: old
                    .then(|| {
                        "le mot de passe de votre fichier, lui, est accepté : il est donc écrit ailleurs"
                            .to_owned()
                    })
                    .into_iter()
                    .collect(),
                control: format!(
                    "le correcteur a mis dans « {} » une valeur tirée pour cette correction, avant de tout démarrer",
                    drawn.file
                ),
                place: tell::at(world, &self.store, "environment", "le mot de passe vient d'ici"),
                hint: "l'image officielle lit un fichier quand le nom de la variable finit par _FILE"
                    .to_owned(),
                ..self.base(drawn)
            });
        }
        let wrong = format!("{:016x}", kit::draw(world, "secret-wrong"));
        if self.login(world, &wrong).await?.is_ok() {
            return tell::fail(Miss {
                headline: format!("« {} » accepte n'importe quel mot de passe", self.store),
                observed: "une connexion avec un mot de passe inventé est acceptée".to_owned(),
                place: tell::at(world, &self.store, "environment", "réglages du serveur"),
                hint: "un serveur qui fait confiance à tout le monde n'a pas besoin de secret ; ce n'est pas ce qui est demandé".to_owned(),
                ..self.base(drawn)
            });
        }
        let served = kit::patiently(PATIENCE, Result::is_ok, || self.served(world)).await?;
        if served.is_ok()
            && let Some(role) = self.foreign_role(world, drawn).await?
        {
            return tell::fail(Miss {
                headline: format!("« {} » n'ouvre pas sa base avec le secret", self.request.service),
                observed: format!(
                    "il y est connecté sous le nom « {} », que le contenu du secret n'ouvre pas",
                    tell::cut(&role, 60)
                ),
                control: format!("« {} » accepte bien le contenu du secret", self.store),
                place: tell::at(world, &self.request.service, "environment", "d'où vient le mot de passe ?"),
                hint: "un second mot de passe, écrit ailleurs, est un secret de plus à garder ; celui-là, qui peut le lire ?"
                    .to_owned(),
                ..self.base(drawn)
            });
        }
        match served {
            Ok(count) => tell::pass(vec![
                Fact::new("login", true, format!("« {} » accepte le secret tiré pour cette correction et refuse un autre mot de passe", self.store)),
                Fact::new("served", json!(count), format!("« {} » joint sa base : {count} conteneur(s), cache vidé", self.request.service)),
            ]),
            Err(why) => tell::fail(Miss {
                headline: format!("« {} » n'arrive plus à joindre sa base", self.request.service),
                observed: why,
                control: format!("« {} » accepte bien le contenu du secret", self.store),
                noted: tell::tail(&world.logs(&self.request.service, 20).await?, 3),
                place: tell::at(world, &self.request.service, "environment", "d'où vient le mot de passe ?"),
                hint: "un service ne voit un secret que s'il le demande, et ne s'en sert que s'il le lit ; qui peut lire ce fichier ?".to_owned(),
                ..self.base(drawn)
            }),
        }
    }
}

/// The value itself and its usual disguises.
fn needles(value: &str) -> Vec<String> {
    let hex = hex::encode(value);
    vec![value.to_owned(), STANDARD.encode(value), STANDARD.encode(format!("{value}\n")), hex]
}

/// Where one of these texts is in a JSON document, as a path that a student recognises.
fn find(document: &Value, needles: &[String], path: &str) -> Option<String> {
    let holds = |text: &str| needles.iter().any(|needle| text.contains(needle.as_str()));
    match document {
        Value::String(text) => holds(text).then(|| {
            // `NAME=value`: the name says enough, and the value is not repeated.
            let name = text.split_once('=').map(|(name, _)| name).filter(|name| !holds(name));
            name.map_or_else(|| path.to_owned(), |name| format!("{path} ({})", tell::cut(name, 60)))
        }),
        Value::Array(items) => items.iter().find_map(|item| find(item, needles, path)),
        Value::Object(members) => members.iter().find_map(|(key, member)| {
            if holds(key) { Some(path.to_owned()) } else { find(member, needles, &format!("{path}.{key}")) }
        }),
        _ => None,
    }
}

impl SecretHidden {
    /// Everywhere the value shows.
    async fn leaks(&self, cx: &Cx<'_>, needles: &[String]) -> Result<Vec<(String, String)>, Fault> {
        let world = cx.world;
        let mut leaks: Vec<(String, String)> = Vec::new();
        let mut looked: BTreeSet<String> = BTreeSet::new();
        for (service, declared) in &world.declared().services {
            let inspections = world.inspections(service).await?;
            for seen in &inspections {
                if let Some(at) = find(seen, needles, "") {
                    let at = at.trim_start_matches('.').to_owned();
                    leaks.push((service.clone(), format!("« {service} » : docker inspect, {at}")));
                    break;
                }
            }
            let mut seen = vec![("docker top", world.processes(service).await?)];
            if let Some(backup) = self.during.as_ref().filter(|backup| backup.service == *service) {
                seen.push(("docker top pendant une sauvegarde", backup.lines(cx).await?));
            }
            let told = |line: &String| needles.iter().any(|needle| line.contains(needle.as_str()));
            let line =
                seen.iter().find_map(|(how, lines)| Some((how, lines.iter().find(|line| told(line))?)));
            if let Some((how, line)) = line {
                let program = line.split_whitespace().next().unwrap_or_default();
                leaks.push((
                    service.clone(),
                    format!("« {service} » : {how}, ligne de commande de {}", tell::cut(program, 40)),
                ));
            }
            // Services built into the same image have the same to tell.
            let image = inspections.first().and_then(|seen| seen.get("Image")).and_then(Value::as_str);
            let image = image.filter(|_| declared.build_context.is_some());
            if image.is_some_and(|id| !looked.insert(id.to_owned())) {
                continue;
            }
            for trace in world.traces(service, needles).await? {
                let place = match trace {
                    Trace::History => "historique de l'image (docker history)",
                    Trace::Configuration => "configuration de l'image (docker image inspect)",
                    Trace::Layer => "un fichier d'une couche de l'image (docker save)",
                };
                leaks.push((service.clone(), format!("« {service} » : {place}")));
            }
        }
        Ok(leaks)
    }
}

#[async_trait]
impl Check for SecretHidden {
    fn stage(&self, _: &Experiments) -> Stage {
        if self.during.is_some() { Stage::Drive } else { Stage::Observe }
    }

    fn deadline(&self) -> Duration {
        // Whole images are read, and the backups of others awaited.
        Duration::from_secs(420)
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        experiments.secret.as_ref().map(drop).ok_or_else(|| "secret-hidden veut experiment.secret".to_owned())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let Some(drawn) = world.drawn() else { return tell::fail(absent(world, name(cx.experiments)?)) };
        let leaks = self.leaks(cx, &needles(&drawn.value)).await?;
        let Some((service, first)) = leaks.first() else {
            return tell::pass(vec![Fact::new(
                "leaks",
                0,
                "la valeur n'est ni dans docker inspect, ni dans les lignes de commande, ni dans les images construites".to_owned(),
            )]);
        };
        let built = leaks.iter().any(|(_, text)| text.contains("image"));
        tell::fail(Miss {
            headline: "la valeur du secret se lit sans ouvrir son fichier".to_owned(),
            expected: format!("le contenu de « {} » n'est que dans ce fichier et dans les conteneurs qui le demandent", drawn.file),
            observed: first.clone(),
            noted: leaks.iter().skip(1).take(6).map(|(_, text)| text.clone()).collect(),
            control: "la valeur cherchée est tirée pour cette correction et ouvre bien la base".to_owned(),
            place: tell::at(world, service, if built { "build" } else { "environment" }, "la valeur passe par ici"),
            hint: if built {
                "un argument de construction et un fichier copié restent dans l'image pour toujours : qui n'en a besoin qu'en marche ne doit pas l'avoir à la construction"
            } else {
                "ce que le moteur connaît, il le montre : seul le programme doit lire le fichier"
            }
            .to_owned(),
            try_it: format!("docker compose exec {service} true && docker inspect $(docker compose ps -q {service})"),
            ..Miss::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_with_its_disguises() {
        let all = needles("Zorglub7");
        let inspect = |text: &str| json!({"Id": "x", "Config": {"Env": ["A=1", text], "Cmd": ["node"]}});
        assert_eq!(find(&inspect("DB=Zorglub7"), &all, "").as_deref(), Some(".Config.Env (DB)"));
        assert_eq!(find(&inspect("DB=Wm9yZ2x1Yjc="), &all, "").as_deref(), Some(".Config.Env (DB)"));
        assert_eq!(find(&inspect("DB=/run/secrets/x"), &all, ""), None);
        let label = json!({"Config": {"Labels": {"Zorglub7": "x"}}});
        assert_eq!(find(&label, &all, "").as_deref(), Some(".Config.Labels"));
    }
}
