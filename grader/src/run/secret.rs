//! A file secret whose value is drawn for the run: what the student wrote elsewhere no longer opens
//! anything.

use std::path::Path;
use std::sync::Arc;

use crate::check::deep::Drawn;
use crate::compose::ComposeModel;
use crate::error::{Fault, FaultKind};

/// Gives this secret the value drawn for the session, in the staged copy; `None` when the file declares no
/// such secret, or not by a file.
pub(super) fn draw(model: &ComposeModel, name: &str, drawn: &str) -> Result<Option<Arc<Drawn>>, Fault> {
    let Some(path) = model.secret_file(name) else { return Ok(None) };
    let Ok(was) = std::fs::read_to_string(&path) else { return Ok(None) };
    let (Ok(real), Ok(root)) = (path.canonicalize(), model.root().canonicalize()) else { return Ok(None) };
    let Ok(file) = real.strip_prefix(&root) else { return Ok(None) };
    let value = drawn.to_owned();
    let kept = was.trim_end().to_owned();
    let end = &was[kept.len()..];
    write(&real, &format!("{value}{end}")).map_err(|e| {
        Fault::new(FaultKind::Disk, "le secret de cette correction ne s'écrit pas", "libérez de la place")
            .detail(e)
    })?;
    Ok(Some(Arc::new(Drawn { name: name.to_owned(), file: file.display().to_string(), value, was: kept })))
}

/// Writes without changing the permissions, that the student chose.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let permissions = std::fs::metadata(path)?.permissions();
    if permissions.readonly() {
        // A new file takes the place of one that even its owner may not write.
        std::fs::remove_file(path)?;
    }
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret.txt");
        std::fs::write(&path, "ancien\n").expect("written");
        let mut permissions = std::fs::metadata(&path).expect("there").permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions.clone()).expect("set");
        write(&path, "nouveau\n").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "nouveau\n");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions(), permissions);
    }
}
