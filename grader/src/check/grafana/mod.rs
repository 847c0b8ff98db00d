//! A small typed client of Grafana's HTTP API (the documented one, version 8 and later), over the
//! probe's HTTP: it asks from inside the stack, on the service's own address.

pub mod answer;
pub mod dashboard;
pub mod vars;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::prom::with_params;
use super::world::{Vantage, World, wire};
use super::{Cx, kit, tell};
use crate::error::Fault;
pub use answer::{DashboardAnswer, DataSource, Found, Frames, HealthAnswer};

/// The largest answer read, bytes.
const MAX_BODY: u64 = 4 * 1024 * 1024;
/// A first start makes a whole database.
const PATIENCE: Duration = Duration::from_secs(60);

/// Grafana and the account of the statement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Account {
    /// Service.
    pub service: String,
    /// Container port.
    pub port: u16,
    /// Administrator.
    #[serde(default = "admin")]
    pub user: String,
    /// Password.
    pub password: String,
}

fn admin() -> String {
    "admin".to_owned()
}

/// What came back, or why nothing usable did; a fault of ours is the outer error.
pub type Reply<T> = Result<Result<T, Trouble>, Fault>;

/// Why a question got no usable answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// No HTTP answer at all.
    Silent(wire::Failure),
    /// Another status than 2xx.
    Status {
        /// Status code.
        status: u16,
        /// `message` of the answer, else its body; cut.
        message: String,
    },
    /// Not the JSON that Grafana documents.
    Foreign(String),
}

impl Trouble {
    /// In French.
    pub fn told(&self) -> String {
        match self {
            Self::Silent(failure) => tell::why(failure),
            Self::Status { status, message } if message.is_empty() => format!("Grafana répond {status}"),
            Self::Status { status, message } => format!("Grafana répond {status} : {message}"),
            Self::Foreign(body) => format!("une réponse qui n'est pas celle de Grafana : {body}"),
        }
    }
}

/// Grafana as one account sees it.
#[derive(Clone)]
pub struct Grafana<'a> {
    world: &'a dyn World,
    from: Vantage,
    host: String,
    port: u16,
    authorization: Option<String>,
}

/// What came of the account of the statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// It is accepted.
    Open,
    /// The service does not run.
    Stopped,
    /// Grafana does not answer.
    Silent(Trouble),
    /// The account is refused.
    Denied {
        /// What Grafana said.
        trouble: Trouble,
        /// Whether the account is still the one of a new Grafana (`admin`, `admin`).
        untouched: bool,
    },
}

/// An answer of another status than 2xx is a trouble.
fn good(answer: wire::HttpAnswer) -> Result<wire::HttpAnswer, Trouble> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let said: Option<Value> = serde_json::from_str(&answer.body).ok();
    let message = said.as_ref().and_then(|v| v.get("message")).and_then(Value::as_str);
    let message = tell::cut(message.unwrap_or(&answer.body), 200);
    Err(Trouble::Status { status: answer.status, message })
}

impl<'a> Grafana<'a> {
    /// Grafana asked from its own network namespace; `None` when it does not run.
    pub async fn of(world: &'a dyn World, account: &Account) -> Result<Option<Self>, Fault> {
        let found = kit::settled(world, &account.service, Duration::from_secs(5)).await?;
        Ok(kit::own_ip(&found).map(|ip| Self {
            world,
            from: kit::inside(&account.service),
            host: ip.to_string(),
            port: account.port,
            authorization: None,
        }))
    }

