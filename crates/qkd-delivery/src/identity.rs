//! Who calls: the application that a client certificate names.
//!
//! ETSI GS QKD 014 leaves open where in the certificate the name stands, so it is a setting. That
//! the certificate is genuine was checked when the TLS connection was made.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use qkd_keystore::SaeId;
use tonic::service::Interceptor;
use tonic::{Request, Status};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::Error;
use crate::access::{Access, Api, Origin, Rejection};

/// Bytes of a serial number that are shown: RFC 5280 allows no more.
const SERIAL_BYTES_MAX: usize = 20;

/// Where in a client certificate its application's name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityRule {
    /// The one URI among the subject alternative names, whole.
    SanUri,
    /// The one DNS name among the subject alternative names.
    SanDns,
    /// The one common name of the subject.
    CommonName,
    /// The one DNS name among the subject alternative names; the common name where there is none.
    #[default]
    SanDnsOrCommonName,
}

impl IdentityRule {
    /// Every rule.
    pub const ALL: [Self; 4] = [
        Self::SanUri,
        Self::SanDns,
        Self::CommonName,
        Self::SanDnsOrCommonName,
    ];

    /// The name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::SanUri => "san-uri",
            Self::SanDns => "san-dns",
            Self::CommonName => "common-name",
            Self::SanDnsOrCommonName => "san-dns-or-common-name",
        }
    }

    /// The application that a certificate names.
    ///
    /// # Errors
    /// [`Error::Certificate`] when `der` is not exactly one X.509 certificate,
    /// [`Error::NoIdentity`] or [`Error::AmbiguousIdentity`] when it does not name exactly one
    /// application in the place of this rule, [`Error::UnusableIdentity`] when the name is empty,
    /// too long or holds control characters.
    pub fn identify(self, der: &[u8]) -> Result<SaeId, Error> {
        let problem = |problem: String| Error::Certificate { problem };
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| problem(error.to_string()))?;
        if !rest.is_empty() {
            return Err(problem(format!("{} bytes after its end", rest.len())));
        }
        let names = self.names(&certificate).map_err(problem)?;
        let name = match names.as_slice() {
            [name] => *name,
            [] => return Err(Error::NoIdentity { rule: self }),
            [_, _, ..] => {
                return Err(Error::AmbiguousIdentity {
                    rule: self,
                    number: names.len(),
                });
            }
        };
        let unusable = |problem: String| Error::UnusableIdentity {
            rule: self,
            problem,
        };
        // The name goes into logs: it must not be able to forge their lines.
        if name.chars().any(char::is_control) {
            return Err(unusable("it holds control characters".to_owned()));
        }
        SaeId::new(name).map_err(|error| unusable(error.to_string()))
    }

    fn names<'a>(self, certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, String> {
        match self {
            Self::SanUri => alternative_names(certificate, |name| match name {
                GeneralName::URI(uri) => Some(uri),
                _ => None,
            }),
            Self::SanDns => dns_names(certificate),
            Self::CommonName => common_names(certificate),
            Self::SanDnsOrCommonName => {
                let names = dns_names(certificate)?;
                if names.is_empty() {
                    return common_names(certificate);
                }
                Ok(names)
            }
        }
    }
}

impl fmt::Display for IdentityRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SanUri => "subject alternative name of type URI",
            Self::SanDns => "subject alternative name of type DNS",
            Self::CommonName => "subject's common name",
            Self::SanDnsOrCommonName => {
                "subject alternative name of type DNS, or without one its subject's common name,"
            }
        })
    }
}

impl FromStr for IdentityRule {
    type Err = String;

    /// Reads a name as configuration files have it; the error lists the known ones.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.name() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join("`, `");
                format!("`{text}` is no identity rule: expected one of `{known}`")
            })
    }
}

fn dns_names<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, String> {
    alternative_names(certificate, |name| match name {
        GeneralName::DNSName(name) => Some(name),
        _ => None,
    })
}

fn alternative_names<'a>(
    certificate: &'a X509Certificate<'_>,
    wanted: impl Fn(&'a GeneralName<'a>) -> Option<&'a &'a str>,
) -> Result<Vec<&'a str>, String> {
    let extension = certificate
        .subject_alternative_name()
        .map_err(|error| format!("subject alternative name: {error}"))?;
    let names = extension.map_or(&[][..], |extension| &extension.value.general_names[..]);
    Ok(names.iter().filter_map(wanted).copied().collect())
}

fn common_names<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, String> {
    certificate
        .subject()
        .iter_common_name()
        .map(|name| {
            name.as_str()
                .map_err(|error| format!("common name: {error}"))
        })
        .collect()
}

/// The application that makes a call, as its certificate names it: an extension of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub SaeId);

impl Caller {
    /// Who makes this call.
    ///
    /// # Errors
    /// [`Error::NoCertificate`] when no [`CallerInterceptor`] has identified anybody.
    pub fn of<T>(request: &Request<T>) -> Result<SaeId, Error> {
        let caller = request.extensions().get::<Caller>();
        caller
            .map(|caller| caller.0.clone())
            .ok_or(Error::NoCertificate)
    }
}

/// Puts a [`Caller`] on every call of a service, or refuses the call.
#[derive(Clone, Default)]
pub struct CallerInterceptor {
    rule: IdentityRule,
    log: Option<Access>,
}

