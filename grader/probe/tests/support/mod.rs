//! A probe process and small servers.
#![allow(dead_code)] // each test file uses a part

use grader_probe::wire::{Line, Outcome, Reply, VERSION};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A probe at the other end of two pipes.
pub struct Probe {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Probe {
    pub fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grader-probe"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the probe starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut probe = Self { child, input, output, last: 0 };
        assert!(matches!(probe.line(), Line::Hello(hello) if hello.version == VERSION && !hello.interfaces.is_empty()));
        probe
    }

    pub fn raw(&mut self, text: &str) {
        self.input.as_mut().expect("open").write_all(text.as_bytes()).expect("written");
    }

    pub fn send(&mut self, ask: &serde_json::Value) -> u64 {
        self.last += 1;
        let id = self.last;
        self.raw(&format!("{}\n", serde_json::json!({"id": id, "ask": ask})));
        id
    }

    fn line(&mut self) -> Line {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    pub fn next(&mut self) -> Reply {
        match self.line() {
            Line::Reply(reply) => *reply,
            Line::Hello(_) => panic!("a second hello"),
        }
    }

    pub fn ask(&mut self, ask: &serde_json::Value) -> Outcome {
        let id = self.send(ask);
        let reply = self.next();
        assert_eq!(reply.id, id);
        reply.answer.outcome
    }

    /// Closes the input and waits for the end.
    pub fn end(mut self) -> Duration {
        let start = Instant::now();
        self.input = None;
        assert!(self.child.wait().expect("an end").success());
        start.elapsed()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port of an echo server.
pub fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    listener.set_nonblocking(true).expect("set");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            grader_probe::echo::run(listener).await
        })
    });
    port
}

/// The port of a server that says always the same, once the client has said something, and closes.
pub fn canned(bytes: &[u8]) -> u16 {
    let bytes = bytes.to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bytes = bytes.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                // Until the client has read all: a close with unread bytes would reset.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            });
        }
    });
    port
}

/// The port of a server that accepts and says nothing.
pub fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let open: Vec<_> = listener.incoming().collect();
        drop(open);
    });
    port
}

/// A port that nobody listens on.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// A UDP port that takes everything and answers nothing.
pub fn mute_udp() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        loop {
            let _ = socket.recv(&mut [0; 512]);
        }
    });
    port
}

/// A DNS server that answers every question with this code and no record, after a stray datagram.
pub fn dns(rcode: u8) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(b"stray", peer);
            bytes[2] |= 0x80;
            bytes[3] = rcode;
            let _ = socket.send_to(&bytes[..length], peer);
        }
    });
    port
}

/// How a TLS server of the tests behaves.
pub struct TlsServer {
    /// Names of its only certificate.
    pub names: &'static [&'static str],
    /// Whether it refuses any other server name.
    pub strict: bool,
    /// Versions that it speaks.
    pub versions: Vec<&'static tokio_rustls::rustls::SupportedProtocolVersion>,
}

/// The port of a TLS server that says always the same over `http/1.1`, and its certificate in DER.
pub fn tls(server: &TlsServer, says: &'static [u8]) -> (u16, Vec<u8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::server::{ResolvesServerCert, ResolvesServerCertUsingSni};
    use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
    use tokio_rustls::rustls::{ServerConfig, pki_types};
    let names: Vec<String> = server.names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let der = made.cert.der().clone();
    let key = pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let key = ring::sign::any_supported_type(&key).expect("a key");
    let certified = CertifiedKey::new(vec![der.clone()], key);
    let resolver: std::sync::Arc<dyn ResolvesServerCert> = if server.strict {
        let mut known = ResolvesServerCertUsingSni::new();
        for name in server.names {
            known.add(name, certified.clone()).expect("its own name");
        }
        std::sync::Arc::new(known)
    } else {
        std::sync::Arc::new(SingleCertAndKey::from(certified))
    };
    let mut config = ServerConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
        .with_protocol_versions(&server.versions)
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    listener.set_nonblocking(true).expect("set");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut asked = vec![0; 4096];
                    let length = stream.read(&mut asked).await.unwrap_or(0);
                    if length > 0 {
                        let _ = stream.write_all(says).await;
                    }
                    let _ = stream.shutdown().await;
                });
            }
        });
    });
    (port, der.to_vec())
}
