//! Who signs: an authority in memory, and the certificates it makes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PublicKeyData, RevokedCertParams, SanType, SerialNumber,
};
use zeroize::Zeroizing;

use super::{AUTHORITY, CLOCK_SKEW, Kind, Party, PkiError};
use crate::secret_file;
use crate::tls::{self, Facts};

/// An authority that can sign.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// What its certificate says.
    pub(super) facts: Facts,
}

/// A certificate with the private key that was made for it.
pub(super) struct Pair {
    pub(super) certificate_pem: String,
    pub(super) key_pem: Zeroizing<String>,
}

impl Authority {
    /// A new one, with a key and a name of its own, and its certificate for everybody.
    pub(super) fn generate(validity: Duration) -> Result<(Self, String), PkiError> {
        let failed = PkiError::certificate(AUTHORITY);
        let key = KeyPair::generate().map_err(&failed)?;
        let params = authority_params(&key, validity);
        let certificate = params.self_signed(&key).map_err(&failed)?;
        let facts = tls::facts_of(Path::new("authority.pem"), certificate.der())?;
        let issuer = Issuer::new(params, key);
        Ok((Self { issuer, facts }, certificate.pem()))
    }

    /// The one whose key was kept: its certificate is the first in `certificate`.
    ///
    /// # Errors
    /// When a file is missing or unusable, or the key is another authority's.
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Self, PkiError> {
        let key_pem = secret_file::read_text(key)?;
        let certificates = tls::read_certificates(certificate)?;
        let unusable = |reason: String| PkiError::Authority {
            key: key.to_path_buf(),
            certificate: certificate.to_path_buf(),
            reason,
        };
        let key_pair = KeyPair::from_pem(&key_pem).map_err(|error| unusable(error.to_string()))?;
        let facts = tls::own_facts(certificate, &certificates)?;
        let first = certificates
            .first()
            .ok_or_else(|| unusable("there is no certificate".to_owned()))?;
        if facts.public_key != key_pair.subject_public_key_info() {
            return Err(unusable(
                "the key belongs to another certificate".to_owned(),
            ));
        }
        let issuer = Issuer::from_ca_cert_der(first, key_pair)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self { issuer, facts })
    }

    /// A list of revoked certificates, each with the second of its revocation, as PEM. Its number rises
    /// with the time; it is good for as long as the authority.
    pub(super) fn revoke(&self, revoked: &[(Vec<u8>, i64)]) -> Result<String, PkiError> {
        let failed = PkiError::certificate(AUTHORITY);
        let at = |seconds: i64| {
            let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            SystemTime::UNIX_EPOCH + since
        };
        let now = tls::now_seconds();
        let revoked_certs = revoked.iter().map(|(serial, since)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: at(*since).into(),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: at(now - 300).into(),
            next_update: at(self.facts.validity.not_after).into(),
            crl_number: SerialNumber::from(now.unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).map_err(&failed)?;
        list.pem().map_err(failed)
    }

    /// Its private key.
    pub(super) fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for `party` with a new key, in force from now on for `validity`.
    pub(super) fn issue(&self, party: &Party, validity: Duration) -> Result<Pair, PkiError> {
        let failed = PkiError::certificate(&party.name);
        let key = KeyPair::generate().map_err(&failed)?;
        let certificate = params_of(party, validity)
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .map_err(&failed)?;
        Ok(Pair {
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }
}

fn base_params(common_name: &str, validity: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + validity).into();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

/// Each authority has a name of its own, so that a certificate of another one is refused for its
/// unknown issuer and not for a signature that seems spoilt.
fn authority_params(key: &KeyPair, validity: Duration) -> CertificateParams {
    let public = key.public_key_raw();
    let number = public.iter().rev().take(4);
    let number = number.fold(0, |number, &byte| number << 8 | u32::from(byte));
    let name = format!("throw-away authority {number:08x} of a QKD laboratory");
    let mut params = base_params(&name, validity);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params_of(party: &Party, validity: Duration) -> Result<CertificateParams, rcgen::Error> {
    let mut params = base_params(&party.name, validity);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::DnsName(party.name.as_str().try_into()?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    match party.kind {
        Kind::Application => {}
        Kind::Node => {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
            params.subject_alt_names.extend([
                SanType::DnsName("localhost".try_into()?),
                SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ]);
        }
    }
    for name in &party.other_names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    Ok(params)
}
