//! The signature of a request to S3 (AWS Signature Version 4), for `GET /` without a body.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

const REGION: &str = "us-east-1";

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The headers that sign `GET /` at this moment.
pub(super) fn headers(
    host: &str,
    port: u16,
    user: &str,
    secret: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let moment = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &moment[..8];
    let (host, body) = (format!("{host}:{port}"), "UNSIGNED-PAYLOAD");
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let request = format!(
        "GET\n/\n\nhost:{host}\nx-amz-content-sha256:{body}\nx-amz-date:{moment}\n\n{signed}\n{body}"
    );
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
    let first = keyed(format!("AWS4{secret}").as_bytes(), day);
    let key = [REGION, "s3", "aws4_request"].iter().fold(first, |key, part| keyed(&key, part));
    let signature = hex::encode(keyed(&key, &text));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={signed}, Signature={signature}");
    [
        ("Host", host),
        ("x-amz-content-sha256", body.to_owned()),
        ("x-amz-date", moment),
        ("Authorization", authorization),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_code() {
        // RFC 4231, test case 2.
        let code = hex::encode(keyed(b"Jefe", "what do ya want for nothing?"));
        assert_eq!(code, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn the_moment_is_signed() {
        let at = |second| Timestamp::from_second(second).expect("a moment");
        let one = headers("10.0.0.2", 9000, "mantis", "secret", at(0));
        assert_eq!(one[2].1, "19700101T000000Z");
        assert_ne!(one[3], headers("10.0.0.2", 9000, "mantis", "secret", at(1))[3]);
        assert_ne!(one[3], headers("10.0.0.2", 9000, "mantis", "autre", at(0))[3]);
    }
}
