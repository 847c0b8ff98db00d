//! Frequent causes recognised in a log, and what to tell a student about them.

/// What is known of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// French: what happened.
    pub what: &'static str,
    /// French: « piste ».
    pub hint: &'static str,
    /// Command to try.
    pub try_it: Option<&'static str>,
}

/// All of these words (lower case) must be in the log.
type Signs = &'static [&'static str];

const KNOWN: &[(Signs, Advice)] = &[
    (
        &["npm ci", "in sync"],
        Advice {
            what: "npm ci : package.json et package-lock.json ne se correspondent pas",
            hint: "le fichier de verrouillage date d'avant une modification de package.json",
            try_it: Some("npm install --package-lock-only"),
        },
    ),
    (
        &["npm ci", "can only install"],
        Advice {
            what: "npm ci ne trouve pas de fichier de verrouillage (EUSAGE)",
            hint: "npm ci exige package-lock.json ; « npm install --package-lock-only » le crée sans rien installer. S'il existe, l'instruction COPY l'emporte-t-elle dans l'image ?",
            try_it: Some("npm install --package-lock-only"),
        },
    ),
    (
        &["exec format error"],
        Advice {
            what: "« exec format error » : le programme n'est pas fait pour ce processeur, ou le script n'a pas de première ligne #!",
            hint: "une image construite pour un autre processeur, ou un script sans « #!/bin/sh », donne ce message",
            try_it: None,
        },
    ),
    (
        &["port is already allocated"],
        Advice {
            what: "un port demandé est déjà pris sur la machine",
            hint: "un autre conteneur, ou une autre copie de ce projet, publie déjà ce port",
            try_it: Some("docker ps --format '{{.Names}} {{.Ports}}'"),
        },
    ),
    (
        &["curl", "not found"],
        Advice {
            what: "le healthcheck appelle curl, qui n'est pas dans l'image",
            hint: "les images légères n'ont pas curl ; quel programme déjà présent sait faire une requête ?",
            try_it: None,
        },
    ),
    (
        &["cannot find module"],
        Advice {
            what: "Node ne trouve pas un module",
            hint: "le module est-il dans dependencies, et le répertoire node_modules est-il bien celui de l'image ?",
            try_it: None,
        },
    ),
    (
        &["econnrefused 127.0.0.1"],
        Advice {
            what: "l'application se connecte à 127.0.0.1, c'est-à-dire à son propre conteneur",
            hint: "dans un conteneur, « localhost » désigne le conteneur lui-même ; la version 4 du client redis lit l'adresse dans socket ou url",
            try_it: None,
        },
    ),
    (
        &["enotfound"],
        Advice {
            what: "un nom d'hôte n'est pas résolu",
            hint: "le nom cherché est-il celui d'un service qui partage un réseau avec celui-ci ?",
            try_it: None,
        },
    ),
    (
        &["can't find = in \"#\""],
        Advice {
            what: "un commentaire est sur la même ligne qu'une instruction du Dockerfile",
            hint: "dans un Dockerfile, « # » n'ouvre un commentaire qu'en début de ligne ; ailleurs il fait partie de la valeur",
            try_it: None,
        },
    ),
    (
        &["modulenotfounderror"],
        Advice {
            what: "Python ne trouve pas un module",
            hint: "où les paquets sont-ils installés, et l'utilisateur qui tourne peut-il lire ce dossier ? Celui de root (/root/.local) n'est qu'à root",
            try_it: None,
        },
    ),
    (
        &["executable file not found in $path"],
        Advice {
            what: "le programme à lancer n'est pas dans le PATH du conteneur",
            hint: "où ce programme est-il installé, et le PATH de l'étape finale y mène-t-il ? Une variable d'une autre étape n'existe plus",
            try_it: None,
        },
    ),
    (
        &["password authentication failed"],
        Advice {
            what: "PostgreSQL refuse le mot de passe",
            hint: "comparez les variables des deux services ; un volume déjà initialisé garde l'ancien mot de passe",
            try_it: None,
        },
    ),
    (
        &["superuser password is not specified"],
        Advice {
            what: "PostgreSQL refuse de s'initialiser sans mot de passe",
            hint: "l'image officielle exige une variable d'environnement à la première initialisation",
            try_it: None,
        },
    ),
    (
        &["/root/", "permission denied"],
        Advice {
            what: "le programme est dans un dossier de root, fermé aux autres utilisateurs",
            hint: "ce que « pip install --user », lancé par root, met dans /root/.local n'est lisible que par root : mieux vaut un dossier ouvert à tous, comme un environnement virtuel dans /opt",
            try_it: None,
        },
    ),
    (
        &["permission denied"],
        Advice {
            what: "accès refusé à un fichier ou à un programme",
            hint: "quel utilisateur exécute le processus, et à qui appartient le fichier ?",
            try_it: None,
        },
    ),
    (
        &["failed to compute cache key", "not found"],
        Advice {
            what: "une instruction COPY cite un fichier absent du contexte",
            hint: "les chemins de COPY partent du contexte de construction, et .dockerignore en retire",
            try_it: None,
        },
    ),
];

