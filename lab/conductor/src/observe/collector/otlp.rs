//! OTLP over gRPC and HTTP, as the specification has them (OpenTelemetry Protocol 1.9, "OTLP/gRPC", "OTLP/HTTP"):
//! protobuf, plain or gzip. Loopback only: a local process may add spans through these ports, and nothing else.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use runtime::{ShutdownPolicy, Tasks};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::transport::server::TcpIncoming;

use super::CollectorState;
use super::export::{Export, ExportRefusal, MAX_BODY_BYTES, NO_ROOM};
use super::grpc::TraceReceiver;
use super::room::ExportRoom;

/// Longest that an export may take to come: it takes room meanwhile. Exporters give up after a third of it
/// (`OTEL_EXPORTER_OTLP_TIMEOUT`).
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);
/// OTLP over HTTP in binary protobuf.
const PROTOBUF: &str = "application/x-protobuf";

/// Takes spans over gRPC; returns where.
pub(super) async fn grpc(tasks: &Tasks, shared: Arc<CollectorState>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    let serving = tonic::transport::Server::builder()
        .timeout(RECEIVE_TIMEOUT)
        .add_service(TraceReceiver(shared))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tasks.spawn("lab.otlp.grpc", ShutdownPolicy::Cancel, async move {
        // Ends with the run; a broken connection is counted by its node.
        let _ = serving.await;
    });
    Ok(at)
}

/// Takes spans over HTTP; returns where.
pub(super) async fn http(tasks: &Tasks, shared: Arc<CollectorState>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    let router = Router::new().route("/v1/traces", post(traces)).with_state(shared);
    tasks.spawn("lab.otlp.http", ShutdownPolicy::Cancel, async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(at)
}

async fn traces(State(shared): State<Arc<CollectorState>>, headers: HeaderMap, body: Body) -> Response {
    // Until its spans have been taken over.
    let room = shared.budget.reserve();
    let body = match read(body, &room).await {
        Ok(body) => body,
        Err((status, reason)) => return rejection(status, reason),
    };
    let of = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match export(of(CONTENT_TYPE), of(CONTENT_ENCODING), body, &room) {
        Ok(export) => {
            shared.receive(export);
            let response = ExportTraceServiceResponse::default().encode_to_vec();
            ([(CONTENT_TYPE, PROTOBUF)], response).into_response()
        }
        Err((status, reason)) => rejection(status, reason),
    }
}

/// All of a body, where there is room for as much as it is declared to have, or else for the longest.
async fn read(body: Body, room: &ExportRoom) -> Result<Bytes, (StatusCode, String)> {
    let declared = body.size_hint().exact().map_or(Some(MAX_BODY_BYTES), |bytes| usize::try_from(bytes).ok());
    let Some(declared) = declared.filter(|bytes| *bytes <= MAX_BODY_BYTES) else { return Err(too_long()) };
    if !room.grow(declared) {
        return Err(no_room());
    }
    let read = match timeout(RECEIVE_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(read)) => read.to_bytes(),
        Ok(Err(why)) if why.is::<LengthLimitError>() => return Err(too_long()),
        Ok(Err(why)) => return Err((StatusCode::BAD_REQUEST, format!("the body broke off: {why}"))),
        Err(_) => {
            return Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned()));
        }
    };
    room.shrink(declared.saturating_sub(read.len()));
    Ok(read)
}

fn too_long() -> (StatusCode, String) {
    (StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {} MiB", MAX_BODY_BYTES >> 20))
}

/// That the exporter may send it again (OTLP, "OTLP/HTTP Throttling").
fn no_room() -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, NO_ROOM.to_owned())
}

