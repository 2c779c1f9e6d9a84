//! The user's collector, as OpenTelemetry's variables name it, and the variable that turns tracing off.
//! Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> and `protocol/exporter`.

use std::env::{self, VarError};

use axum::http::Uri;

use crate::Level;

/// Variables that name a collector, the more specific first.
const VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The port of a URL that names none.
const HTTP_PORT: u16 = 80;

/// A variable that names no collector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid {variable} `{text}`: {reason}; expected the URL of a collector for OTLP over gRPC, e.g. \
     \"http://127.0.0.1:4317\""
)]
pub struct EndpointError {
    variable: &'static str,
    text: String,
    reason: &'static str,
}

/// The collector that the environment names, if it names one and `OTEL_SDK_DISABLED` is not set.
///
/// # Errors
/// When the variable holds something that no span can be sent to.
pub fn otlp_endpoint_from_env() -> Result<Option<String>, EndpointError> {
    if is_sdk_disabled() {
        return Ok(None);
    }
    for variable in VARIABLES {
        let text = match env::var(variable) {
            Ok(text) => text,
            Err(VarError::NotPresent) => continue,
            Err(VarError::NotUnicode(bytes)) => {
                let text = without_credentials(&bytes.to_string_lossy());
                return Err(EndpointError { variable, text, reason: "it is not UTF-8" });
            }
        };
        // An empty variable is one that is not set.
        if !text.trim().is_empty() {
            let endpoint = text.trim().to_owned();
            return match address(&endpoint) {
                Ok(_) => Ok(Some(endpoint)),
                Err(reason) => Err(EndpointError { variable, text: without_credentials(&text), reason }),
            };
        }
    }
    Ok(None)
}

/// Host and port of a collector's URL.
///
/// # Errors
/// Why spans cannot be sent there.
pub fn address(endpoint: &str) -> Result<(String, u16), &'static str> {
    let uri: Uri = endpoint.parse().map_err(|_| "it is not a URL")?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("TLS is not supported; name a collector that listens without it"),
        _ => return Err("it is not a URL that begins with http://"),
    }
    let authority = uri.authority().ok_or("it names no host")?;
    let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = match host_and_port.strip_prefix(authority.host()) {
        Some("") => HTTP_PORT,
        Some(_) => authority.port_u16().filter(|port| *port != 0).ok_or("its port is not from 1 to 65535")?,
        None => return Err("it names no host"),
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() { Err("it names no host") } else { Ok((host.to_owned(), port)) }
}

/// A URL as it may be printed and recorded: without user and password, which come before an `@` (RFC 3986, section 3.2.1).
pub fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let separator = if rest.len() < url.len() { "://" } else { "" };
    // In what is no URL a password may hold a slash: all before the last `@` goes.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}{separator}{rest}")
}

/// Whether the environment turns OpenTelemetry off: no span is made then. Metrics are not OpenTelemetry's here, and stay.
pub fn is_sdk_disabled() -> bool {
    // The specification knows one value, in any case; every other is false.
    env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

impl Level {
    /// The level as the environment allows it: without spans where `OTEL_SDK_DISABLED` is set.
    pub fn as_permitted(self) -> Self {
        if self.traces() && is_sdk_disabled() { Self::Metrics } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_url_with_a_host() {
        for (endpoint, host, port) in [
            ("http://127.0.0.1:4317", "127.0.0.1", 4_317),
            ("http://collector:4317/", "collector", 4_317),
            ("http://[::1]:4317", "::1", 4_317),
            ("http://user@collector", "collector", 80),
        ] {
            assert_eq!(address(endpoint), Ok((host.to_owned(), port)), "{endpoint}");
        }
        for (endpoint, reason) in [
            ("not-a-url", "not a URL"),
            ("localhost:4317", "begins with http://"),
            ("127.0.0.1:4317", "begins with http://"),
            ("https://collector:4317", "TLS"),
            ("ftp://collector", "begins with http://"),
            ("http://", "not a URL"),
            ("http://collector:99999", "port"),
            ("http://collector:0", "port"),
            ("http://collector:port", "port"),
            ("/v1/traces", "begins with http://"),
            ("a b", "not a URL"),
        ] {
            let found = address(endpoint).expect_err(endpoint);
            assert!(found.contains(reason), "{endpoint}: {found}");
        }
    }

    #[test]
    fn what_is_printed_of_a_url_holds_no_password() {
        for (url, printed) in [
            ("http://ada:s3cret@collector:4317/", "http://collector:4317/"),
            ("https://ada:s3/cret@collector", "https://collector"),
            ("ada:s3cret@collector:4317", "collector:4317"),
            ("http://127.0.0.1:4317", "http://127.0.0.1:4317"),
            ("x", "x"),
        ] {
            assert_eq!(without_credentials(url), printed);
        }
    }

    #[test]
    fn a_message_names_the_variable_the_text_and_an_example() {
        let error = EndpointError { variable: VARIABLES[1], text: "x".into(), reason: "it is not a URL" };
        assert_eq!(
            error.to_string(),
            "invalid OTEL_EXPORTER_OTLP_ENDPOINT `x`: it is not a URL; expected the URL of a collector for OTLP over \
             gRPC, e.g. \"http://127.0.0.1:4317\""
        );
    }
}
