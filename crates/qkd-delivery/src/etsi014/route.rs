//! Paths and queries: which call, about which SAE, with which parameters.

use http::Method;
use qkd_keystore::SaeId;

use super::refusal::Refusal;

/// What every path of the standard begins with.
const KEYS: &str = "/api/v1/keys/";

/// Where the description of this service is.
pub(super) const OPENAPI_PATH: &str = "/api/v1/openapi.json";

/// The three calls of the standard, by the last word of their path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// `status`: "Get status".
    Status,
    /// `enc_keys`: "Get key".
    EncKeys,
    /// `dec_keys`: "Get key with key IDs".
    DecKeys,
}

impl Call {
    pub(super) const ALL: [Self; 3] = [Self::Status, Self::EncKeys, Self::DecKeys];

    /// The last word of its path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::EncKeys => "enc_keys",
            Self::DecKeys => "dec_keys",
        }
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// The description of this service.
    OpenApi,
    /// One of the standard's calls.
    Keys {
        /// Which.
        call: Call,
        /// The other SAE: the slave, or for `dec_keys` the master.
        sae: SaeId,
    },
}

impl Route {
    /// Reads a path as it was sent, percent-encoded.
    pub(super) fn of(path: &str) -> Result<Self, Refusal> {
        if path == OPENAPI_PATH {
            return Ok(Self::OpenApi);
        }
        let words = path
            .strip_prefix(KEYS)
            .and_then(|rest| rest.split_once('/'));
        let (sae, call) = words.ok_or_else(Refusal::no_such_path)?;
        let call = Call::ALL.into_iter().find(|known| known.name() == call);
        let (false, Some(call)) = (sae.is_empty(), call) else {
            return Err(Refusal::no_such_path());
        };
        let field = match call {
            Call::Status | Call::EncKeys => "slave_SAE_ID",
            Call::DecKeys => "master_SAE_ID",
        };
        let name = decode(sae).ok_or_else(|| {
            Refusal::bad(format!(
                "{field} is no percent-encoded UTF-8 (RFC 3986, 2.1)"
            ))
        })?;
        let sae = sae_id(field, name)?;
        Ok(Self::Keys { call, sae })
    }

    /// The methods that it answers.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::OpenApi
            | Self::Keys {
                call: Call::Status, ..
            } => &[Method::GET],
            Self::Keys {
                call: Call::EncKeys | Call::DecKeys,
                ..
            } => &[Method::GET, Method::POST],
        }
    }

    /// That a request has one of them.
    pub(super) fn check_method(&self, method: &Method) -> Result<(), Refusal> {
        if self.methods().contains(method) {
            return Ok(());
        }
        Err(Refusal::method(self.methods()))
    }
}

/// A name out of a request. It goes into logs and messages: it must not be able to forge lines.
pub(super) fn sae_id(field: &str, name: String) -> Result<SaeId, Refusal> {
    if name.chars().any(char::is_control) {
        return Err(Refusal::bad(format!("{field} holds control characters")));
    }
    SaeId::new(name).map_err(|error| Refusal::bad(format!("{field}: {error}")))
}

/// The parameters of a query, decoded, in their order.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let words = query.split('&').filter(|pair| !pair.is_empty());
    words
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Forms write a space as '+'; names, numbers and UUIDs have neither.
            let both = decode(name).zip(decode(value));
            both.ok_or_else(|| {
                Refusal::bad("the query is no percent-encoded UTF-8 (RFC 3986, 2.1)".to_owned())
            })
        })
        .collect()
}

/// Undoes percent-encoding; nothing when a `%` has no two hexadecimal digits or the bytes are no
/// UTF-8.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else {
            return None;
        };
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

fn digit(character: u8) -> Option<u8> {
    let digit = char::from(character).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &str) -> Option<(Call, String)> {
        match Route::of(path) {
            Ok(Route::Keys { call, sae }) => Some((call, sae.to_string())),
            Ok(Route::OpenApi) | Err(_) => None,
        }
    }

    #[test]
    fn a_name_is_decoded_once_and_may_hold_a_slash() {
        let read = |path: &str| keys(path).unwrap();
        assert_eq!(read("/api/v1/keys/b/status"), (Call::Status, "b".into()));
        let named = |sae: &str| read(&format!("/api/v1/keys/{sae}/enc_keys")).1;
        assert_eq!(named("urn:sae:b%2f1"), "urn:sae:b/1");
        assert_eq!(named("sae%20b%C3%bc"), "sae bü");
        assert_eq!(named("a%2562"), "a%62", "decoded once, not twice");
        assert_eq!(named("a+b"), "a+b", "a plus in a path is a plus");
    }

    #[test]
    fn a_name_that_cannot_be_decoded_or_forges_lines_is_a_bad_request() {
        for sae in ["%", "%4", "%zz", "%ff", "a%0Ab", "a%00", "%c3", "%+1"] {
            let refusal = Route::of(&format!("/api/v1/keys/{sae}/dec_keys")).unwrap_err();
            assert_eq!(refusal.status.as_u16(), 400, "{sae}");
            assert!(refusal.message.starts_with("master_SAE_ID"), "{sae}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "",
            "/",
            "*",
            "/api/v1/keys",
            "/api/v1/keys/",
            "/api/v1/keys/b",
            "/api/v1/keys//status",
            "/api/v1/keys/b/status/",
            "/api/v1/keys/b/c/status",
            "/api/v1/keys/b/STATUS",
            "/api/v2/keys/b/status",
            "//api/v1/keys/b/status",
            "/api/v1/keys/b/status%20",
        ] {
            let refusal = Route::of(path).unwrap_err();
            assert_eq!(refusal.status.as_u16(), 404, "{path:?}");
        }
    }

    #[test]
    fn a_query_is_read_pair_by_pair() {
        let read = parameters("number=2&&size=%32%35%36&x&y=a=b").unwrap();
        let read: Vec<(&str, &str)> = read.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(
            read,
            [("number", "2"), ("size", "256"), ("x", ""), ("y", "a=b")]
        );
        assert!(parameters("number=%F").is_err());
        assert!(parameters("").unwrap().is_empty());
    }
}
