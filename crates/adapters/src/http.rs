//! The one place that builds an HTTP client and the addresses it calls.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Why an HTTP adapter cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpConfigError {
    /// The base address is not one that paths can be added to.
    #[error("base URL must be http(s) with a host and without user, query or fragment, got {0}")]
    BaseUrl(String),
    /// The client could not be built, such as without any trusted certificate on this machine.
    #[error("HTTP client cannot be built: {0}")]
    Client(String),
}

/// A client that never waits for ever and never goes where it was not sent.
///
/// `connect_timeout` bounds the connection with its TLS handshake, `timeout` the whole call with
/// the answer's body.
pub(crate) fn client(
    connect_timeout: Duration,
    timeout: Duration,
) -> Result<reqwest::Client, HttpConfigError> {
    build(builder(connect_timeout, timeout))
}

/// The same, to be restricted further.
pub(crate) fn builder(connect_timeout: Duration, timeout: Duration) -> reqwest::ClientBuilder {
    // An error means that another part of the process was first; one provider is all we need.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("partner-platform/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        // A redirect would carry the credentials and the charge to an address nobody configured.
        .redirect(reqwest::redirect::Policy::none())
        // Proxies come from the environment otherwise, and configuration is read in one place.
        .no_proxy()
        // Temporal repeats calls, where it shows; a hidden second try would only blur the record.
        .retry(reqwest::retry::never())
}

/// Builds what [`builder`] began.
pub(crate) fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, HttpConfigError> {
    builder
        .build()
        .map_err(|error| HttpConfigError::Client(describe(error)))
}

/// What went wrong, with its causes and without the address, which may carry references.
pub(crate) fn describe(error: reqwest::Error) -> String {
    partner_core::error::chain(&error.without_url())
}

/// The text without the secret: a service that repeats it must not get it into a log.
pub(crate) fn redact(text: String, secret: &SecretString) -> String {
    match secret.expose_secret() {
        // An empty secret would be "found" between any two characters.
        "" => text,
        secret => text.replace(secret, "[redacted]"),
    }
}

/// How long the answer asks to wait: seconds, or a date counted from the answer's own `Date`.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let wait = text(RETRY_AFTER)?;
    if let Ok(seconds) = wait.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(wait).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
    Some((until - now).to_std().unwrap_or_default())
}

/// The address of a service, to which path segments can be added.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    /// Takes an address that paths can be added to.
    pub(crate) fn new(url: Url) -> Result<Self, HttpConfigError> {
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if plain && url.has_host() && matches!(url.scheme(), "http" | "https") {
            return Ok(Self(url));
        }
        // Only what is surely no secret is repeated.
        let host = url.host_str().unwrap_or("no host");
        Err(HttpConfigError::BaseUrl(format!(
            "{}://{host}",
            url.scheme()
        )))
    }

    /// The address with these segments added, each percent-encoded.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Fails only for addresses that `new` refuses.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Whether a text survives as one path segment: the URL rules drop dots and line breaks silently,
/// and the call would then go to another resource.
pub(crate) fn is_path_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(|c: char| c.is_control())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(reqwest::header::HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = (DATE, "Wed, 21 Oct 2026 07:28:00 GMT");
        for (given, expected) in [
            (vec![(RETRY_AFTER, "17")], Some(17)),
            (
                vec![(RETRY_AFTER, "Wed, 21 Oct 2026 07:28:30 GMT"), now.clone()],
                Some(30),
            ),
            (
                vec![(RETRY_AFTER, "Wed, 21 Oct 2026 07:00:00 GMT"), now.clone()],
                Some(0),
            ),
            (vec![(RETRY_AFTER, "Wed, 21 Oct 2026 07:28:30 GMT")], None),
            (vec![(RETRY_AFTER, "soon"), now.clone()], None),
            (vec![now], None),
        ] {
            let wait = retry_after(&headers(&given));
            assert_eq!(wait, expected.map(Duration::from_secs), "{given:?}");
        }
    }

    #[test]
    fn a_secret_is_cut_out_and_an_empty_one_changes_nothing() {
        let redacted = |secret: &str| redact("key sk_1 is bad".to_owned(), &secret.into());
        assert_eq!(redacted("sk_1"), "key [redacted] is bad");
        assert_eq!(redacted(""), "key sk_1 is bad");
    }

    #[test]
    fn segments_are_added_below_the_base_and_encoded() {
        for (base, expected) in [
            (
                "https://api.example.com",
                "https://api.example.com/v1/a%2Fb%3Fc%20d%25",
            ),
            (
                "https://api.example.com/",
                "https://api.example.com/v1/a%2Fb%3Fc%20d%25",
            ),
            (
                "http://[::1]:8080/pay/",
                "http://[::1]:8080/pay/v1/a%2Fb%3Fc%20d%25",
            ),
        ] {
            let base = BaseUrl::new(Url::parse(base).unwrap()).unwrap();
            assert_eq!(base.join(&["v1", "a/b?c d%"]).as_str(), expected);
        }
    }

    #[test]
    fn a_base_that_paths_cannot_be_added_to_is_refused_without_its_password() {
        for base in [
            "mailto:ana@example.com",
            "ftp://example.com",
            "https://user:hunter2@example.com",
            "https://example.com/?token=hunter2",
            "https://example.com/#hunter2",
        ] {
            let error = BaseUrl::new(Url::parse(base).unwrap())
                .unwrap_err()
                .to_string();
            assert!(error.contains("base URL must be"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_would_change_the_path_is_no_segment() {
        for text in ["", ".", "..", "a\nb", "a\tb"] {
            assert!(!is_path_segment(text), "{text:?}");
        }
        for text in ["order-1", "a/b", "...", "ü"] {
            assert!(is_path_segment(text), "{text:?}");
        }
    }
}
