//! How to look around in a stack that stays up.

use super::page::{Page, Tone};
use crate::event::Kept;
use crate::reporter::clean;

/// The commands, the addresses and the networks.
pub fn kept(page: &mut Page, kept: &Kept) {
    let project = clean::inline(&kept.project);
    // One that can be entered, and the one that is spoken to from outside if there is one.
    let running = || kept.services.iter().filter(|s| s.running);
    let one = running().find(|s| !s.published.is_empty()).or_else(|| running().next());
    page.blank();
    page.title(Tone::Strong, "Pile", "· elle reste en marche, avec d'autres noms et d'autres ports", "");
    page.command("état", &format!("docker compose -p {project} ps -a"));
    match one {
        Some(one) => {
            let service = clean::inline(&one.service);
            page.command("journaux", &format!("docker compose -p {project} logs -f {service}"));
            page.command("entrer", &format!("docker compose -p {project} exec {service} sh"));
        }
        None => page.command("journaux", &format!("docker compose -p {project} logs")),
    }
    let addresses: Vec<String> = kept
        .services
        .iter()
        .flat_map(|s| s.published.iter().map(move |(port, address)| (&s.service, port, address)))
        .map(|(service, port, address)| format!("{address}  mène à {}:{port}", clean::inline(service)))
        .collect();
    if !addresses.is_empty() {
        page.command("adresses", &addresses.join("\n"));
    }
    if !kept.networks.is_empty() {
        let names: Vec<String> = kept.networks.iter().map(|name| clean::inline(name)).collect();
        page.command("réseaux", &names.join("\n"));
        page.command("", &format!("docker network inspect {}", names[0]));
    }
}
