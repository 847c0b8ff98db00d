//! `replicas`: the copies of one service behind the proxy, told apart by their own host names.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::round::Round;
use super::{Check, Cx, Experiments, Gate, HOST, Stage, hostnames, in_conf, kit, port_http, tell, unreached};
use crate::check::world::Instance;
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::{Span, french};

/// The copies of one service, behind a proxy that leads to them beneath `/` and the service's name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replicas {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_http")]
    pub port: u16,
    /// Service that has copies.
    pub service: String,
    /// How many copies.
    pub count: usize,
    /// What is proven.
    pub proof: ReplicaProof,
    /// Longest time until the proxy follows copies that were made anew.
    #[serde(default = "within")]
    pub within: Span,
}

/// What [`Replicas`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicaProof {
    /// Each of them answers.
    All,
    /// One that is stopped under traffic makes no request fail.
    Loss,
    /// Made anew, at other addresses, they are all found again.
    Recreated,
}

fn within() -> Span {
    Span(Duration::from_secs(15))
}

/// Requests that are enough for each of five to be drawn: the chance that one is missed is 2 in 10 000 000.
const MANY: u32 = 100;
/// Requests sent while one is stopped, a fifth of a second apart.
const UNDER_TRAFFIC: u32 = 60;

impl Replicas {
    fn path(&self) -> String {
        format!("/{}/qui", self.service)
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        let (count, service) = (self.count, &self.service);
        let conf =
            [format!("location /{service}"), format!("{service}:"), "upstream".into(), "resolver".into()];
        let conf: Vec<&str> = conf.iter().map(String::as_str).collect();
        let (expected, place) = match self.proof {
            ReplicaProof::All => (
                format!(
                    "{count} conteneurs « {service} » en marche, et chacun répond sur {MANY} appels à {}",
                    self.path()
                ),
                tell::at(cx.world, service, "deploy", "les répliques sont décrites ici"),
            ),
            ReplicaProof::Loss => (
                format!("une réplique de « {service} » arrêtée, aucun appel à {} n'échoue", self.path()),
                in_conf(cx.world, &conf, "le chemin vers les répliques est décrit ici"),
            ),
            ReplicaProof::Recreated => (
                format!(
                    "les {count} répliques recréées, toutes répondent à {} au bout de {} au plus, sans relancer « {} »",
                    self.path(),
                    french(self.within.0),
                    self.via
                ),
                in_conf(cx.world, &conf, "le chemin vers les répliques est décrit ici"),
            ),
        };
        Miss {
            expected,
            place: place.or_else(|| tell::at(cx.world, &self.via, "volumes", "configuration du frontal")),
            try_it: format!(
                "for i in $(seq 30); do curl -s http://{HOST}{} | grep -o '\"instance\":[^,}}]*'; done | sort | uniq -c",
                self.path()
            ),
            ..Miss::default()
        }
    }

    /// The first thing wrong with a round in which each of `names` must answer and nobody else.
    fn wrong(&self, cx: &Cx<'_>, round: &Round, names: &[String]) -> Option<Miss> {
        let base = self.base(cx);
        let sent = round.sent;
        if round.failures() > 0 {
            return Some(Miss {
                headline: format!("des appels à « {} » échouent", self.service),
                observed: format!("{} appels manqués sur {sent} ({})", round.failures(), round.told()),
                hint: "à quelles adresses Nginx envoie-t-il ces appels, et quand les a-t-il apprises ?"
                    .to_owned(),
                ..base
            });
        }
        if round.odd > 0 {
            return Some(Miss {
                headline: format!("des réponses ne viennent pas de « {} »", self.service),
                observed: format!(
                    "{} réponses sur {sent} ne sont pas la sienne, avec le jeton envoyé",
                    round.odd
                ),
                hint: "une réponse gardée en cache, ou donnée par un autre, ne prouve rien".to_owned(),
                ..base
            });
        }
        if let Some(name) = round.strangers(names).first() {
            return Some(Miss {
                headline: format!("quelqu'un d'autre répond à la place de « {} »", self.service),
                observed: format!(
                    "« instance » vaut « {} », qui n'est le nom d'hôte d'aucune réplique",
                    tell::cut(name, 60)
                ),
                hint: "chaque réplique donne son propre nom d'hôte, celui que Docker lui a donné".to_owned(),
                ..base
            });
        }
        let silent = round.silent(names);
        (!silent.is_empty()).then(|| Miss {
            headline: format!("{} réplique(s) sur {} ne répondent jamais", silent.len(), names.len()),
            observed: format!("sur {sent} appels, {} réplique(s) seulement ont répondu", round.by.len()),
            noted: vec![format!("jamais vues : {}", tell::names(&silent))],
            hint: "Nginx connaît-il toutes les adresses que le nom du service donne, ou une seule ?"
                .to_owned(),
            ..base
        })
    }