/// The first known cause that a log shows.
pub fn of(log: &str) -> Option<Advice> {
    let log = log.to_lowercase();
    KNOWN.iter().find(|(signs, _)| signs.iter().all(|s| log.contains(s))).map(|(_, advice)| *advice)
}

/// True when a build failed for want of network rather than by the student's doing.
pub fn is_network_trouble(log: &str) -> bool {
    let log = log.to_lowercase();
    [
        "eai_again",
        "etimedout",
        "enotfound",
        "econnreset",
        "econnrefused",
        "network request failed",
        "temporary failure",
        "i/o timeout",
        "tls handshake timeout",
        "no such host",
        "failed to resolve source metadata",
    ]
    .iter()
    .any(|sign| log.contains(sign))
}

/// The Dockerfile instruction at which a build stopped, as BuildKit or the older builder says it.
pub fn failed_step(log: &str) -> Option<String> {
    // BuildKit, at the end: « > [2/4] RUN npm ci: ».
    let shown = log.lines().rev().find_map(|line| {
        let rest = line.trim().strip_prefix("> [")?;
        let (_, step) = rest.split_once("] ")?;
        Some(step.trim_end_matches(':').trim().to_owned())
    });
    if shown.is_some() {
        return shown;
    }
    // BuildKit: « process "/bin/sh -c npm ci" did not complete successfully ».
    if let Some((_, rest)) = log.split_once("process \"/bin/sh -c ")
        && let Some((command, _)) = rest.split_once("\" did not complete")
    {
        return Some(format!("RUN {command}"));
    }
    // The older builder: « Step 4/7 : RUN npm ci », the last one.
    log.lines().rev().find_map(|line| {
        let (step, rest) = line.trim().strip_prefix("Step ")?.split_once(" : ")?;
        step.contains('/').then(|| rest.trim().to_owned())
    })
}

/// The lines of the step at which a build stopped, as BuildKit repeats them at the end of its log; the last lines of
/// the log when it does not.
pub fn failed_lines(log: &str, most: usize) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let begin = lines.iter().rposition(|line| line.starts_with(" > [") || line.starts_with("> ["));
    let block: Vec<&str> = begin
        .map(|at| lines[at + 1..].iter().take_while(|line| !line.starts_with("------")).copied().collect())
        .unwrap_or_default();
    if block.is_empty() {
        return super::tell::tail(log, most);
    }
    super::tell::tail(&block.join("\n"), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_both_builders() {
        assert_eq!(failed_step("------\n > [api 4/6] RUN npm ci:\n0.9 npm error"), Some("RUN npm ci".into()));
        assert_eq!(
            failed_step("Step 1/2 : FROM x\nStep 2/2 : RUN npm ci\n ---> Running"),
            Some("RUN npm ci".into())
        );
        let log =
            "ERROR: process \"/bin/sh -c npm ci --omit=dev\" did not complete successfully: exit code: 1";
        assert_eq!(failed_step(log), Some("RUN npm ci --omit=dev".into()));
        assert_eq!(failed_step("rien"), None);
    }

    #[test]
    fn the_step_that_failed_is_quoted() {
        let log = "#9 [2/4] RUN x\nERROR: failed\n------\n > [api 4/6] RUN npx tsc:\n1.2 app.ts(3,1): error TS2591\n------\nDockerfile:7\n   7 | RUN npx tsc";
        assert_eq!(failed_lines(log, 8), ["1.2 app.ts(3,1): error TS2591"]);
        assert_eq!(failed_lines("a\nb", 8), ["a", "b"]);
    }

    #[test]
    fn npm_ci_without_lock_is_recognised() {
        let log = "npm error code EUSAGE\nnpm error The `npm ci` command can only install with an existing package-lock.json";
        assert!(of(log).is_some_and(|a| a.hint.contains("--package-lock-only")));
    }
}
