//! OTLP's service over gRPC, mounted by hand: the one that tonic generates decodes a request before anything can look at it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use futures_util::StreamExt;
use http_body_util::{BodyStream, StreamBody};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::SERVICE_NAME;
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use super::CollectorState;
use super::export::{Export, ExportRefusal, MAX_BODY_BYTES, NO_ROOM};
use super::room::ExportRoom;

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
            // Until its spans have been taken over.
            let room = receiver.0.budget.reserve();
            let request = request.map(|body| counted(body, room.clone()));
            let mut grpc = Grpc::new(ExportCodec { room })
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MAX_BODY_BYTES);
            Ok(grpc.unary(receiver, request).await)
        })
    }
}

/// A body that ends where there is no room for more of it.
fn counted(body: Body, room: ExportRoom) -> Body {
    let frames = BodyStream::new(body).map(move |frame| {
        let frame = frame?;
        let has_room = frame.data_ref().is_none_or(|data| room.grow(data.len()));
        if has_room { Ok(frame) } else { Err(no_room()) }
    });
    Body::new(StreamBody::new(frames))
}

/// That the exporter may send it again (OTLP, "OTLP/gRPC Throttling").
fn no_room() -> Status {
    Status::unavailable(NO_ROOM)
}

/// Exports in, empty responses out.
struct ExportCodec {
    room: ExportRoom,
}

/// Empty responses.
struct ResponseEncoder;

/// Exports, as far as there is room for them.
struct ExportDecoder {
    room: ExportRoom,
}

impl Codec for ExportCodec {
    type Encode = ExportTraceServiceResponse;
    type Decode = Export;
    type Encoder = ResponseEncoder;
    type Decoder = ExportDecoder;

    fn encoder(&mut self) -> ResponseEncoder {
        ResponseEncoder
    }

    fn decoder(&mut self) -> ExportDecoder {
        ExportDecoder { room: self.room.clone() }
    }
}

impl Encoder for ResponseEncoder {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn encode(&mut self, response: ExportTraceServiceResponse, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        response.encode(to).map_err(|why| Status::internal(why.to_string()))
    }
}

impl Decoder for ExportDecoder {
    type Item = Export;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Export>, Status> {
        let body = from.copy_to_bytes(from.remaining());
        match Export::decode(body, &self.room) {
            Ok(export) => Ok(Some(export)),
            Err(ExportRefusal::Invalid(why)) => Err(Status::invalid_argument(why)),
            Err(ExportRefusal::NoRoom) => Err(no_room()),
        }
    }
}
