//! What a certificate says, read from its DER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::tell;

/// The subject of the certificate that Traefik makes for itself when it has no other.
const DEFAULT: &str = "TRAEFIK DEFAULT CERT";

/// A certificate, as far as a lab looks at it. Texts are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Common name of the subject.
    pub subject: Option<String>,
    /// Issuer.
    pub issuer: String,
    /// DNS names of the SAN extension, in order.
    pub names: Vec<String>,
    /// Beginning, unix seconds.
    pub from: i64,
    /// End, unix seconds.
    pub until: i64,
    /// Signed by its own key.
    pub self_signed: bool,
    /// SHA-256 of its DER, hexadecimal.
    pub print: String,
}

impl Leaf {
    /// Reads a certificate in base64; English reason when it is none.
    pub fn read(coded: &str) -> Result<Self, String> {
        let der = STANDARD.decode(coded).map_err(|e| e.to_string())?;
        let (_, read) = X509Certificate::from_der(&der).map_err(|e| e.to_string())?;
        let names = match read.subject_alternative_name() {
            Ok(Some(extension)) => extension
                .value
                .general_names
                .iter()
                .filter_map(|name| {
                    if let GeneralName::DNSName(dns) = name { Some(tell::cut(dns, 100)) } else { None }
                })
                .collect(),
            _ => Vec::new(),
        };
        let same = read.subject().as_raw() == read.issuer().as_raw();
        Ok(Self {
            subject: common(read.subject()),
            issuer: common(read.issuer()).unwrap_or_else(|| tell::cut(&read.issuer().to_string(), 80)),
            names,
            from: read.validity().not_before.timestamp(),
            until: read.validity().not_after.timestamp(),
            self_signed: same && read.verify_signature(None).is_ok(),
            print: hex::encode(Sha256::digest(&der)),
        })
    }

    /// Whether it is the one that Traefik makes for itself.
    pub fn is_default(&self) -> bool {
        self.subject.as_deref() == Some(DEFAULT)
    }

    /// Whether a client that asked for `host` accepts its names: the subject does not count.
    pub fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| covers(name, host))
    }
}

fn common(name: &X509Name<'_>) -> Option<String> {
    let first = name.iter_common_name().next()?;
    first.as_str().ok().map(|text| tell::cut(text, 100))
}

/// A name of a certificate against a host: equal, or a wildcard that replaces one whole label and
/// has at least two labels after it, as clients want.
fn covers(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(rest) = name.strip_prefix("*.") else { return false };
    let Some((label, parent)) = host.split_once('.') else { return false };
    rest.contains('.') && !label.is_empty() && parent.eq_ignore_ascii_case(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_as_clients_take_them() {
        assert!(covers("API.localhost", "api.localhost"));
        assert!(covers("*.tp.localhost", "api.tp.localhost"));
        assert!(!covers("*.localhost", "api.localhost"));
        assert!(!covers("*.tp.localhost", "a.b.tp.localhost"));
        assert!(!covers("localhost", "api.localhost"));
    }

    #[test]
    fn a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["api.localhost".to_owned(), "traefik.localhost".to_owned()];
        let mut params = rcgen::CertificateParams::new(names.clone()).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "tp-docker");
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let made = params.self_signed(&key).expect("a certificate");
        let leaf = Leaf::read(&STANDARD.encode(made.der())).expect("read");
        assert_eq!((leaf.subject.as_deref(), leaf.issuer.as_str()), (Some("tp-docker"), "tp-docker"));
        assert_eq!((leaf.names.clone(), leaf.self_signed, leaf.is_default()), (names, true, false));
        assert_eq!((leaf.from, leaf.until), (1_767_225_600, 1_798_761_600));
        assert!(leaf.covers("api.localhost") && !leaf.covers("tp-docker"));
        assert!(Leaf::read("AAAA").is_err() && Leaf::read("é").is_err());
    }
}
