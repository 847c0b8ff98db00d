//! References between parts, values and files.

use std::path::Path;

use super::{Known, dotted, known, take};
use crate::compose::source::SourceMap;

pub(super) fn references(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([service, kind, name]) =
        take(r#"service "([^"]+)" refers to undefined (network|volume|secret|config) (\S+)"#, text)
    {
        let (key, french) = match kind.as_str() {
            "network" => ("networks", "le réseau"),
            "volume" => ("volumes", "le volume"),
            "secret" => ("secrets", "le secret"),
            _ => ("configs", "la configuration"),
        };
        let name = name.trim_end_matches(':');
        return Some(known(
            match kind.as_str() {
                "network" => "undefined-network",
                "volume" => "undefined-volume",
                "secret" => "undefined-secret",
                _ => "undefined-config",
            },
            format!("« {service} » utilise {french} « {name} », qui n'est pas déclaré"),
            source.place(&["services", &service, key, name], "pas déclaré"),
            format!(
                "déclarez-le à la racine du fichier, sous {key}: (à la même colonne que services:), ou corrigez son nom"
            ),
        ));
    }
    if let Some([service, name]) =
        take(r#"service "([^"]+)" depends on undefined service "?([^":\s]+)"#, text)
    {
        let path = ["depends_on", "links", "volumes_from", "network_mode", "ipc", "pid"]
            .into_iter()
            .find_map(|key| {
                let place = source.place(&["services", &service, key, &name], "n'existe pas")?;
                place.mark.text.contains(name.as_str()).then_some(place)
            })
            .or_else(|| source.place(&["services", &service], ""));
        return Some(known(
            "undefined-service",
            format!("« {service} » dépend de « {name} », qui n'est pas un service"),
            path,
            "déclarez ce service, ou corrigez son nom",
        ));
    }
    if let Some([cycle]) = take(r"dependency cycle detected: (.+)", text) {
        let first = cycle.split(" -> ").next().unwrap_or_default().to_owned();
        return Some(known(
            "circular-dependency",
            format!("les services s'attendent en rond : {}", cycle.replace("->", "→")),
            source.place(&["services", &first, "depends_on"], ""),
            "retirez l'un de ces depends_on : qui a vraiment besoin de l'autre pour démarrer ?",
        ));
    }
    if let Some([service, base]) =
        take(r#"cannot extend service "([^"]+)" in [^:]*: service "([^"]+)" not found"#, text)
    {
        return Some(known(
            "undefined-service",
            format!("« {service} » étend le service « {base} », qui n'existe pas"),
            source.place(&["services", &service, "extends"], ""),
            "corrigez le nom du service étendu",
        ));
    }
    if let Some([service]) = take(r#"service "([^"]+)" has neither an image nor a build context"#, text) {
        return Some(known(
            "no-image",
            format!("« {service} » n'a ni image: ni build:"),
            source.place(&["services", &service], "rien à lancer"),
            "donnez-lui une image existante, ou le dossier d'un Dockerfile",
        ));
    }
    let [service] = take(r"service (\S+) declares mutually exclusive `network_mode` and `networks`", text)?;
    Some(known(
        "network-mode-and-networks",
        format!("« {service} » a network_mode: et networks:, qui s'excluent"),
        source.place(&["services", &service, "network_mode"], ""),
        "gardez l'un des deux",
    ))
}

pub(super) fn values(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([which, value]) = take(
        r"[Ii]nvalid (hostPort|containerPort|port range|start port|end port|proto|ip address)[^:]*: (\S+)",
        text,
    ) {
        let place = source.files().iter().find_map(|f| source.place_in(&f.name, &value, "pas un port"));
        let what = match which.as_str() {
            "proto" => format!("« {value} » n'est pas un protocole"),
            "ip address" => format!("« {value} » n'est pas une adresse IP"),
            _ => format!("« {value} » n'est pas un numéro de port"),
        };
        let todo =
            "la forme courte est HÔTE:CONTENEUR, deux nombres de 1 à 65535, entre guillemets : \"5001:5000\"";
        return Some(known("invalid-port", what, place, todo));
    }
    if let Some([path, reason]) = take(r"error decoding '([^']+)': (.+)", text) {
        let todo = if reason.contains("duration") {
            "une durée s'écrit 10s, 1m30s ou 500ms"
        } else if reason.contains("size") {
            "une taille s'écrit 256m ou 1g"
        } else {
            "corrigez la valeur : un nombre est attendu, sans unité"
        };
        let what = format!("la valeur de « {} » ne se lit pas", path.replace('[', ".").replace(']', ""));
        return Some(known("invalid-value", what, dotted(source, &path, ""), todo));
    }
    if let Some([path, name, said]) =
        take(r"interpolating (\S+?): required variable (\S+) is missing a value(?:: ?(.*))?", text)
    {
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        return Some(known(
            "variable-required",
            format!("la variable « {name} » est obligatoire et n'a pas de valeur{said}"),
            dotted(source, &path, ""),
            format!("donnez-lui une valeur dans un fichier .env rendu avec le TP : {name}=…"),
        ));
    }
    if let Some([path]) = take(r"invalid interpolation format for (\S+?)\.?(?:\s|$)", text) {
        return Some(known(
            "invalid-interpolation",
            "un « $ » n'est pas suivi d'un nom de variable".into(),
            dotted(source, &path, ""),
            "écrivez ${NOM}, ou $$ pour un « $ » destiné au conteneur",
        ));
    }
    if text.contains("healthcheck.test must start either by") {
        let place = source.files().iter().find_map(|f| source.place_in(&f.name, "test:", ""));
        return Some(known(
            "invalid-healthcheck",
            "la liste de healthcheck.test ne commence pas par CMD ou CMD-SHELL".into(),
            place,
            "écrivez test: [\"CMD\", \"programme\", \"argument\"], ou [\"CMD-SHELL\", \"commande\"]",
        ));
    }
    let [service] = take(r"services\.(\S+): can't set distinct values on", text)
        .or_else(|| take(r"can't set container_name and (\S+) as container name must be unique", text))?;
    let unique = text.contains("container_name");
    let key = if unique { "container_name" } else { "deploy" };
    Some(known(
        "conflicting-values",
        if unique {
            format!("« {service} » a plusieurs copies et un nom de conteneur, qui ne peut servir qu'une fois")
        } else {
            format!("« {service} » dit deux fois la même limite, avec deux valeurs")
        },
        source.place(&["services", &service, key], ""),
        if unique { "retirez container_name:" } else { "ne gardez que deploy.resources.limits" },
    ))
}

pub(super) fn files(text: &str, source: &SourceMap) -> Option<Known> {
    let env = take(r"[Ee]nv file (\S+) not found", text);
    let other = take(r"open (\S+): no such file or directory", text);
    let [path] = env.clone().or(other)?;
    let name = Path::new(&path).file_name().map_or(path.clone(), |n| n.to_string_lossy().into_owned());
    let place = source.files().iter().find_map(|f| source.place_in(&f.name, &name, "introuvable"));
    let (code, todo) = if env.is_some() {
        ("env-file-missing", "rendez ce fichier avec le TP (sans secret réel), ou retirez env_file:")
    } else {
        ("include-missing", "rendez ce fichier avec le TP, ou corrigez son chemin")
    };
    Some(known(code, format!("le fichier « {path} » n'existe pas dans le dossier rendu"), place, todo))
}
