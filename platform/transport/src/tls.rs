//! TLS of a listener: its certificate and key, from files, and its handshakes. With the feature `tls`.
//!
//! TLS 1.2 and 1.3 of rustls, with the cryptography of ring. Nothing is renegotiated, and no request is taken before the handshake
//! is over: others could send it again (RFC 8446, section 8).

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// How long a handshake may take: a few round trips, which a phone at the edge of its network has done in this time. A third of
/// what a header has.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest certificate chain or key that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Bytes of replies that wait encrypted for their client: two records. They are held in addition to what replies may hold.
const BUFFER_BYTES: usize = 32 * 1024;

/// Names of the protocols in a handshake (RFC 7301, section 6; RFC 9113, section 3.2).
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// A certificate and its key, for [`Listener::with_tls`](crate::serve::Listener::with_tls).
pub struct Tls {
    config: ServerConfig,
    handshake_timeout: Duration,
}

/// What is wrong with a certificate or a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} `{}`", path.display())]
    Unreadable {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read or write the key.
    #[error("the key `{0}` is open to others, with mode {mode:04o}; make it its owner's alone: chmod 600 {0}", path.display())]
    KeyIsOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file is not written as PEM is.
    #[error("the {what} `{}` is not valid PEM: {problem}", path.display())]
    NotPem {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Where it differs.
        problem: &'static str,
    },
    /// There is no certificate in the file.
    #[error("`{}` holds no certificate; expected PEM with `-----BEGIN CERTIFICATE-----`, the server's own first", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in the file.
    #[error("`{}` holds no key; expected PEM with `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, not encrypted", .0.display())]
    NoKey(PathBuf),
    /// The certificate cannot be understood.
    #[error("the certificate `{}` cannot be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The key cannot be understood.
    #[error("the key `{}` cannot be used; expected ECDSA P-256 or P-384, Ed25519, or RSA of 2,048 bits or more", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// They are not a pair.
    #[error("the key `{}` is not that of the certificate `{}`", key.display(), certificate.display())]
    NotAPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl Tls {
    /// Reads a certificate, with those between it and its authority after it, and its key. Both are PEM. They are read once: a new
    /// certificate is served by the next process.
    ///
    /// # Errors
    /// Which file is wrong, and what is wrong with it; a key that others than its owner may read is.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let (chain, private) = (read_certificates(certificate)?, read_key(key)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has what both versions need")
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|source| match source {
                rustls::Error::InconsistentKeys(_) => {
                    TlsError::NotAPair { certificate: certificate.to_owned(), key: key.to_owned() }
                }
                rustls::Error::InvalidCertificate(_) => {
                    TlsError::Certificate { path: certificate.to_owned(), source }
                }
                _ => TlsError::Key { path: key.to_owned(), source },
            })?;
        Ok(Self { config, handshake_timeout: HANDSHAKE_TIMEOUT })
    }

    /// The same, whose handshakes may take so long; ten seconds otherwise.
    #[must_use]
    pub fn with_handshake_timeout(self, handshake_timeout: Duration) -> Self {
        Self { handshake_timeout, ..self }
    }

    /// What takes up connections; clients may ask for HTTP/2 where it is served.
    pub(crate) fn acceptor(self, has_http2: bool) -> Acceptor {
        let Self { mut config, handshake_timeout } = self;
        let protocols: &[&[u8]] = if has_http2 { &[HTTP2, HTTP1] } else { &[HTTP1] };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Acceptor { config: Arc::new(config), handshake_timeout }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key.
        f.debug_struct("Tls").field("handshake_timeout", &self.handshake_timeout).finish_non_exhaustive()
    }
}

/// The server's side of handshakes.
pub(crate) struct Acceptor {
    config: Arc<ServerConfig>,
    handshake_timeout: Duration,
}

/// A connection whose handshake is over.
pub(crate) type TlsIo<I> = TokioIo<TlsStream<TokioIo<I>>>;

impl Acceptor {
    /// The connection once its handshake is over, and whether HTTP/2 was agreed on. `None` where it has failed, or takes too long.
    pub async fn accept<I: Read + Write + Unpin>(&self, io: I) -> Option<(TlsIo<I>, bool)> {
        let acceptor = TlsAcceptor::from(self.config.clone());
        let handshake =
            acceptor.accept_with(TokioIo::new(io), |session| session.set_buffer_limit(Some(BUFFER_BYTES)));
        let done = timeout(self.handshake_timeout, handshake).await;
        telemetry::tls_handshake(match &done {
            Ok(Ok(_)) => "completed",
            Ok(Err(_)) => "failed",
            Err(_) => "timed_out",
        });
        let stream = done.ok()?.ok()?;
        let has_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        Some((TokioIo::new(stream), has_http2))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("handshake_timeout", &self.handshake_timeout).finish_non_exhaustive()
    }
}

/// The bytes of a file, and its permissions at the same moment.
fn read(what: &'static str, path: &Path) -> Result<(Vec<u8>, u32), TlsError> {
    let unreadable = |source| TlsError::Unreadable { what, path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok((bytes, mode & 0o7777))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    const WHAT: &str = "certificate";
    let (bytes, _) = read(WHAT, path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| not_pem(WHAT, path, &error))?;
    if chain.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(chain) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const WHAT: &str = "key";
    let (bytes, mode) = read(WHAT, path)?;
    if mode & 0o077 != 0 {
        return Err(TlsError::KeyIsOpen { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        other => not_pem(WHAT, path, &other),
    })
}

/// The error in words of PEM; nothing of the file itself is shown, which may be a key.
fn not_pem(what: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    let problem = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no `-----END` line",
        pem::Error::IllegalSectionStart { .. } => "a `-----BEGIN` line is broken off",
        pem::Error::Base64Decode(_) => "a section is not written in Base64",
        _ => "it cannot be read to its end",
    };
    TlsError::NotPem { what, path: path.to_owned(), problem }
}
