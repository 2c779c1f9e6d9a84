//! The public port: opened, and with its certificate where one is configured, in a build with the feature `tls`.

use transport::serve::{self, BindError, Listener};

use crate::config::{NodeConfig, TlsFiles};

/// The public port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PublicError {
    /// Its address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its certificate or key.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] transport::tls::TlsError),
    /// It is to have a certificate.
    #[cfg(not(feature = "tls"))]
    #[error("this program was built without TLS and cannot serve `{}`; build it with `--features tls`", .0.display())]
    WithoutTls(std::path::PathBuf),
}

/// Opens the public port.
///
/// # Errors
/// Where the port, the certificate or the key cannot be used, or the program was built without TLS and is given any.
pub(crate) async fn public_listener(config: &NodeConfig) -> Result<Listener, PublicError> {
    match &config.tls {
        None => Ok(serve::bind(config.public).await?.into()),
        Some(files) => secured(config, files).await,
    }
}

/// Reads the certificate before the port is opened: no client is to wait for a server that does not come.
#[cfg(feature = "tls")]
async fn secured(config: &NodeConfig, files: &TlsFiles) -> Result<Listener, PublicError> {
    let tls = transport::tls::Tls::from_files(&files.certificate, &files.key)?;
    Ok(Listener::from(serve::bind(config.public).await?).with_tls(tls))
}

#[cfg(not(feature = "tls"))]
fn secured(_: &NodeConfig, files: &TlsFiles) -> std::future::Ready<Result<Listener, PublicError>> {
    std::future::ready(Err(PublicError::WithoutTls(files.certificate.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_certificate_that_cannot_be_served_is_an_error_that_names_it() {
        let files = TlsFiles { certificate: "no-such-folder/gateway.pem".into(), key: "gateway.key".into() };
        let config = NodeConfig { tls: Some(files), ..NodeConfig::default() };
        let error = public_listener(&config).await.expect_err("there is no such file").to_string();
        assert!(error.contains("`no-such-folder/gateway.pem`"), "{error}");
        assert!(cfg!(feature = "tls") || error.contains("--features tls"), "{error}");
        assert!(public_listener(&NodeConfig::default()).await.is_ok());
    }
}
