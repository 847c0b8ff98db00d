//! Looking for texts in an image: the commands that made it, its configuration, its layers.

use std::collections::HashSet;
use std::io::Read;

use bollard::query_parameters::ListImagesOptions;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use memchr::memmem::Finder;
use tokio::sync::mpsc::{Receiver, channel};

use super::connect::Engine;
use super::fault::{engine_fault, from_text};
use crate::check::deep::Trace;
use crate::error::Fault;

/// Layers (hexadecimal digests) of the images that were there before those of the run: they hold
/// nothing that was drawn for it.
async fn older(engine: &Engine, ours: &[String]) -> Result<HashSet<String>, Fault> {
    let doing = |e| engine_fault("la liste des images", &e);
    let all = engine.docker.list_images(None::<ListImagesOptions>).await.map_err(doing)?;
    let others = all.into_iter().filter(|image| {
        let short = |tag: &str| tag.strip_suffix(":latest").unwrap_or(tag).to_owned();
        !image.repo_tags.iter().any(|tag| ours.iter().any(|own| short(own) == short(tag)))
    });
    let seen =
        join_all(others.map(|image| async move { engine.docker.inspect_image(&image.id).await })).await;
    // An image that is gone meanwhile has nothing to tell.
    let layers = seen.into_iter().filter_map(|image| image.ok()?.root_fs?.layers).flatten();
    Ok(layers.map(|layer| layer.trim_start_matches("sha256:").to_owned()).collect())
}

/// Where one of these texts is found in an image of the run; `ours` are all those of the run.
pub(super) async fn traces(
    engine: &Engine,
    image: &str,
    ours: &[String],
    needles: &[String],
) -> Result<Vec<Trace>, Fault> {
    let doing = |e| engine_fault("l'examen d'une image", &e);
    let holds = |text: &str| needles.iter().any(|needle| text.contains(needle.as_str()));
    let mut found = Vec::new();
    let history = engine.docker.image_history(image).await.map_err(doing)?;
    if history.iter().any(|layer| holds(&layer.created_by) || holds(&layer.comment)) {
        found.push(Trace::History);
    }
    let seen = engine.docker.inspect_image(image).await.map_err(doing)?;
    if serde_json::to_string(&seen.config).is_ok_and(|text| holds(&text)) {
        found.push(Trace::Configuration);
    }
    let (pieces, read) = channel(16);
    let (wanted, older) = (needles.to_vec(), older(engine, ours).await?);
    let pipe = Pipe { read, piece: Bytes::new() };
    let search = tokio::task::spawn_blocking(move || in_layers(pipe, &older, &wanted));
    let mut stream = Box::pin(engine.docker.export_image(image));
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(doing)?;
        // The search ends at the first find.
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let ended = search.await.map_err(|e| from_text("l'examen d'une image", &e.to_string()))?;
    if ended.map_err(|e| from_text("l'examen d'une image", &e.to_string()))? {
        found.push(Trace::Layer);
    }
    Ok(found)
}

/// Pieces of a stream, read in another thread.
struct Pipe {
    read: Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() {
            match self.read.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = to.len().min(self.piece.len());
        to[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

/// Whether a layer of an image's archive, other than these, holds one of these texts. What is JSON in
/// the archive describes the image (history, configuration): it is looked at elsewhere.
fn in_layers(archive: impl Read, older: &HashSet<String>, needles: &[String]) -> std::io::Result<bool> {
    let finders: Vec<Finder<'_>> = needles.iter().map(|needle| Finder::new(needle.as_bytes())).collect();
    let overlap = needles.iter().map(String::len).max().unwrap_or(0).saturating_sub(1);
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| older.contains(&name)) {
            continue;
        }
        let (mut seen, mut begun) = (Vec::new(), false);
        let mut piece = vec![0; 1 << 16];
        loop {
            let length = entry.read(&mut piece)?;
            if length == 0 || (!begun && matches!(piece[0], b'{' | b'[')) {
                break;
            }
            begun = true;
            seen.extend_from_slice(&piece[..length]);
            if finders.iter().any(|finder| finder.find(&seen).is_some()) {
                return Ok(true);
            }
            let from = seen.len().saturating_sub(overlap);
            seen.drain(..from);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *content).expect("a member");
        }
        tar.into_inner().expect("an archive")
    }

    #[test]
    fn a_text_is_found_in_a_layer_and_not_in_what_describes_the_image() {
        let needles = ["secret-42".to_owned()];
        let file = archive(&[("app/secret.txt", b"secret-42\n")]);
        let document: &[u8] = br#"{"history":[{"created_by":"ARG P=secret-42"}]}"#;
        let image = |layer: &[u8]| archive(&[("blobs/a", document), ("blobs/b", layer)]);
        let none = HashSet::new();
        assert!(in_layers(image(&file).as_slice(), &none, &needles).expect("read"));
        let older = HashSet::from(["b".to_owned()]);
        assert!(!in_layers(image(&file).as_slice(), &older, &needles).expect("read"));
        let other = archive(&[("app/secret.txt", b"secret-4 2 secret 42\n")]);
        assert!(!in_layers(image(&other).as_slice(), &none, &needles).expect("read"));
    }

    #[test]
    fn a_text_cut_between_two_pieces_is_found() {
        let needles = ["secret-42".to_owned()];
        let none = HashSet::new();
        let mut layer = vec![b'x'; (1 << 16) - 4];
        layer.extend_from_slice(b"secret-42");
        assert!(in_layers(archive(&[("blobs/b", &layer)]).as_slice(), &none, &needles).expect("read"));
        let (pieces, read) = channel(4);
        for byte in archive(&[("blobs/b", b"a secret-42")]).chunks(1000) {
            pieces.blocking_send(Bytes::copy_from_slice(byte)).expect("room");
        }
        drop(pieces);
        assert!(in_layers(Pipe { read, piece: Bytes::new() }, &none, &needles).expect("read"));
    }
}
