//! OTLP's service over gRPC, mounted by hand: the one that tonic generates decodes a request before anything can look at it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::SERVICE_NAME;
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use super::CollectorState;
use super::export::{Export, MAX_BODY_BYTES};

/// The path of its one method, below that of the service.
const EXPORT_METHOD: &str = "/Export";

/// Takes the exports of all nodes.
#[derive(Clone)]
pub(super) struct TraceReceiver(pub Arc<CollectorState>);

impl NamedService for TraceReceiver {
    const NAME: &'static str = SERVICE_NAME;
}

impl UnaryService<Export> for TraceReceiver {
    type Response = ExportTraceServiceResponse;
    type Future = Ready<Result<Response<ExportTraceServiceResponse>, Status>>;

    fn call(&mut self, request: Request<Export>) -> Self::Future {
        self.0.receive(request.into_inner());
        ready(Ok(Response::new(ExportTraceServiceResponse::default())))
    }
}

impl Service<http::Request<Body>> for TraceReceiver {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let receiver = self.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with(EXPORT_METHOD) {
                return Ok(Status::unimplemented("unknown method: send Export").into_http::<Body>());
            }
            let mut grpc = Grpc::new(ExportCodec)
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MAX_BODY_BYTES);
            Ok(grpc.unary(receiver, request).await)
        })
    }
}

/// Exports in, empty responses out.
#[derive(Clone, Copy)]
struct ExportCodec;

impl Codec for ExportCodec {
    type Encode = ExportTraceServiceResponse;
    type Decode = Export;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for ExportCodec {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn encode(&mut self, response: ExportTraceServiceResponse, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        response.encode(to).map_err(|why| Status::internal(why.to_string()))
    }
}

impl Decoder for ExportCodec {
    type Item = Export;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Export>, Status> {
        let body = from.copy_to_bytes(from.remaining());
        Export::decode(body).map(Some).map_err(Status::invalid_argument)
    }
}
