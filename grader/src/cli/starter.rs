//! The starter of a lab, laid in a folder: copied, and rendered where the lab draws.

use std::io;
use std::path::Path;

use super::variants::copy;
use crate::lab::Lab;
use crate::lab::draw::{Ticket, Values, render};

/// Suffix of the files of a starter that are templates.
const TEMPLATE: &str = "j2";

/// Lays the starter of `lab` in `folder`, with the values of `ticket` when the lab draws.
///
/// # Errors
///
/// A folder that cannot be written to, or a template that does not render.
pub fn lay(lab: &Lab, folder: &Path, ticket: Ticket) -> io::Result<()> {
    copy(&lab.dir.join("starter"), folder)?;
    let Some(draw) = &lab.draw else { return Ok(()) };
    fill(folder, &draw.values(ticket))?;
    std::fs::write(folder.join(&draw.file), ticket.file(&lab.id))
}

/// A ticket for a new student.
pub fn ticket() -> Ticket {
    Ticket::new(rand::random())
}

/// The ticket that a folder of this lab holds, if it is one.
pub fn held(lab: &Lab, folder: &Path) -> Option<Ticket> {
    let text = std::fs::read_to_string(folder.join(&lab.draw.as_ref()?.file)).ok()?;
    Ticket::read(&text, &lab.id).ok()
}

/// Renders every template beneath `folder` in its place.
fn fill(folder: &Path, values: &Values) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            fill(&path, values)?;
        } else if path.extension().is_some_and(|e| e == TEMPLATE) {
            let text = render(&std::fs::read_to_string(&path)?, values)
                .map_err(|e| io::Error::other(format!("{} : {e}", path.display())))?;
            std::fs::write(path.with_extension(""), text)?;
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}