    /// The same, as this user.
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(kit::basic(&format!("{user}:{password}")));
        self
    }

    /// One exchange; whatever the status, it is an answer.
    async fn exchange(&self, mut ask: wire::Http) -> Reply<wire::HttpAnswer> {
        ask.max_body = MAX_BODY;
        ask.timeout_ms = 20_000;
        ask.headers.push(("Accept".into(), "application/json".into()));
        if let Some(authorization) = &self.authorization {
            ask.headers.push(("Authorization".into(), authorization.clone()));
        }
        Ok(kit::http(self.world, &self.from, ask).await?.0.map_err(Trouble::Silent))
    }

    async fn typed<T: DeserializeOwned>(&self, ask: wire::Http) -> Reply<T> {
        Ok(self.exchange(ask).await?.and_then(good).and_then(|answer| {
            serde_json::from_str(&answer.body).map_err(|_| Trouble::Foreign(tell::cut(&answer.body, 120)))
        }))
    }

    /// One GET.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, params: &[(&str, &str)]) -> Reply<T> {
        self.typed(wire::Http::get(self.host.clone(), self.port, with_params(path, params))).await
    }

    /// `GET /api/health`, which needs no account.
    pub async fn alive(&self) -> Reply<Value> {
        self.get("/api/health", &[]).await
    }

    /// `GET /api/datasources`.
    pub async fn data_sources(&self) -> Reply<Vec<DataSource>> {
        self.get("/api/datasources", &[]).await
    }

    /// `GET /api/datasources/uid/:uid/health`: Grafana itself asks the data source.
    pub async fn source_health(&self, uid: &str) -> Reply<HealthAnswer> {
        self.get(&format!("/api/datasources/uid/{}/health", super::prom::encode(uid)), &[]).await
    }

    /// A GET sent by Grafana to a data source on our behalf; the answer is the data source's.
    pub async fn through(&self, uid: &str, path: &str, params: &[(&str, &str)]) -> Reply<wire::HttpAnswer> {
        let path = format!("/api/datasources/proxy/uid/{}{path}", super::prom::encode(uid));
        let ask = wire::Http::get(self.host.clone(), self.port, with_params(&path, params));
        Ok(self.exchange(ask).await?.and_then(good))
    }

    /// Dashboards, folders left out.
    pub async fn dashboards(&self) -> Reply<Vec<Found>> {
        self.get("/api/search", &[("type", "dash-db"), ("limit", "200")]).await
    }

    /// One dashboard.
    pub async fn dashboard(&self, uid: &str) -> Reply<DashboardAnswer> {
        self.get(&format!("/api/dashboards/uid/{}", super::prom::encode(uid)), &[]).await
    }

    /// `POST /api/ds/query`: a query as a panel sends it. An answer that holds results is one,
    /// whatever its status: a query that fails makes it 400.
    pub async fn query(&self, body: &Value) -> Reply<Frames> {
        let mut ask = wire::Http::get(self.host.clone(), self.port, "/api/ds/query");
        ask.method = "POST".into();
        ask.headers.push(("Content-Type".into(), "application/json".into()));
        ask.body = Some(body.to_string());
        Ok(self.exchange(ask).await?.and_then(|answer| match serde_json::from_str::<Frames>(&answer.body) {
            Ok(frames) if !frames.results.is_empty() => Ok(frames),
            _ => good(answer).and_then(|a| Err(Trouble::Foreign(tell::cut(&a.body, 120)))),
        }))
    }
}

/// Tries the account of the statement once for all the checks of a copy: Grafana locks an account
/// after five wrong passwords.
pub async fn access(cx: &Cx<'_>, account: &Account) -> Result<Access, Fault> {
    let key = format!("grafana:{}:{}:{}:{}", account.service, account.port, account.user, account.password);
    let seen = cx.memo.once(&key, try_account(cx.world, account)).await?;
    Ok(seen.as_ref().clone())
}

async fn try_account(world: &dyn World, account: &Account) -> Result<Access, Fault> {
    let Some(bare) = Grafana::of(world, account).await? else { return Ok(Access::Stopped) };
    let good = |seen: &Result<Value, Trouble>| seen.is_ok();
    if let Err(trouble) = kit::patiently(PATIENCE, good, || bare.alive()).await? {
        return Ok(Access::Silent(trouble));
    }
    // Only a real account has a profile: an anonymous visitor, whatever his role, has none.
    let whole: Reply<Value> =
        bare.clone().with_user(&account.user, &account.password).get("/api/user", &[]).await;
    let Err(trouble) = whole? else { return Ok(Access::Open) };
    let factory: Reply<Value> = bare.with_user("admin", "admin").get("/api/user", &[]).await;
    Ok(Access::Denied { trouble, untouched: factory?.is_ok() })
}

/// The miss of an account that gives no access, or `None` when it does.
pub async fn no_access(cx: &Cx<'_>, account: &Account) -> Result<Option<crate::event::Miss>, Fault> {
    use crate::event::Miss;
    let service = &account.service;
    let base = Miss {
        expected: format!("l'API de Grafana répond à « {} » avec le mot de passe de l'énoncé", account.user),
        try_it: format!("curl -u {}:… http://localhost:{}/api/user", account.user, account.port),
        ..Miss::default()
    };
    Ok(match access(cx, account).await? {
        Access::Open => None,
        Access::Stopped => Some(tell::stopped(cx.world, service).await?),
        Access::Silent(trouble) => Some(Miss {
            headline: "Grafana ne répond pas".to_owned(),
            observed: trouble.told(),
            control: format!(
                "attendu {} s sur « {service}:{} », /api/health",
                PATIENCE.as_secs(),
                account.port
            ),
            noted: tell::tail(&cx.world.logs(service, 20).await?, 6),
            place: cx.world.place(&["services", service], "service attendu ici"),
            hint: "le journal de Grafana dit ce qui l'empêche de démarrer, souvent un fichier de \
                   provisionnement illisible"
                .to_owned(),
            try_it: format!("docker compose logs {service}"),
            ..base
        }),
        Access::Denied { trouble, untouched } => Some(Miss {
            headline: format!("Grafana refuse le compte « {} » de l'énoncé", account.user),
            observed: trouble.told(),
            control: if untouched {
                "« admin » avec le mot de passe « admin » est accepté : la valeur d'usine est restée"
                    .to_owned()
            } else {
                "/api/health répond : Grafana marche".to_owned()
            },
            place: tell::at(cx.world, service, "environment", "mot de passe attendu ici"),
            hint: if untouched {
                "le mot de passe se donne par l'environnement, avant le premier démarrage".to_owned()
            } else {
                "comparez, lettre à lettre, le mot de passe de l'énoncé et celui du conteneur ; un guillemet \
                 de trop en fait partie"
                    .to_owned()
            },
            ..base
        }),
    })
}