    /// Rounds until one in which each of `names` answers and nobody else, or the time is over: what the proxy
    /// knows of the addresses may be a few seconds old. Gives the last one.
    async fn settled(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        salt: &str,
        names: &[String],
    ) -> Result<Round, Fault> {
        let right = |round: &Round| self.wrong(cx, round, names).is_none();
        let one = || async {
            // Few first: calls to nobody last.
            let few = self.send(gate, salt, 12, 5).await?;
            let lost = few.failures() > 0 || few.odd > 0 || !few.strangers(names).is_empty();
            if lost { Ok(few) } else { self.send(gate, salt, MANY, 5).await }
        };
        kit::patiently(self.within.0, right, one).await
    }

    /// The running copies, or the miss of another number of them.
    async fn running(&self, cx: &Cx<'_>) -> Result<Result<Vec<Instance>, Box<Miss>>, Fault> {
        let found = kit::running(cx.world, &self.service).await?;
        if found.len() == self.count {
            return Ok(Ok(found));
        }
        Ok(Err(Box::new(Miss {
            headline: format!("« {} » a {} réplique(s) au lieu de {}", self.service, found.len(), self.count),
            observed: format!("{} conteneur(s) en marche", found.len()),
            hint: "Compose sait démarrer plusieurs copies d'un même service ; c'est bien de ce service-là qu'il s'agit ?".to_owned(),
            try_it: format!("docker compose ps {}", self.service),
            ..self.base(cx)
        })))
    }

    fn counted(round: &Round) -> Fact {
        let told: Vec<String> = round.by.iter().map(|(name, n)| format!("{name} : {n}")).collect();
        Fact::new("answers", json!(round.by), format!("{} appels ; {}", round.sent, told.join(", ")))
    }

