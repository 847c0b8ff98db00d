//! `workflow`: a GitHub Actions workflow, valid by actionlint, whose jobs test, build, then push.
//!
//! Jobs are known by what their steps do, never by their names; conditions are evaluated for the events that start
//! the workflow.

mod expr;
mod graph;
mod literals;
mod moments;
mod shell;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use self::graph::Graph;
use self::moments::Moments;
use super::world::{ToolRun, World};
use super::yaml::{self, Node};
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::{Fault, FaultKind};
use crate::event::{Fact, Mark, Miss, Place, Verdict};

/// A GitHub Actions workflow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Workflow {
    /// File, relative to the submission.
    pub file: String,
    /// What is proven.
    pub proof: WorkflowProof,
    /// Image of actionlint.
    #[serde(default = "actionlint")]
    pub image: String,
}

/// What [`Workflow`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkflowProof {
    /// actionlint finds nothing.
    Valid,
    /// What pushes needs what builds, which needs what tests; nothing is pushed when tests fail.
    Order,
    /// A pull request is tested and pushes nothing; something else pushes.
    Events,
    /// No password or token is written in it.
    Secrets,
}

fn actionlint() -> String {
    "rhysd/actionlint:1.7.12".to_owned()
}

/// Longest run of actionlint.
const DEADLINE: Duration = Duration::from_secs(30);
/// What is told of actionlint.
const SHOWN: usize = 4;

impl Workflow {
    fn at(&self, world: &dyn World, line: usize, label: &str) -> Option<Place> {
        let text = world.read(&self.file)?;
        let shown = text.lines().nth(line.checked_sub(1)?)?;
        let column = shown.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let width = shown.trim().chars().count().max(1);
        let mark = Mark { line, column, width, text: shown.to_owned(), label: label.to_owned() };
        Some(Place { file: self.file.clone(), mark, also: Vec::new() })
    }

    fn expected(&self) -> String {
        match self.proof {
            WorkflowProof::Valid => format!("actionlint ne trouve rien à redire à {}", self.file),
            WorkflowProof::Order => {
                "la tâche qui publie a besoin (needs) d'une tâche qui construit les images, qui a besoin d'une tâche de tests ; un test manqué, rien n'est publié".to_owned()
            }
            WorkflowProof::Events => {
                "une pull request est testée et ne publie rien ; un push, lui, publie".to_owned()
            }
            WorkflowProof::Secrets => "aucun mot de passe ni jeton écrit en clair".to_owned(),
        }
    }

    fn miss(&self, headline: impl Into<String>, observed: impl Into<String>, hint: &str) -> Miss {
        Miss {
            headline: headline.into(),
            expected: self.expected(),
            observed: observed.into(),
            hint: hint.to_owned(),
            try_it: format!("actionlint {}", self.file),
            ..Miss::default()
        }
    }

    fn missing(&self, world: &dyn World) -> Miss {
        let others: Vec<String> = world
            .files()
            .into_iter()
            .filter(|f| {
                f != &self.file
                    && f.contains("workflow")
                    && (f.strip_suffix(".yml").or(f.strip_suffix(".yaml")).is_some())
            })
            .collect();
        let observed = if others.is_empty() {
            "aucun fichier de workflow dans le dossier rendu".to_owned()
        } else {
            format!("fichiers trouvés : {}", tell::cut(&tell::names(&others), 120))
        };
        self.miss(
            format!("{} manque", self.file),
            observed,
            "GitHub ne lit que le dossier .github/workflows, à la racine du dépôt",
        )
    }

