//! A port, and whether what comes there is encrypted.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}; is another program using the port?")]
pub struct BindError {
    /// Which address.
    pub addr: SocketAddr,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

/// Opens a port; 0 takes any free one.
///
/// # Errors
/// When the port is taken, or not allowed.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(addr).await.map_err(|source| BindError { addr, source })
}

/// A port that is listened on: a [`TcpListener`], or one with a certificate.
#[derive(Debug)]
pub struct Listener {
    pub(super) tcp: TcpListener,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<crate::tls::Tls>,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self {
            tcp,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

#[cfg(feature = "tls")]
impl Listener {
    /// The same port, with this certificate: what does not begin with a handshake is closed.
    #[must_use]
    pub fn with_tls(self, tls: crate::tls::Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }
}
