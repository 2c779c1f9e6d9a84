//! What the behaviour tests of the services stand on: one service on its own ground, reached three ways.
//!
//! - [`client`]: what a story may do to the service, whatever lies between: [`Client`].
//! - [`request`]: a REST request and the reply to it.
//! - [`ground`]: the service opened in a temporary folder, beside fakes for the components it asks.
//! - [`fakes`]: answers of components that are not there.
//! - [`here`]: reached by function calls, encoded or not. [`there`]: a program of its own, found through
//!   a registry, with a database and an outbox on either side.
//!
//! Start with [`on_every_carrier!`]: it turns stories into tests.

pub mod client;
pub mod fakes;
pub mod ground;
pub mod here;
pub mod request;
pub mod there;

pub use client::{Client, eventually};
pub use ground::Subject;
pub use here::Here;
pub use request::{Reply, Request, delete, get, patch, post, put};
pub use there::There;

/// One test per story and carrier. A story is `async fn(client: impl Client)`.
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
                super::$story($crate::Here::local(&super::$subject).await).await;
            })+
        }
        mod wire {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::Here::wire(&super::$subject).await).await;
            })+
        }
        mod process {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::There::start(&super::$subject).await).await;
            })+
        }
    };
}