    async fn valid(&self, world: &dyn World, text: String) -> Result<Verdict, Fault> {
        let command = ["actionlint", "-no-color", "-oneline", "-shellcheck=", "-pyflakes=", "ci.yml"];
        let run = ToolRun {
            image: self.image.clone(),
            command: command.map(str::to_owned).to_vec(),
            files: BTreeMap::from([("ci.yml".to_owned(), text)]),
            deadline: DEADLINE,
        };
        let outcome = world.tool(run).await?;
        let found: Vec<&str> = outcome.output.lines().filter_map(|l| l.strip_prefix("ci.yml:")).collect();
        if outcome.code == 0 && found.is_empty() {
            return tell::pass(vec![Fact::new("actionlint", 0, "actionlint : rien à redire")]);
        }
        let Some(first) = found.first().filter(|_| outcome.code == 1) else {
            let what = "actionlint n'a pas pu lire ce fichier";
            let fault = Fault::new(
                FaultKind::Engine,
                what,
                "relancez ; si cela se répète, signalez ce défaut du correcteur",
            );
            return Err(fault.detail(tell::cut(&outcome.output, 400)));
        };
        let line = first.split(':').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let noted = found.iter().take(SHOWN).map(|f| format!("ligne {}", tell::cut(f, 200))).collect();
        tell::fail(Miss {
            place: self.at(world, line, "signalé par actionlint"),
            noted,
            facts: vec![Fact::new("actionlint", found.len(), format!("{} remarque(s)", found.len()))],
            ..self.miss(
                "GitHub ne lira pas ce workflow comme vous le pensez",
                format!("actionlint signale {} point(s)", found.len()),
                "chaque remarque donne la ligne, la colonne et la règle, en anglais",
            )
        })
    }

    fn order(&self, world: &dyn World, graph: &Graph, moments: &Moments) -> Judged {
        let pushing = graph.those(graph::Job::pushes);
        let Some(first) = pushing.first() else {
            return Err(Box::new(self.miss(
                "aucune tâche ne publie les images",
                format!("tâches lues : {}", told(graph)),
                "docker push, docker compose push, --push, ou l'action docker/build-push-action avec push",
            )));
        };
        for name in &pushing {
            let place = self.at(world, graph.jobs[name].line, "cette tâche publie");
            let miss = |headline: String, observed: String, hint: &str| {
                Err(Box::new(Miss { place: place.clone(), ..self.miss(headline, observed, hint) }))
            };
            let before = graph.ancestors(name);
            let tests: Vec<&String> =
                before.iter().filter(|n| graph.jobs.get(*n).is_some_and(graph::Job::tests)).collect();
            if tests.is_empty() {
                let vain = before.iter().find(|n| graph.jobs.get(*n).is_some_and(graph::Job::tests_in_vain));
                return match vain {
                    Some(vain) => miss(
                        format!("les tests de « {} » ne peuvent pas échouer", tell::cut(vain, 40)),
                        "leur échec est avalé (continue-on-error, « || true », tube…)".to_owned(),
                        "un test dont l'échec ne change rien n'est pas un test",
                    ),
                    None => miss(
                        format!("« {} » publie sans attendre les tests", tell::cut(name, 40)),
                        format!(
                            "besoins, directs ou non : {}",
                            if before.is_empty() {
                                "aucun".to_owned()
                            } else {
                                tell::names(&before.iter().collect::<Vec<_>>())
                            }
                        ),
                        "sans needs, les tâches d'un workflow partent toutes en même temps",
                    ),
                };
            }
            let builds: Vec<&String> =
                before.iter().filter(|n| graph.jobs.get(*n).is_some_and(graph::Job::builds)).collect();
            if builds.is_empty() {
                return miss(
                    format!(
                        "« {} » publie sans qu'une tâche ait construit les images avant elle",
                        tell::cut(name, 40)
                    ),
                    format!("besoins, directs ou non : {}", tell::names(&before.iter().collect::<Vec<_>>())),
                    "l'ordre demandé : tests, puis construction, puis publication, chacune dans sa tâche",
                );
            }
            let ordered = builds.iter().any(|b| graph.ancestors(b).iter().any(|n| tests.contains(&n)));
            if !ordered {
                return miss(
                    format!("« {} » construit sans attendre les tests", tell::cut(builds[0], 40)),
                    format!(
                        "besoins de cette tâche : {}",
                        tell::cut(&graph.jobs[builds[0]].needs.join(", "), 80)
                    ),
                    "construire cinq images pour apprendre ensuite que les tests échouent coûte cher",
                );
            }
            // Each on its own: what publishes may wait for one and forget another. What tests afterwards is left out.
            let failing =
                graph.those(graph::Job::tests).into_iter().filter(|t| !graph.ancestors(t).contains(name));
            let failing: Vec<String> = failing.collect();
            for moment in moments.others.iter().chain(&moments.requests) {
                let publishes = |moment: &graph::Moment| graph.publishes(name, moment) != Some(false);
                if publishes(moment) && tests.iter().all(|t| graph.tests_at(t, moment) == Some(false)) {
                    return miss(
                        format!("« {} » publie sans qu'aucun test n'ait tourné", tell::cut(name, 40)),
                        format!("événement {} : les tests y sont sautés par leur condition", moment.event),
                        "une étape sautée ne fait échouer personne : quelle condition (if) portent les tests ?",
                    );
                }
                let runs = |test: &&String| graph.tests_at(test, moment) != Some(false);
                let forgotten = failing.iter().filter(runs).find(|test| {
                    publishes(&graph::Moment { failing: BTreeSet::from([(*test).clone()]), ..moment.clone() })
                });
                if let Some(test) = forgotten {
                    return miss(
                        format!("« {} » publie même quand les tests échouent", tell::cut(name, 40)),
                        format!(
                            "tests de « {} » manqués ; condition de la publication : {}",
                            tell::cut(test, 40),
                            tell::cut(graph.jobs[name].condition.as_deref().unwrap_or("aucune"), 100)
                        ),
                        "toutes les tâches de tests sont-elles dans ses besoins ? always(), failure() et !cancelled() remplacent la condition sous-entendue : « tout ce dont j'ai besoin a réussi »",
                    );
                }
            }
        }
        Ok(vec![Fact::new(
            "push",
            json!(pushing),
            format!("« {first} » publie après les tests et la construction"),
        )])
    }

