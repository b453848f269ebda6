//! Why a connection came to nothing, in one sentence for the person who can act.
//!
//! What transports say is a chain of errors whose outer layers always read the same. The one that
//! tells something is found here, and put into words that name what is wrong and what to do.

use std::error::Error;
use std::io;
use std::mem;

use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::UnixTime;

use super::dates::utc;
use super::dial::ConnectError;
use super::peer::quoted;

/// Why a call or a connection to a server failed: in one sentence, without names of libraries.
///
/// Takes whatever tonic returned: a `tonic::transport::Error`, or a `tonic::Status` of a call that
/// the connection did not survive.
pub fn explain(error: &(dyn Error + 'static)) -> String {
    explain_peer(error, "the server")
}

/// As [`explain`], for a certificate of `peer`, the name that people know the other end by.
pub(super) fn explain_peer(error: &(dyn Error + 'static), peer: &str) -> String {
    let mut innermost = error;
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(said) = known(cause, peer) {
            return said;
        }
        innermost = cause;
        next = cause.source();
    }
    one_line(&innermost.to_string())
}

/// What kind of error a handshake ended with: the same text for whatever names and dates the other
/// end puts into its certificate.
pub(super) fn kind_of(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(fault)) => {
            format!("certificate {:?}", mem::discriminant(fault))
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("alert {:?}", mem::discriminant(alert))
        }
        // Not our enum: what it holds besides its kind may be the other end's words.
        Some(other) => format!("TLS {:?}", mem::discriminant(other)),
        None => format!("{:?}", error.kind()),
    }
}

/// What there is to say about one error of a chain.
fn known(error: &(dyn Error + 'static), peer: &str) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        return Some(error.reason().to_owned());
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error, peer));
    }
    let io = error.downcast_ref::<io::Error>()?;
    match io
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(tls) => Some(of_tls(tls, peer)),
        None => of_io(io),
    }
}

/// What the operating system says, and what to look at; `None` for what speaks for itself.
fn of_io(error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(
            "nobody listens there (Connection refused): is it running, and is the address right?"
                .to_owned(),
        ),
        io::ErrorKind::TimedOut => Some(
            "nobody answers there in time: is it running, and is the address right?".to_owned(),
        ),
        // Not our enum: every other kind speaks for itself, or has a cause that does.
        _ => None,
    }
}

/// What the handshake found wrong, whichever side found it.
fn of_tls(error: &rustls::Error, peer: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(fault) => of_certificate(fault, peer),
        rustls::Error::AlertReceived(alert) => of_alert(*alert, peer),
        rustls::Error::NoCertificatesPresented => {
            format!("{peer} shows no certificate; expected one of the authority of [tls] authority")
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            "what answers there does not speak TLS: is it the right port?".to_owned()
        }
        // Not our enum: what remains is a defect of one side, and told in its own words.
        other => format!("TLS fails: {}", one_line(&other.to_string())),
    }
}

/// What this side has against the certificate of `peer`.
pub(super) fn of_certificate(fault: &CertificateError, peer: &str) -> String {
    let at = |time: &UnixTime| utc(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    match fault {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the certificate of {peer} expired on {}, and it is {} here; renew it with `qkd pki renew`, or is a clock wrong?",
            at(not_after),
            at(time)
        ),
        CertificateError::Expired => format!(
            "the certificate of {peer} has expired; renew it with `qkd pki renew`, or is a clock wrong?"
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the certificate of {peer} is valid only from {} on, and it is {} here; is a clock wrong?",
            at(not_before),
            at(time)
        ),
        CertificateError::Revoked => {
            format!("the certificate of {peer} was revoked by its authority")
        }
        CertificateError::NotValidYet => {
            format!("the certificate of {peer} is not valid yet; is a clock wrong?")
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the certificate of {peer} was not signed by the authority of [tls] authority; both sides need certificates of one authority"
        ),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<String> = presented.iter().map(|name| bare(name)).collect();
            format!(
                "the certificate there is for {}, expected {:?}: is that the right address, and the right name?",
                quoted(&names),
                expected.to_str()
            )
        }
        CertificateError::NotValidForName => {
            format!("the certificate there does not carry the name {peer:?}")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!(
                "the certificate of {peer} is not made for this purpose: a node needs one for servers and clients"
            )
        }
        // Not our enum: what remains is told in the library's words.
        other => format!(
            "the certificate of {peer} cannot be used: {}",
            one_line(&other.to_string())
        ),
    }
}