    async fn all(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Result<Verdict, Fault> {
        if let Err(miss) = self.running(cx).await? {
            return tell::fail(*miss);
        }
        let names = hostnames(cx.world, &self.service).await?;
        let round = self.settled(cx, gate, "replicas-all", &names).await?;
        let facts = vec![Self::counted(&round)];
        match self.wrong(cx, &round, &names) {
            Some(miss) => tell::fail(Miss { facts, ..miss }),
            None => tell::pass(facts),
        }
    }

    async fn loss(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Result<Verdict, Fault> {
        let found = match self.running(cx).await? {
            Ok(found) => found,
            Err(miss) => return tell::fail(*miss),
        };
        let control = self.send(gate, "replicas-before", 20, 5).await?;
        if control.failures() > 0 || control.odd > 0 {
            return Err(kit::noise("des appels échouaient déjà avant l'arrêt d'une réplique"));
        }
        let rank = usize::try_from(kit::draw(cx.world, "replicas-victim") % found.len() as u64).unwrap_or(0);
        let victim = &found[rank];
        // Calls are under way when it goes.
        let calls = self.send(gate, "replicas-loss", UNDER_TRAFFIC, 200);
        let (round, halted) = futures_util::future::join(calls, cx.world.halt(&victim.id)).await;
        cx.world.revive(&victim.id).await?;
        halted?;
        let round = round?;
        let facts = vec![
            Fact::new("victim", victim.id.clone(), format!("réplique arrêtée : la {}ᵉ", rank + 1)),
            Self::counted(&round),
        ];
        if round.failures() == 0 && round.odd == 0 {
            return tell::pass(facts);
        }
        tell::fail(Miss {
            headline: "une réplique arrêtée, et des visiteurs le voient".to_owned(),
            observed: format!("{} appels manqués sur {} ({})", round.failures() + round.odd, round.sent, round.told()),
            control: "avant l'arrêt, aucun appel n'échouait ; les autres répliques sont en marche".to_owned(),
            hint: if round.late() > 0 {
                "Nginx attend longtemps un serveur qui n'est plus là, avant d'essayer le suivant : combien de temps lui laissez-vous pour se connecter (proxy_connect_timeout) ?"
            } else {
                "quand un serveur ne répond pas, Nginx sait essayer le suivant : l'en avez-vous empêché, ou n'en connaît-il qu'un ?"
            }
            .to_owned(),
            facts,
            ..self.base(cx)
        })
    }

    /// Restarts the proxy and calls every replica through it: what it knows of their addresses is of now, and must
    /// not be kept longer than [`Replicas::within`]. Without this, an answer kept for thirty seconds could be at its
    /// end when they change. Gives what is wrong with it once restarted.
    async fn fresh(&self, cx: &Cx<'_>) -> Result<Option<Miss>, Fault> {
        let names = hostnames(cx.world, &self.service).await?;
        cx.world.stop(&self.via).await?;
        cx.world.start(&self.via).await?;
        let again = |miss: Miss| Miss {
            headline: format!("« {} » redémarré ne mène plus à toutes les répliques", self.via),
            noted: [miss.noted, vec![miss.headline]].concat(),
            control: "avant ce redémarrage, toutes répondaient".to_owned(),
            try_it: format!("docker compose restart {} ; curl -i http://{HOST}{}", self.via, self.path()),
            ..miss
        };
        let one = || async {
            let gate = match Gate::open(cx.world, &self.via, None).await? {
                Ok(gate) => gate,
                Err(miss) => return Ok(Some(*miss)),
            };
            if let Err(failure) = gate.send(gate.plain(self.port, HOST, &self.path())).await? {
                let miss = unreached(&gate, self.port, &failure).await?;
                return Ok(Some(Miss { expected: self.base(cx).expected, ..miss }));
            }
            let round = self.send(&gate, "replicas-fresh", MANY, 5).await?;
            Ok(self.wrong(cx, &round, &names))
        };
        Ok(kit::patiently(self.within.0, Option::is_none, one).await?.map(again))
    }

    async fn recreated(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let before = match self.running(cx).await? {
            Ok(found) => found,
            Err(miss) => return tell::fail(*miss),
        };
        let old = kit::addresses(&before);
        if let Some(miss) = self.fresh(cx).await? {
            return tell::fail(miss);
        }
        if !world.recreate_elsewhere(&self.service).await? {
            return tell::fail(Miss {
                headline: format!("« {} » ne redevient pas prêt une fois recréé", self.service),
                observed: "pas prêt à temps".to_owned(),
                noted: tell::tail(&world.logs(&self.service, 20).await?, 6),
                hint: "le journal du service dit ce qui l'a arrêté".to_owned(),
                ..self.base(cx)
            });
        }
        let new = kit::addresses(&kit::running(world, &self.service).await?);
        if new.iter().all(|ip| old.contains(ip)) {
            return Err(kit::noise("Docker a rendu leurs anciennes adresses aux répliques recréées"));
        }
        self.followed(cx, &old, &new).await
    }

    async fn followed(
        &self,
        cx: &Cx<'_>,
        old: &[std::net::IpAddr],
        new: &[std::net::IpAddr],
    ) -> Result<Verdict, Fault> {
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let names = hostnames(cx.world, &self.service).await?;
        let round = self.settled(cx, &gate, "replicas-recreated", &names).await?;
        let facts = vec![
            Fact::new(
                "addresses",
                json!({"before": old, "after": new}),
                format!("adresses avant : {} ; après : {}", tell::ips(old), tell::ips(new)),
            ),
            Self::counted(&round),
        ];
        match self.wrong(cx, &round, &names) {
            Some(miss) => tell::fail(Miss {
                noted: [miss.noted, vec![format!("adresses avant : {} ; après : {}", tell::ips(old), tell::ips(new))]].concat(),
                hint: "un nom écrit tel quel dans la configuration n'est résolu qu'au démarrage de Nginx ; et une réponse du DNS de Docker se garde 600 s si on ne dit rien".to_owned(),
                try_it: format!("docker compose up -d --force-recreate {} ; curl -i http://{HOST}{}", self.service, self.path()),
                facts,
                ..miss
            }),
            None => tell::pass(facts),
        }
    }
}

#[async_trait]
impl Check for Replicas {
    fn stage(&self, _: &Experiments) -> Stage {
        match self.proof {
            ReplicaProof::All => Stage::Drive,
            ReplicaProof::Loss => Stage::Break,
            ReplicaProof::Recreated => Stage::Recreate,
        }
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        match self.proof {
            ReplicaProof::All => Vec::new(),
            ReplicaProof::Loss => vec![self.service.clone()],
            ReplicaProof::Recreated => vec![self.via.clone(), self.service.clone()],
        }
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if (2..=8).contains(&self.count) { Ok(()) } else { Err("replicas.count : de 2 à 8".into()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.service) {
            return tell::fail(miss);
        }
        let _alone = cx.memo.alone().await;
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        // The control: the proxy itself answers.
        if let Err(failure) = gate.send(gate.plain(self.port, HOST, &self.path())).await? {
            let miss = unreached(&gate, self.port, &failure).await?;
            return tell::fail(Miss { expected: self.base(cx).expected, ..miss });
        }
        match self.proof {
            ReplicaProof::All => self.all(cx, &gate).await,
            ReplicaProof::Loss => self.loss(cx, &gate).await,
            ReplicaProof::Recreated => self.recreated(cx).await,
        }
    }
}