    fn events(&self, world: &dyn World, graph: &Graph, moments: &Moments) -> Judged {
        let miss =
            |headline: &str, observed: String, hint: &str| Err(Box::new(self.miss(headline, observed, hint)));
        let named = if moments.names.is_empty() { "aucun".to_owned() } else { moments.names.join(", ") };
        if moments.requests.is_empty() {
            return miss(
                "une pull request ne lance pas ce workflow",
                format!("événements : {}", tell::cut(&named, 100)),
                "c'est avant de fusionner que les tests servent le plus",
            );
        }
        if moments.requests.iter().all(|moment| moment.late) {
            return miss(
                "une pull request qu'on ouvre ou qu'on modifie ne lance pas ce workflow",
                "les types demandés (types) n'ont ni opened, ni synchronize, ni reopened".to_owned(),
                "c'est avant de fusionner que les tests servent le plus",
            );
        }
        // Tests that cannot fail are run all the same: that is the business of the order.
        let tests = graph.those(|job| job.tests() || job.tests_in_vain());
        let run = |moment: &graph::Moment| tests.iter().any(|t| graph.tests_at(t, moment) != Some(false));
        if !moments.requests.iter().filter(|moment| !moment.late).any(run) {
            return miss(
                "une pull request n'est pas testée",
                format!("tâches de tests : {}", tell::names(&tests)),
                "quelle condition écarte les tests de cet événement ?",
            );
        }
        let pushing = graph.those(graph::Job::pushes);
        for moment in &moments.requests {
            if let Some(name) = pushing.iter().find(|n| graph.publishes(n, moment) != Some(false)) {
                let observed = format!(
                    "événement {} : « {} » publie (condition : {})",
                    moment.event,
                    tell::cut(name, 40),
                    tell::cut(graph.jobs[name].condition.as_deref().unwrap_or("aucune"), 100)
                );
                let place = self.at(world, graph.jobs[name].line, "cette tâche publie");
                let hint = "n'importe qui peut proposer une pull request : rien de ce qu'elle contient ne doit partir dans le registre";
                return Err(Box::new(Miss {
                    place,
                    ..self.miss("une pull request publie des images", observed, hint)
                }));
            }
        }
        let publishes = |moment| pushing.iter().any(|n| graph.publishes(n, moment) != Some(false));
        if !moments.others.iter().any(publishes) {
            return miss(
                "rien ne publie jamais",
                format!("événements : {}", tell::cut(&named, 100)),
                "sur quel événement, quelle branche ou quelle étiquette la publication doit-elle se faire ?",
            );
        }
        Ok(vec![Fact::new("events", json!(moments.names), format!("événements : {named}"))])
    }

