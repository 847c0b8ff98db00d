//! `dotenv`: secrets that are in no file that is handed in.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::deep::Dotenv as Made;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// What is proven of the secrets that the `.env` of the run gives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dotenv {
    /// What is proven.
    pub proof: DotenvProof,
}

/// What [`Dotenv`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DotenvProof {
    /// The example names each secret, and gives none.
    Example,
    /// Without a value, a secret has none: no default, no copy in another file.
    NoDefault,
}

/// Words that tell a placeholder.
const PLACEHOLDERS: &[&str] = &["change", "remplac", "votre", "your", "todo", "secret-ici"];
/// Shortest value that is looked for in the files: a shorter one may be there by chance.
const TELLING: usize = 6;

/// Whether a value reads as an instruction rather than as a secret.
fn is_placeholder(value: &str) -> bool {
    let value = value.trim().to_lowercase();
    let framed = value.starts_with('<') && value.ends_with('>');
    let blank = value.chars().all(|c| matches!(c, 'x' | '*' | '.' | '…' | '_' | '-'));
    framed || blank || PLACEHOLDERS.iter().any(|word| value.contains(word))
}

fn example(cx: &Cx<'_>, made: &Made) -> Verdict {
    let file = &made.example;
    let base = |headline: String, observed: String, name: &str, hint: &str| {
        Verdict::Fail(Box::new(Miss {
            headline,
            expected: format!(
                "{file} nomme {}, chacune sans valeur ou avec une consigne",
                tell::names(&made.drawn.keys().collect::<Vec<_>>())
            ),
            observed,
            place: cx.world.place_in(file, name, "cette variable"),
            hint: hint.to_owned(),
            try_it: format!("cat {file}"),
            ..Miss::default()
        }))
    };
    let Some(offered) = &made.offered else {
        return base(
            format!("{file} manque"),
            format!("pas de fichier {file} à la racine du dossier rendu"),
            "",
            "qui reçoit le projet sans votre .env doit savoir quelles valeurs il lui faut",
        );
    };
    for name in made.drawn.keys() {
        match offered.get(name) {
            None => {
                return base(
                    format!("{file} ne nomme pas « {name} »"),
                    format!("variables trouvées : {}", tell::names(&offered.keys().collect::<Vec<_>>())),
                    name,
                    "l'exemple est la liste de ce qu'il faut remplir",
                );
            }
            Some(value) if !is_placeholder(value) => {
                return base(
                    format!("{file} donne une vraie valeur à « {name} »"),
                    format!(
                        "« {name} » vaut un texte de {} caractères qui n'est pas une consigne",
                        value.chars().count()
                    ),
                    name,
                    "ce fichier-là est dans le dépôt : ce qu'il contient n'est plus un secret",
                );
            }
            Some(_) => {}
        }
    }
    let told = format!("{file} nomme les {} secrets, sans en donner aucun", made.drawn.len());
    Verdict::Pass { facts: vec![Fact::new("example", made.drawn.len(), told)] }
}

fn no_default(cx: &Cx<'_>, made: &Made) -> Verdict {
    let expected =
        "sans son .env, aucun secret n'a de valeur : ni valeur par défaut, ni copie ailleurs".to_owned();
    if let Some(found) = made.fallbacks.first() {
        let path: Vec<&str> = found.path.iter().map(String::as_str).collect();
        return Verdict::Fail(Box::new(Miss {
            headline: format!("« {} » a une valeur même quand personne ne la donne", found.name),
            expected,
            observed: format!("sans « {} », {} garde une valeur", found.name, found.path.join(".")),
            control: "avec un .env complet, c'est bien la valeur tirée qui s'y trouve".to_owned(),
            noted: made
                .fallbacks
                .iter()
                .skip(1)
                .take(6)
                .map(|f| format!("de même : {}", f.path.join(".")))
                .collect(),
            place: cx.world.place(&path, "valeur écrite ici"),
            hint: "une valeur par défaut est dans le dépôt, comme le reste du fichier".to_owned(),
            try_it: "mv .env .env.garde; docker compose --profile complet config; mv .env.garde .env"
                .to_owned(),
            ..Miss::default()
        }));
    }
    if let Some(name) = made.unused.first() {
        return Verdict::Fail(Box::new(Miss {
            headline: format!("« {name} » ne sert à personne"),
            expected,
            observed: format!(
                "la valeur de « {name} » n'arrive à aucun service : le sien en a donc une autre, écrite ailleurs"
            ),
            noted: made.unused.iter().skip(1).map(|other| format!("de même : « {other} »")).collect(),
            hint: "quel service attend ce secret, et d'où lui vient la valeur qu'il a ?".to_owned(),
            try_it: "docker compose --profile complet config".to_owned(),
            ..Miss::default()
        }));
    }
    for (name, value) in made.own.iter().filter(|(_, value)| value.chars().count() >= TELLING) {
        let files = cx.world.files();
        let leak = files
            .iter()
            .filter(|file| file.as_str() != ".env")
            .find(|file| cx.world.read(file).is_some_and(|text| text.contains(value.as_str())));
        if let Some(file) = leak {
            return Verdict::Fail(Box::new(Miss {
                headline: format!("la valeur de « {name} » est aussi dans {file}"),
                expected,
                observed: format!("ce que votre .env donne à « {name} » se retrouve dans {file}"),
                place: cx.world.place_in(file, value, "la même valeur"),
                hint: "un secret n'a qu'une place".to_owned(),
                try_it: format!("grep -rn \"$(sed -n 's/^{name}=//p' .env)\" --exclude=.env ."),
                ..Miss::default()
            }));
        }
    }
    let told = format!("sans valeur donnée, les {} secrets n'en ont pas", made.drawn.len());
    Verdict::Pass { facts: vec![Fact::new("no-default", json!(made.drawn.keys().collect::<Vec<_>>()), told)] }
}

#[async_trait]
impl Check for Dotenv {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Static
    }

    fn is_static(&self) -> bool {
        true
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        match &experiments.dotenv {
            Some(dotenv) if !dotenv.secrets.is_empty() => Ok(()),
            _ => Err("dotenv veut [experiment.dotenv] et ses secrets".into()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(made) = cx.world.dotenv() else {
            return Err(kit::lab_fault("dotenv sans experiment.dotenv"));
        };
        Ok(match self.proof {
            DotenvProof::Example => example(cx, made),
            DotenvProof::NoDefault => no_default(cx, made),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        for yes in [
            "",
            "<mot de passe>",
            "changez-moi",
            "CHANGE_ME",
            "xxxxxxxx",
            "***",
            "à remplacer",
            "votre_mot_de_passe",
        ] {
            assert!(is_placeholder(yes), "{yes}");
        }
        for no in ["mantis_password", "S3cr3t!", "admin", "k0123"] {
            assert!(!is_placeholder(no), "{no}");
        }
    }
}
