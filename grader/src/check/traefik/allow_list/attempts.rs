//! Every way by which somebody outside could try to read what is kept for the inside.

use std::net::IpAddr;

use super::{AllowList, Fact, Gate, Seen, kit, tell};
use crate::error::Fault;

/// One try from outside.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempt {
    /// Stable key.
    pub key: String,
    /// French: what was tried.
    pub what: String,
    /// Status, when there was one.
    pub status: Option<u16>,
    /// French: why there was none.
    pub why: String,
    /// The metrics came back.
    pub leaks: bool,
    /// Anything but 403 is a miss.
    pub must_be_403: bool,
    /// It was sent by the machine itself, through the published port.
    pub from_host: bool,
    /// It costs nothing, whatever comes back.
    pub only_told: bool,
}

impl Attempt {
    pub fn told(&self) -> String {
        match self.status {
            Some(status) if self.leaks => format!("{status}, et les métriques"),
            Some(status) => status.to_string(),
            None => self.why.clone(),
        }
    }

    pub fn fact(&self) -> Fact {
        let value = self.status.map_or(serde_json::Value::Null, Into::into);
        let aside = if self.only_told && self.leaks {
            " (à savoir : l'application ne distingue pas la casse, la règle de Traefik si)"
        } else {
            ""
        };
        Fact::new(&self.key, value, format!("{} : {}{aside}", self.what, self.told()))
    }
}

/// Spellings of a path that a rule on that path should catch.
fn spellings(path: &str, draw: u64) -> Vec<String> {
    let name = path.trim_start_matches('/');
    let encoded = name.chars().next().map(|c| format!("/%{:02x}{}", u32::from(c), &name[c.len_utf8()..]));
    let mut all = vec![format!("{path}/"), format!("{path}?x={draw}"), format!("/{path}")];
    all.extend(encoded.filter(|_| name.is_ascii()));
    all
}

impl AllowList {
    fn attempt(&self, key: &str, what: String, seen: &Seen) -> Attempt {
        Attempt {
            key: key.to_owned(),
            what,
            status: seen.as_ref().ok().map(|a| a.status),
            why: seen.as_ref().err().map(tell::why).unwrap_or_default(),
            leaks: seen.as_ref().is_ok_and(|a| self.has_metrics(&a.body)),
            must_be_403: false,
            from_host: false,
            only_told: false,
        }
    }

    /// Tries them all from `gate`; `allowed` is an address that the list lets in.
    pub(super) async fn attempts(&self, gate: &Gate<'_>, allowed: IpAddr) -> Result<Vec<Attempt>, Fault> {
        let from = format!("depuis « {} »", self.outside);
        let mut all = Vec::new();
        let seen = gate.send(self.ask(gate, &self.path)).await?;
        let plain = self.attempt("outside", format!("{from}, GET {}", self.path), &seen);
        all.push(Attempt { must_be_403: true, ..plain });

        let mut forged = self.ask(gate, &self.path);
        let claim = allowed.to_string();
        for name in ["X-Forwarded-For", "X-Real-Ip"] {
            forged.headers.push((name.to_owned(), claim.clone()));
        }
        forged.headers.push(("Forwarded".to_owned(), format!("for={claim}")));
        let seen = gate.send(forged).await?;
        let what = format!("{from}, en se disant {claim} (X-Forwarded-For)");
        all.push(Attempt { must_be_403: true, ..self.attempt("forged", what, &seen) });

        let mut clear = gate.plain(self.plain_port, &self.host, &self.path);
        clear.max_body = 1024 * 1024;
        let seen = gate.send(clear).await?;
        all.push(self.attempt("clear", format!("{from}, en clair"), &seen));

        let draw = kit::draw(gate.world, "allow-list-spelling") % 1_000_000;
        let spellings = self.spellings.clone().unwrap_or_else(|| spellings(&self.path, draw));
        for path in &spellings {
            let seen = gate.send(self.ask(gate, path)).await?;
            all.push(self.attempt(&format!("spelling:{path}"), format!("{from}, GET {path}"), &seen));
        }
        // Express does not tell upper from lower case, Traefik does: nearly every rule on a path lets
        // this one through. Said, and judged only where the lab asks for it.
        let upper = self.path.to_ascii_uppercase();
        if upper != self.path && !spellings.contains(&upper) {
            let seen = gate.send(self.ask(gate, &upper)).await?;
            let attempt = self.attempt(&format!("spelling:{upper}"), format!("{from}, GET {upper}"), &seen);
            all.push(Attempt { only_told: true, ..attempt });
        }
        all.extend(self.by_machine(gate).await?);
        Ok(all)
    }

    /// The same from the machine, by the published port; nothing when the port is not published.
    async fn by_machine(&self, gate: &Gate<'_>) -> Result<Option<Attempt>, Fault> {
        let inner = gate.port(self.port);
        let found = kit::running(gate.world, &self.via).await?;
        let published = found.iter().flat_map(|i| &i.published).find(|(port, _)| *port == inner);
        let Some((_, address)) = published else { return Ok(None) };
        let control = gate.world.ask_host_tls(*address, &self.host, &self.alive).await?;
        if control.status != Some(200) {
            return Err(kit::noise(format!(
                "depuis la machine, le témoin {} ne répond pas par le port publié ({})",
                self.alive,
                control
                    .status
                    .map_or_else(|| tell::cut(&control.error.unwrap_or_default(), 80), |s| s.to_string())
            )));
        }
        let seen = gate.world.ask_host_tls(*address, &self.host, &self.path).await?;
        Ok(Some(Attempt {
            key: "host".to_owned(),
            what: format!("depuis la machine, GET {}", self.path),
            status: seen.status,
            why: tell::cut(seen.error.as_deref().unwrap_or_default(), 80),
            leaks: self.has_metrics(&seen.body),
            must_be_403: true,
            from_host: true,
            only_told: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_spellings() {
        assert_eq!(spellings("/metrics", 7), ["/metrics/", "/metrics?x=7", "//metrics", "/%6detrics"]);
    }
}