    fn secrets(&self, world: &dyn World, workflow: &Node) -> Judged {
        let found = literals::literals(workflow);
        let Some(first) = found.first() else {
            return Ok(vec![Fact::new("literals", 0, "aucun secret en clair")]);
        };
        Err(Box::new(Miss {
            place: self.at(world, first.line, "secret écrit en clair"),
            ..self.miss(
                "un secret est écrit en clair dans le workflow",
                format!("{} vaut un texte, et non une référence", first.what),
                "le dépôt garde tout, même ce qu'on efface ensuite : un secret se range dans les réglages du dépôt et se cite par secrets",
            )
        }))
    }
}

/// Facts of a pass, or a miss.
type Judged = Result<Vec<Fact>, Box<Miss>>;

/// The jobs of a workflow and what each does.
fn told(graph: &Graph) -> String {
    let one = |(name, job): (&String, &graph::Job)| {
        let does: Vec<&str> = [("teste", job.tests()), ("construit", job.builds()), ("publie", job.pushes())]
            .iter()
            .filter_map(|(word, yes)| yes.then_some(*word))
            .collect();
        format!(
            "« {} » ({})",
            tell::cut(name, 30),
            if does.is_empty() { "rien de cela".to_owned() } else { does.join(", ") }
        )
    };
    let all: Vec<String> = graph.jobs.iter().map(one).collect();
    if all.is_empty() { "aucune".to_owned() } else { tell::cut(&all.join(", "), 200) }
}

#[async_trait]
impl Check for Workflow {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Static
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn is_static(&self) -> bool {
        true
    }

    fn tools(&self) -> Vec<String> {
        if self.proof == WorkflowProof::Valid { vec![self.image.clone()] } else { Vec::new() }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let Some(text) = world.read(&self.file) else { return tell::fail(self.missing(world)) };
        if self.proof == WorkflowProof::Valid {
            return self.valid(world, text).await;
        }
        let workflow = match yaml::parse(text.trim_start_matches('\u{feff}')) {
            Ok(workflow) => workflow,
            Err(broken) => {
                return tell::fail(Miss {
                    place: self.at(world, broken.line, "illisible à partir d'ici"),
                    ..self.miss(
                        "le workflow n'est pas du YAML",
                        format!("ligne {} : {}", broken.line, tell::cut(&broken.reason, 120)),
                        "indentation, deux-points, guillemets : actionlint dit où",
                    )
                });
            }
        };
        let (graph, moments) = (Graph::of(&workflow), Moments::of(&workflow));
        let seen = match self.proof {
            WorkflowProof::Order => self.order(world, &graph, &moments),
            WorkflowProof::Events => self.events(world, &graph, &moments),
            WorkflowProof::Secrets | WorkflowProof::Valid => self.secrets(world, &workflow),
        };
        match seen {
            Ok(facts) => tell::pass(facts),
            Err(miss) => tell::fail(*miss),
        }
    }
}
