//! A call of any type as bytes: decoded, answered, encoded.

use std::sync::Arc;

use bytes::Bytes;
use contract::{Call, CallContext, ComponentName, Pending, Refusal};
use telemetry::ServerMetrics;

use crate::carrier::{CallHandler, callee};
use crate::codec::Codec;

/// A call that is answered here, as bytes.
pub(crate) struct CallRoute {
    pub component: ComponentName,
    /// `/call/{NAME}`, which is also its route in metrics and spans.
    pub route: String,
    pub raw_handler: Box<dyn RawCallHandler>,
    pub metrics: Arc<ServerMetrics>,
}

/// A call of any type, arriving as bytes.
pub(crate) trait RawCallHandler: Send + Sync {
    fn name(&self) -> &'static str;
    fn component(&self) -> ComponentName;
    fn handle_raw<'a>(&'a self, cx: &'a CallContext, codec: Codec, body: Bytes) -> Pending<'a, Bytes>;
}

/// Decodes, lets the component answer, encodes.
pub(crate) struct DecodingHandler<C: Call>(Arc<CallHandler<C>>);

impl<C: Call> DecodingHandler<C> {
    pub fn new(handler: Arc<CallHandler<C>>) -> Self {
        Self(handler)
    }
}

impl<C: Call> RawCallHandler for DecodingHandler<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn component(&self) -> ComponentName {
        callee::<C>()
    }

    fn handle_raw<'a>(&'a self, cx: &'a CallContext, codec: Codec, body: Bytes) -> Pending<'a, Bytes> {
        Box::pin(async move {
            let call = codec.decode(&body).map_err(|why| {
                let cause = std::error::Error::source(&why).map(ToString::to_string).unwrap_or_default();
                Refusal::bad_request("call_unreadable", format!("`{}`: {why}: {cause}", C::NAME))
            })?;
            let reply = self.0.handle(cx, call).await?;
            Ok(codec.encode(&reply))
        })
    }
}

impl CallRoute {
    pub fn new(raw_handler: impl RawCallHandler + 'static) -> Self {
        let (component, route) = (raw_handler.component(), format!("/call/{}", raw_handler.name()));
        let metrics = ServerMetrics::of(component, "POST", &route);
        Self { component, route, raw_handler: Box::new(raw_handler), metrics }
    }
}