impl CallerInterceptor {
    /// Looks for the name where `rule` says.
    pub fn new(rule: IdentityRule) -> Self {
        Self { rule, log: None }
    }

    /// Whoever is refused here is told to the audit log of `access`.
    pub(crate) fn with_log(mut self, access: Access) -> Self {
        self.log = Some(access);
        self
    }

    fn identify(&self, request: &Request<()>) -> Result<Caller, Error> {
        let certificates = request.peer_certs().ok_or(Error::NoCertificate)?;
        // The first certificate of the chain is the caller's own.
        let own = certificates.first().ok_or(Error::NoCertificate)?;
        self.rule.identify(own).map(Caller)
    }
}

/// Where a call came from, as far as its connection knows.
fn origin(request: &Request<()>) -> Origin {
    let certificates = request.peer_certs();
    let own = certificates.as_ref().and_then(|chain| chain.first());
    Origin {
        address: request.remote_addr(),
        certificate: own.map(|own| serial_of(own)).unwrap_or_default(),
    }
}

/// The serial number of a certificate in hexadecimal digits; nothing when it cannot be read.
pub fn serial_of(der: &[u8]) -> String {
    let certificate = X509Certificate::from_der(der);
    let serial = certificate.map(|(_, certificate)| certificate.raw_serial().to_vec());
    let mut digits = String::new();
    for byte in serial.unwrap_or_default().iter().take(SERIAL_BYTES_MAX) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

impl Interceptor for CallerInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let origin = origin(&request);
        let caller = self.identify(&request).inspect_err(|error| {
            if let Some(log) = &self.log {
                log.refused(&Rejection {
                    api: Api::Grpc,
                    call: "any",
                    caller: None,
                    origin: &origin,
                    fault: error.fault(),
                    reason: &error.to_string(),
                });
            }
        })?;
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(origin);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    enum Name {
        Dns(&'static str),
        Uri(&'static str),
    }

    fn certificate(common_names: &[&str], alternatives: &[Name]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = alternatives
            .iter()
            .map(|name| match name {
                Name::Dns(name) => SanType::DnsName((*name).try_into().unwrap()),
                Name::Uri(name) => SanType::URI((*name).try_into().unwrap()),
            })
            .collect();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn sae(name: &str) -> Result<SaeId, Error> {
        Ok(SaeId::new(name).unwrap())
    }

    #[test]
    fn each_rule_finds_the_name_in_its_own_place() {
        let alternatives = [Name::Dns("by-dns"), Name::Uri("sae://by-uri/1")];
        let der = certificate(&["by-cn"], &alternatives);
        assert_eq!(IdentityRule::SanUri.identify(&der), sae("sae://by-uri/1"));
        assert_eq!(IdentityRule::SanDns.identify(&der), sae("by-dns"));
        assert_eq!(IdentityRule::CommonName.identify(&der), sae("by-cn"));
        assert_eq!(IdentityRule::default().identify(&der), sae("by-dns"));
        let der = certificate(&["by-cn"], &[]);
        assert_eq!(IdentityRule::default().identify(&der), sae("by-cn"));
    }

    #[test]
    fn a_certificate_that_names_nobody_or_several_is_refused() {
        let several = certificate(&["by-cn"], &[Name::Dns("one"), Name::Dns("two")]);
        for rule in [IdentityRule::SanDns, IdentityRule::default()] {
            let error = rule.identify(&several).unwrap_err();
            assert_eq!(error, Error::AmbiguousIdentity { rule, number: 2 });
        }
        let nobody = certificate(&[], &[]);
        for rule in IdentityRule::ALL {
            let error = rule.identify(&nobody).unwrap_err();
            assert_eq!(error, Error::NoIdentity { rule });
        }
    }

    #[test]
    fn a_name_that_could_forge_a_log_line_or_is_too_long_is_refused() {
        let long = "x".repeat(300);
        for name in ["sae\nadmin", "", &long] {
            let error = IdentityRule::CommonName.identify(&certificate(&[name], &[]));
            assert!(
                matches!(error, Err(Error::UnusableIdentity { .. })),
                "{name:?}: {error:?}"
            );
        }
    }

    #[test]
    fn rules_are_read_by_their_names_and_unknown_ones_list_them() {
        for rule in IdentityRule::ALL {
            assert_eq!(rule.name().parse(), Ok(rule));
        }
        let error = "dns".parse::<IdentityRule>().unwrap_err();
        assert!(error.contains("`san-dns`"), "{error}");
    }

    #[test]
    fn a_call_without_certificate_is_unauthenticated() {
        let result = CallerInterceptor::default().call(Request::new(()));
        assert_eq!(result.unwrap_err().code(), tonic::Code::Unauthenticated);
    }

    #[test]
    fn bytes_after_the_certificate_are_refused() {
        let mut der = certificate(&["by-cn"], &[]);
        der.push(0);
        let error = IdentityRule::default().identify(&der).unwrap_err();
        assert!(matches!(error, Error::Certificate { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_never_panics(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut der = certificate(&["by-cn"], &[Name::Dns("by-dns")]);
            for (at, byte) in damage {
                let at = at.index(der.len());
                der[at] = byte;
            }
            for rule in IdentityRule::ALL {
                let _ = rule.identify(&der);
                let _ = rule.identify(&der[..cut.index(der.len())]);
            }
        }
    }
}