/// An export from the body of a request and what its headers declare of it; else the status and the reason of a refusal.
/// `room` has the body already.
pub(super) fn export(
    content_type: &str,
    content_encoding: &str,
    body: Bytes,
    room: &ExportRoom,
) -> Result<Export, (StatusCode, String)> {
    let content = content_type.split(';').next().unwrap_or_default().trim();
    if content != PROTOBUF {
        let reason = format!("unsupported content type `{content}`: send {PROTOBUF}");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let plain = match content_encoding {
        "" | "identity" => body,
        "gzip" => gunzip(&body, room)?,
        other => {
            let reason = format!("unsupported content encoding `{other}`: send gzip or none");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
    };
    Export::decode(plain, room).map_err(|refusal| match refusal {
        ExportRefusal::Invalid(reason) => (StatusCode::BAD_REQUEST, reason),
        ExportRefusal::NoRoom => no_room(),
    })
}

fn rejection(status: StatusCode, why: String) -> Response {
    let mut response = (status, why).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// At most [`MAX_BODY_BYTES`] bytes of it: a small body may unpack to anything.
fn gunzip(body: &[u8], room: &ExportRoom) -> Result<Bytes, (StatusCode, String)> {
    if !room.grow(MAX_BODY_BYTES) {
        return Err(no_room());
    }
    let mut plain = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(body).take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut plain);
    unpacked.map_err(|why| (StatusCode::BAD_REQUEST, format!("invalid gzip body: {why}")))?;
    if plain.len() > MAX_BODY_BYTES {
        let reason = format!("the body unpacks to more than {} MiB", MAX_BODY_BYTES >> 20);
        return Err((StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    room.shrink(MAX_BODY_BYTES - plain.len());
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http_body_util::Full;
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tonic::codec::CompressionEncoding;

    use super::*;
    use crate::observe::collector::Collector;
    use crate::observe::collector::room::MAX_BYTES;
    use crate::observe::record_writer::RecordWriter;

    /// Three spans.
    fn export() -> ExportTraceServiceRequest {
        let span = |id: u8| Span { trace_id: vec![7; 16], span_id: vec![id; 8], ..Span::default() };
        let scope = ScopeSpans { spans: (1..=3).map(span).collect(), ..ScopeSpans::default() };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }],
        }
    }

    /// So many that they take some 400 KB of a body, and much more when decoded.
    fn empty_spans() -> ExportTraceServiceRequest {
        let mut request = export();
        request.resource_spans[0].scope_spans[0].spans = vec![Span::default(); 200_000];
        request
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(plain).expect("memory");
        packed.finish().expect("memory")
    }

    async fn collector(tasks: &Tasks) -> (Collector, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = record::Writer::create(&folder.path().join("run.jsonl")).expect("a record");
        let record = RecordWriter::new(runtime::clock::now(), writer);
        let started = Collector::start(tasks, record, Vec::new(), None).await;
        (started.expect("a free port"), folder)
    }

    async fn post(
        tasks: &Tasks,
        to: SocketAddr,
        content: &str,
        encoding: &str,
        body: Vec<u8>,
    ) -> (u16, String) {
        let stream = tokio::net::TcpStream::connect(to).await.expect("it listens");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tasks.spawn("test.connection", ShutdownPolicy::Cancel, async move {
            // The sender gets its error.
            let _ = connection.await;
        });
        let request = hyper::Request::post("/v1/traces")
            .header("host", "lab")
            .header("content-type", content)
            .header("content-encoding", encoding)
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    #[tokio::test]
    async fn spans_come_in_by_grpc_and_http_plain_and_packed() {
        let tasks = Tasks::new();
        let (collector, _folder) = collector(&tasks).await;
        let plain = export().encode_to_vec();
        assert_eq!(post(&tasks, collector.http, PROTOBUF, "identity", plain.clone()).await.0, 200);
        assert_eq!(post(&tasks, collector.http, PROTOBUF, "gzip", gzip(&plain)).await.0, 200);
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", collector.grpc))
            .expect("an address");
        let client = TraceServiceClient::new(channel.connect().await.expect("it listens"));
        let mut packed = client.clone().send_compressed(CompressionEncoding::Gzip);
        packed.export(export()).await.expect("taken");
        client.clone().export(export()).await.expect("taken");
        assert_eq!(collector.finish().await.spans, 12);
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn an_invalid_export_is_refused_and_adds_no_span() {
        let tasks = Tasks::new();
        let (collector, _folder) = collector(&tasks).await;
        let plain = export().encode_to_vec();
        let bomb = gzip(&vec![0; MAX_BODY_BYTES + 1]);
        let empty = empty_spans().encode_to_vec();
        for (content, encoding, body, status, word) in [
            ("application/json", "identity", b"{}".to_vec(), 415, "application/x-protobuf"),
            (PROTOBUF, "zstd", plain.clone(), 415, "gzip"),
            (PROTOBUF, "gzip", plain, 400, "invalid gzip"),
            (PROTOBUF, "gzip", bomb, 413, "16 MiB"),
            (PROTOBUF, "gzip", gzip(&empty), 400, "when decoded"),
            (PROTOBUF, "identity", empty, 400, "when decoded"),
            (PROTOBUF, "identity", vec![0xff; 20], 400, "ExportTraceServiceRequest"),
        ] {
            let (answered, text) = post(&tasks, collector.http, content, encoding, body).await;
            assert_eq!(answered, status, "{text}");
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(collector.finish().await.spans, 0);
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn grpc_refuses_what_decodes_to_too_much_and_goes_on() {
        let tasks = Tasks::new();
        let (collector, _folder) = collector(&tasks).await;
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", collector.grpc))
            .expect("an address");
        let mut client = TraceServiceClient::new(channel.connect().await.expect("it listens"));
        let refusal = client.export(empty_spans()).await.expect_err("it is refused");
        assert_eq!(refusal.code(), tonic::Code::InvalidArgument, "{refusal}");
        client.export(export()).await.expect("taken");
        assert_eq!(collector.finish().await.spans, 3);
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn an_export_for_which_there_is_no_room_may_come_again() {
        let tasks = Tasks::new();
        let (collector, _folder) = collector(&tasks).await;
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", collector.grpc))
            .expect("an address");
        let mut client = TraceServiceClient::new(channel.connect().await.expect("it listens"));
        let plain = export().encode_to_vec();
        let others = collector.shared.budget.reserve();
        assert!(others.grow(MAX_BYTES - 1));
        // First there is no room for a body, then none for what is in it.
        for freed in [0, plain.len() - 1] {
            others.shrink(freed);
            let (status, text) = post(&tasks, collector.http, PROTOBUF, "identity", plain.clone()).await;
            assert_eq!((status, text.as_str()), (503, NO_ROOM));
            let (status, text) = post(&tasks, collector.http, PROTOBUF, "gzip", gzip(&plain)).await;
            assert_eq!((status, text.as_str()), (503, NO_ROOM));
            let refusal = client.export(export()).await.expect_err("there is no room");
            assert_eq!((refusal.code(), refusal.message()), (tonic::Code::Unavailable, NO_ROOM));
        }
        drop(others);
        assert_eq!(post(&tasks, collector.http, PROTOBUF, "identity", plain).await.0, 200);
        client.export(export()).await.expect("taken");
        assert!(collector.shared.budget.reserve().grow(MAX_BYTES), "all of it is free again");
        assert_eq!(collector.finish().await.spans, 6);
        tasks.finish(Duration::from_secs(1)).await;
        assert_eq!(rejection(StatusCode::SERVICE_UNAVAILABLE, String::new()).headers()[RETRY_AFTER], "1");
    }

    #[tokio::test]
    async fn a_body_that_is_declared_to_be_too_long_is_not_read() {
        let tasks = Tasks::new();
        let (collector, _folder) = collector(&tasks).await;
        let mut stream = tokio::net::TcpStream::connect(collector.http).await.expect("it listens");
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: lab\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            MAX_BODY_BYTES + 1
        );
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        tasks.finish(Duration::from_secs(1)).await;
    }
}
