//! Why servers of databases and of events cannot be had.

use std::error::Error;
use std::io;

use crate::arm::server_product::ServerProduct;

/// Why a topology's servers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program cannot speak to them.
    #[error(
        "arm `{arm}` {}, and this program was built without it; build it with `cargo build --release --features {}`",
        product.need(),
        product.feature()
    )]
    NotBuilt {
        /// Which.
        arm: String,
        /// What it was built without.
        product: ServerProduct,
    },
    /// They are not on this machine, or do not start.
    #[error("arm `{arm}` {}: {reason}", product.need())]
    Unavailable {
        /// Which.
        arm: String,
        /// What is not there.
        product: ServerProduct,
        /// Why.
        reason: String,
    },
    /// One that is there already cannot be used.
    #[error("{}: {reason}", product.option())]
    Given {
        /// What it is.
        product: ServerProduct,
        /// Why, and what to do.
        reason: String,
    },
    /// What stands between them and the processes.
    #[error(
        "arm `{arm}`: the proxy before its {} server cannot listen; if its path is too long, give a shorter folder with --out",
        product.name()
    )]
    Proxy {
        /// Which.
        arm: String,
        /// What it stands before.
        product: ServerProduct,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// They start, and refuse.
    #[error("the {} server of arm `{arm}` refused", product.name())]
    Refused {
        /// Which.
        arm: String,
        /// What refused.
        product: ServerProduct,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
