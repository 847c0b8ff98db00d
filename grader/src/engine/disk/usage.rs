//! What volumes and folders take.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::connect::Engine;

/// Longest wait for the engine, which walks through every volume of the machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most that is read of its answer, bytes.
const ANSWER: u64 = 8 << 20;

/// `GET /system/df?type=volume` of API 1.42 to 1.51. Later versions of the API give another form, and the
/// engine's library knows that one alone; the engine still answers the versions before it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: String,
    usage_data: Option<Size>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    /// -1 when the driver does not say.
    size: i64,
}

/// Bytes of each volume of the engine, by name; empty when it cannot be had (an engine that is not
/// behind a Unix socket or plain TCP, or that does not answer).
pub(super) async fn volumes(engine: &Engine) -> HashMap<String, u64> {
    tokio::time::timeout(PATIENCE, asked(engine)).await.ok().flatten().unwrap_or_default()
}

async fn asked(engine: &Engine) -> Option<HashMap<String, u64>> {
    let (major, minor) = engine.api.min((1, 45));
    let path = format!("/v{major}.{minor}/system/df?type=volume");
    #[cfg(unix)]
    if let Some(socket) = engine.host.strip_prefix("unix://") {
        return get(tokio::net::UnixStream::connect(socket).await.ok()?, &path).await;
    }
    let address = engine.host.strip_prefix("tcp://").or_else(|| engine.host.strip_prefix("http://"))?;
    get(tokio::net::TcpStream::connect(address.trim_end_matches('/')).await.ok()?, &path).await
}

/// One question in HTTP/1.0, whose answer ends with the connection.
async fn get(mut to: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> Option<HashMap<String, u64>> {
    to.write_all(format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    to.take(ANSWER).read_to_end(&mut answer).await.ok()?;
    sizes(&answer)
}

fn sizes(answer: &[u8]) -> Option<HashMap<String, u64>> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    if !head.starts_with(b"HTTP/1.0 200") && !head.starts_with(b"HTTP/1.1 200") {
        return None;
    }
    let usage: Usage = serde_json::from_slice(body).ok()?;
    let volumes = usage.volumes.unwrap_or_default().into_iter();
    Some(volumes.filter_map(|v| Some((v.name, u64::try_from(v.usage_data?.size).ok()?))).collect())
}

/// Bytes that the files below `dir` take on the disk; what cannot be read is not counted.
pub(super) async fn folder(dir: &Path) -> u64 {
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || taken(dir)).await.unwrap_or_default()
}

fn taken(dir: PathBuf) -> u64 {
    let mut folders = vec![dir];
    let mut sum = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            // Not through links: `DirEntry::metadata` does not follow them.
            let Ok(of) = entry.metadata() else { continue };
            if of.is_dir() {
                folders.push(entry.path());
            } else if of.is_file() {
                sum += on_disk(&of);
            }
        }
    }
    sum
}

#[cfg(unix)]
fn on_disk(of: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // Blocks of 512 bytes, whatever the file system (stat(2)).
    of.blocks() * 512
}

#[cfg(not(unix))]
fn on_disk(of: &std::fs::Metadata) -> u64 {
    of.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_answer_is_read() {
        let answer = b"HTTP/1.0 200 OK\r\nApi-Version: 1.45\r\n\r\n{\"LayersSize\":0,\"Images\":null,\"Volumes\":[\
            {\"Name\":\"a\",\"UsageData\":{\"RefCount\":1,\"Size\":42}},{\"Name\":\"b\",\"UsageData\":{\"Size\":-1}},\
            {\"Name\":\"c\"}]}";
        assert_eq!(sizes(answer), Some(HashMap::from([("a".to_owned(), 42)])));
        assert_eq!(sizes(b"HTTP/1.0 404 Not Found\r\n\r\n{}"), None);
        assert_eq!(sizes(b"HTTP/1.0 200 OK\r\n\r\n{\"Volumes\":null}"), Some(HashMap::new()));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_takes_what_is_on_the_disk_and_links_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("sous")).expect("sub");
        std::fs::write(dir.path().join("sous/plein"), vec![1_u8; 64 << 10]).expect("written");
        let sparse = std::fs::File::create(dir.path().join("creux")).expect("made");
        sparse.set_len(1 << 40).expect("a hole");
        std::os::unix::fs::symlink("/", dir.path().join("racine")).expect("a link");
        let taken = taken(dir.path().to_owned());
        assert!((64 << 10..1 << 20).contains(&taken), "{taken}");
    }
}
