//! Reading what a hurried hand wrote, and marking it.

use std::net::IpAddr;

use ipnet::IpNet;

/// What one answer was found to be worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Right,
    /// French: what is wrong with it, and a hint; never the right answer.
    Wrong(String, String),
}

/// Reads `oui`, `non`, `true`…, alone or before a comma and a reason.
pub(super) fn yes_no(text: &str) -> Option<bool> {
    let text = normal(text);
    let (word, _) = text.split_once([',', '.', ';', ':', '(']).unwrap_or((&text, ""));
    match word.trim_end() {
        "oui" | "yes" | "true" | "vrai" | "o" | "y" | "on" | "1" => Some(true),
        "non" | "no" | "false" | "faux" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Lower case, no surrounding quotes, single spaces.
pub(super) fn normal(text: &str) -> String {
    let bare =
        text.trim().trim_matches(|c: char| matches!(c, '"' | '\'' | '«' | '»' | '`') || c.is_whitespace());
    bare.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The same without what a hurried hand leaves out or mistakes: accents, hyphens, underscores.
fn loose(text: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        '-' | '_' | '‑' => ' ',
        other => other,
    };
    let folded: String = normal(text).chars().map(plain).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The only number of a text: `304` of « 304 Not Modified ».
fn only_number(text: &str) -> Option<&str> {
    let mut runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.next().filter(|_| runs.next().is_none())
}

/// The answer before a remark (`137 (128 + 9)`, `gzip, la dernière du tube`); `None` without one, or
/// when it offers a choice.
fn before_remark(given: &str) -> Option<&str> {
    let (head, remark) = given.split_once([',', ';', '('])?;
    let remark = loose(remark);
    let choice = remark.contains(['/', '?'])
        || remark.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "ou" | "or" | "sinon"));
    (!choice).then_some(head)
}

/// Whether an answer is one of these texts, with or without a remark after it.
pub(super) fn accepted(accept: &[String], given: &str) -> bool {
    is_one(accept, given) || before_remark(given).is_some_and(|head| is_one(accept, head))
}

fn is_one(accept: &[String], given: &str) -> bool {
    let numbers = accept.iter().all(|text| text.chars().all(|c| c.is_ascii_digit()));
    accept.iter().any(|text| {
        loose(text) == loose(given)
            || yes_no(text).is_some_and(|truth| yes_no(given) == Some(truth))
            || (numbers && only_number(given) == Some(text.as_str()))
    })
}

pub(super) fn wrong(what: impl Into<String>, hint: impl Into<String>) -> Mark {
    Mark::Wrong(what.into(), hint.into())
}

pub(super) fn mark_subnet(given: &str, truth: &[IpNet]) -> Mark {
    let text: String = normal(given).chars().filter(|c| !c.is_whitespace()).collect();
    let Some((address, prefix)) = text.split_once('/') else {
        return if text.parse::<IpAddr>().is_ok() {
            wrong(
                format!("« {given} » est une adresse, pas un sous-réseau"),
                "il manque la longueur du préfixe, après une barre oblique",
            )
        } else {
            wrong(
                format!("« {given} » n'est pas un sous-réseau"),
                "notation attendue : adresse, barre oblique, longueur du préfixe",
            )
        };
    };
    let net = prefix
        .parse::<u8>()
        .ok()
        .and_then(|length| IpNet::new(address.parse().ok()?, length).ok())
        .or_else(|| IpNet::with_netmask(address.parse().ok()?, prefix.parse().ok()?).ok());
    let Some(net) = net else {
        return wrong(
            format!("« {given} » n'est pas un sous-réseau"),
            "notation attendue : adresse, barre oblique, longueur du préfixe",
        );
    };
    if net.trunc() != net && truth.contains(&net.trunc()) {
        return wrong(
            format!("« {given} » est une adresse d'hôte avec son préfixe, pas l'adresse du réseau"),
            "dans l'adresse d'un réseau, tous les bits après le préfixe sont nuls",
        );
    }
    if truth.contains(&net) {
        Mark::Right
    } else {
        wrong(format!("« {given} »"), "relisez la plage d'adresses de ce réseau dans votre fichier")
    }
}

pub(super) fn mark_gateway(given: &str, truth: &[IpAddr]) -> Mark {
    let text = normal(given);
    if text.contains('/') {
        return wrong(
            format!("« {given} » a un préfixe"),
            "une passerelle est une adresse seule, sans barre oblique",
        );
    }
    match text.parse::<IpAddr>() {
        Ok(ip) if truth.contains(&ip) => Mark::Right,
        Ok(_) => {
            wrong(format!("« {given} »"), "« docker network inspect » montre la passerelle de chaque réseau")
        }
        Err(_) => {
            wrong(format!("« {given} » n'est pas une adresse"), "une adresse IPv4 s'écrit en quatre nombres")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets() -> Vec<IpNet> {
        vec!["172.30.0.0/24".parse().expect("net")]
    }

    #[test]
    fn subnets_as_students_write_them() {
        for good in ["172.30.0.0/24", " 172.30.0.0 / 24 ", "'172.30.0.0/24'", "172.30.0.0/255.255.255.0"] {
            assert_eq!(mark_subnet(good, &nets()), Mark::Right, "{good}");
        }
        for bad in ["172.30.0.5/24", "172.30.0.0", "172.30.0.0/16", "n'importe quoi", "172.30.0.0/240"] {
            let Mark::Wrong(what, hint) = mark_subnet(bad, &nets()) else { panic!("{bad}") };
            assert!(!hint.contains("172.30.0.0/24") && !what.replace(bad, "").contains("172.30.0.0/24"));
        }
    }

    #[test]
    fn yes_and_no() {
        assert_eq!(yes_no(" Oui "), Some(true));
        assert_eq!(yes_no("\"NON\""), Some(false));
        assert_eq!(yes_no("false"), Some(false));
        assert_eq!(yes_no("Non, pas tant que dure le délai"), Some(false));
        for unsure in ["peut-être", "oui et non", "non ou oui", ""] {
            assert_eq!(yes_no(unsure), None, "{unsure}");
        }
    }

    #[test]
    fn texts_as_students_write_them() {
        for given in
            ["reseau-manquant", "Réseau manquant", "RESEAU_MANQUANT", " «\u{a0}réseau-manquant\u{a0}» "]
        {
            assert_eq!(loose(given), loose("reseau-manquant"), "{given}");
        }
        assert_ne!(loose("reseau"), loose("reseau-manquant"));
    }

    #[test]
    fn numbers_in_their_words() {
        let code = ["304".to_owned()];
        for given in ["304", "304 Not Modified", "code 304", "HTTP : 304."] {
            assert!(accepted(&code, given), "{given}");
        }
        for given in ["200", "304 ou 200", "3040", "trois cent quatre", "30 4"] {
            assert!(!accepted(&code, given), "{given}");
        }
        // A unit counts as soon as one of the texts has one.
        let length = ["600".to_owned(), "10 min".to_owned()];
        assert!(accepted(&length, "10 min") && !accepted(&length, "600 min") && !accepted(&length, "10 s"));
    }

    #[test]
    fn remarks_after_the_answer() {
        let (code, last) = (["137".to_owned()], ["gzip".to_owned(), "la dernière".to_owned()]);
        for given in ["137 (128 + 9)", "137, soit 128 + 9 (SIGKILL)"] {
            assert!(accepted(&code, given), "{given}");
        }
        for given in ["137 (ou 143)", "143 (128 + 15, pas 137)", "9 + 128", "137, sinon 1", "0 (137 ?)"] {
            assert!(!accepted(&code, given), "{given}");
        }
        assert!(accepted(&last, "gzip, la dernière du tube") && accepted(&last, "`gzip` (la dernière)"));
        assert!(!accepted(&last, "gzip, ou pg_dump") && !accepted(&last, "pg_dump, puis gzip"));
        assert!(!accepted(&last, "gzip (pg_dump / gzip)"));
    }

    #[test]
    fn gateways() {
        let truth = ["172.30.0.1".parse().expect("ip")];
        assert_eq!(mark_gateway(" 172.30.0.1", &truth), Mark::Right);
        assert_ne!(mark_gateway("172.30.0.1/24", &truth), Mark::Right);
        assert_ne!(mark_gateway("172.30.0.254", &truth), Mark::Right);
    }
}