/// What the other side has against the certificate that this one shows.
fn of_alert(alert: AlertDescription, peer: &str) -> String {
    match alert {
        AlertDescription::CertificateExpired => format!(
            "{peer} refuses the certificate shown to it, as expired or not valid yet by its clock; renew it with `qkd pki renew`, or is a clock wrong?"
        ),
        AlertDescription::UnknownCA | AlertDescription::DecryptError => format!(
            "{peer} refuses the certificate shown to it, because its own authority did not sign it; both sides need certificates of one authority"
        ),
        AlertDescription::CertificateRequired => {
            format!("{peer} demands a certificate, and none was shown")
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => {
            format!("{peer} refuses the certificate shown to it ({alert:?}); its log says why")
        }
        // Not our enum: what remains is a disagreement about TLS itself.
        other => format!("{peer} ends the TLS handshake: {other:?}"),
    }
}

/// The name in what the library prints as `DnsName("kme-bob")` or `IpAddress(127.0.0.1)`.
fn bare(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .map_or(presented, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"').to_owned()
}

/// A sentence of a library on one line.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    /// What tonic wraps around everything.
    #[derive(Debug)]
    struct Outer(io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("transport error")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    fn said(error: rustls::Error) -> String {
        explain(&Outer(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    #[test]
    fn every_fault_says_what_is_wrong_and_what_to_do() {
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let certificate = rustls::Error::InvalidCertificate;
        let cases: [(rustls::Error, &[&str]); 8] = [
            (
                certificate(CertificateError::ExpiredContext {
                    time: at(1_709_251_199),
                    not_after: at(951_782_400),
                }),
                &[
                    "expired on 2000-02-29 00:00:00 UTC",
                    "it is 2024-02-29 23:59:59 UTC here",
                    "qkd pki renew",
                    "clock",
                ],
            ),
            (
                certificate(CertificateError::NotValidYetContext {
                    time: at(0),
                    not_before: at(951_782_400),
                }),
                &["valid only from 2000-02-29", "is a clock wrong?"],
            ),
            (
                certificate(CertificateError::UnknownIssuer),
                &["not signed by the authority of [tls] authority"],
            ),
            (
                certificate(CertificateError::NotValidForNameContext {
                    expected: "kme-bob".try_into().unwrap(),
                    presented: vec!["DnsName(\"eve\")".into(), "IpAddress(127.0.0.1)".into()],
                }),
                &["is for \"eve\", \"127.0.0.1\", expected \"kme-bob\""],
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateExpired),
                &["expired or not valid yet by its clock", "qkd pki renew"],
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnknownCA),
                &["its own authority did not sign it"],
            ),
            (
                rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                &["does not speak TLS", "right port"],
            ),
            (rustls::Error::DecryptError, &["TLS fails"]),
        ];
        for (error, words) in cases {
            let text = said(error);
            assert_eq!(text.lines().count(), 1, "{text}");
            for word in words {
                assert!(text.contains(word), "no {word:?} in {text:?}");
            }
        }
    }

    #[test]
    fn the_kind_of_an_error_is_the_same_whatever_the_stranger_wrote() {
        let kind = |fault| {
            let error = rustls::Error::InvalidCertificate(fault);
            kind_of(&io::Error::new(io::ErrorKind::InvalidData, error))
        };
        let expired = |seconds| CertificateError::ExpiredContext {
            time: UnixTime::since_unix_epoch(std::time::Duration::from_secs(9)),
            not_after: UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
        };
        assert_eq!(kind(expired(1)), kind(expired(2)));
        assert_ne!(kind(expired(1)), kind(CertificateError::UnknownIssuer));
    }

    #[test]
    fn what_the_network_says_is_kept_or_put_plainly() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(explain(&Outer(refused)).contains("nobody listens there"));
        let other = io::Error::other("no\nroute");
        assert_eq!(explain(&Outer(other)), "no route");
    }
}
