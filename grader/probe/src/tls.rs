//! A TLS client that accepts any certificate and says which one it was given.
//!
//! It authenticates nobody: it is made to look at a server, never to trust it with anything.

use crate::wire::{FailureKind, TlsSeen};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};

/// Accepts whatever is presented, with whatever signature.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All of them: a server must not fail for want of one that we would not check anyway.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::ED25519,
            S::ED448,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
            S::RSA_PKCS1_SHA1,
        ]
    }
}

/// A connector for TLS 1.2 and 1.3 that offers these protocols by ALPN.
///
/// # Errors
/// When the cryptographic provider supports none of these versions, which ring never causes.
pub fn connector(alpn: &[String]) -> Result<TlsConnector, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The server name to ask for; without one, the peer's address, which is never sent.
///
/// # Errors
/// When this is no host name.
pub fn server_name(sni: Option<&str>, peer: IpAddr) -> Result<ServerName<'static>, InvalidDnsNameError> {
    match sni {
        None => Ok(ServerName::IpAddress(peer.into())),
        Some(name) => ServerName::try_from(name.to_owned()),
    }
}

/// What a completed handshake showed.
#[must_use]
pub fn seen(connection: &ClientConnection) -> TlsSeen {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let chain = connection.peer_certificates().unwrap_or_default();
    TlsSeen {
        version,
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        chain: chain.iter().map(|der| base64(der)).collect(),
    }
}

/// What a failed handshake means, and the alert that the peer sent; nothing when the connection itself failed.
#[must_use]
pub fn why(error: &io::Error) -> Option<(FailureKind, Option<u8>)> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::AlertReceived(alert) => (FailureKind::Tls, Some(u8::from(*alert))),
        // Not a TLS record, or a TLS record that makes no sense here.
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerSentOversizedRecord => (FailureKind::Protocol, None),
        _ => (FailureKind::Tls, None),
    })
}

/// Standard base64 with padding. Here and not by a crate, so that the feature `tls` needs TLS only.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_sent_only_when_there_is_one() {
        let peer = IpAddr::from([127, 0, 0, 1]);
        assert!(matches!(server_name(None, peer), Ok(ServerName::IpAddress(_))));
        assert!(matches!(server_name(Some("api.localhost"), peer), Ok(ServerName::DnsName(_))));
        assert!(server_name(Some("a b"), peer).is_err());
    }

    #[cfg(feature = "bin")]
    #[test]
    fn base64_is_that_of_everybody() {
        use ::base64::Engine as _;
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for length in (0..10).chain([997, 998, 999]) {
            let theirs = ::base64::engine::general_purpose::STANDARD.encode(&bytes[..length]);
            assert_eq!(base64(&bytes[..length]), theirs);
        }
    }
}
