//! Runs the behaviour tests of a service on every kind of carrier.
//!
//! - [`client`]: what a test may do with the service, over any carrier: [`Client`].
//! - [`request`]: a REST request and the reply to it.
//! - [`subject`]: the service opened in a temporary folder, with fakes of the components it calls.
//! - [`databases`]: where its data are; with the feature `postgres` also on a server.
//! - [`fakes`]: fakes of other components.
//! - [`in_process`]: the service called by function calls, encoded or not. [`child_process`]: the service's program,
//!   found through a registry, with a database and an outbox on either side.
//!
//! Start with [`on_every_carrier!`]: it turns test bodies into tests.

pub mod child_process;
pub mod client;
pub mod databases;
pub mod fakes;
pub mod in_process;
pub mod request;
pub mod subject;

pub use child_process::ChildProcess;
pub use client::{Client, eventually};
pub use contract::Carrier;
pub use databases::Databases;
pub use in_process::InProcess;
pub use request::{Reply, Request, delete, get, patch, post, put};
pub use subject::Subject;

/// One test per body and carrier, and with the feature `postgres` one on a server. A body is
/// `async fn(client: impl Client)`.
///
/// ```ignore
/// testkit::on_every_carrier!(SUBJECT => a_follow_is_counted_once, following_yourself_is_refused);
/// ```
#[macro_export]
macro_rules! on_every_carrier {
    ($subject:ident => $($story:ident),+ $(,)?) => {
        mod local {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::InProcess::local(&super::$subject).await).await;
            })+
        }
        mod wire {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::InProcess::wire(&super::$subject).await).await;
            })+
        }
        mod process {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::ChildProcess::start(&super::$subject, $crate::Carrier::Json).await).await;
            })+
        }
        mod multiplexed {
            $(#[tokio::test]
            async fn $story() {
                let carrier = $crate::Carrier::Http2Binary;
                super::$story($crate::ChildProcess::start(&super::$subject, carrier).await).await;
            })+
        }
        $crate::on_a_server!($subject => $($story),+);
    };
}

/// The same bodies on a PostgreSQL server, by function calls.
#[cfg(feature = "postgres")]
#[macro_export]
macro_rules! on_a_server {
    ($subject:ident => $($story:ident),+) => {
        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                if let Some(client) = $crate::InProcess::on_server(&super::$subject).await {
                    super::$story(client).await;
                }
            })+
        }
    };
}

/// Without the feature there are none.
#[cfg(not(feature = "postgres"))]
#[macro_export]
macro_rules! on_a_server {
    ($subject:ident => $($story:ident),+) => {};
}
