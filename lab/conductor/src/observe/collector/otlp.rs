//! OTLP over gRPC and HTTP, as the specification has them (OpenTelemetry Protocol 1.9, "OTLP/gRPC", "OTLP/HTTP"):
//! protobuf, plain or gzip. Loopback only: a local process may add spans through these ports, and nothing else.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use runtime::{ShutdownPolicy, Tasks};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use super::CollectorState;
use super::export::{Export, MAX_BODY_BYTES};
use super::grpc::TraceReceiver;

/// OTLP over HTTP in binary protobuf.
const PROTOBUF: &str = "application/x-protobuf";

/// Takes spans over gRPC; returns where.
pub(super) async fn grpc(tasks: &Tasks, shared: Arc<CollectorState>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    let serving = tonic::transport::Server::builder()
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
    let router = Router::new()
        .route("/v1/traces", post(traces))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(shared);
    tasks.spawn("lab.otlp.http", ShutdownPolicy::Cancel, async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(at)
}

async fn traces(State(shared): State<Arc<CollectorState>>, headers: HeaderMap, body: Bytes) -> Response {
    let of = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match export(of(CONTENT_TYPE), of(CONTENT_ENCODING), body) {
        Ok(export) => {
            shared.receive(export);
            let response = ExportTraceServiceResponse::default().encode_to_vec();
            ([(CONTENT_TYPE, PROTOBUF)], response).into_response()
        }
        Err((status, reason)) => rejection(status, reason),
    }
}

/// An export from the body of a request and what its headers declare of it; else the status and the reason of a refusal.
pub(super) fn export(
    content_type: &str,
    content_encoding: &str,
    body: Bytes,
) -> Result<Export, (StatusCode, String)> {
    let content = content_type.split(';').next().unwrap_or_default().trim();
    if content != PROTOBUF {
        let reason = format!("unsupported content type `{content}`: send {PROTOBUF}");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let plain = match content_encoding {
        "" | "identity" => body,
        "gzip" => gunzip(&body)?,
        other => {
            let reason = format!("unsupported content encoding `{other}`: send gzip or none");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
    };
    Export::decode(plain).map_err(|reason| (StatusCode::BAD_REQUEST, reason))
}

fn rejection(status: StatusCode, why: String) -> Response {
    (status, why).into_response()
}

/// At most [`MAX_BODY_BYTES`] bytes of it: a small body may unpack to anything.
fn gunzip(body: &[u8]) -> Result<Bytes, (StatusCode, String)> {
    let mut plain = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(body).take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut plain);
    unpacked.map_err(|why| (StatusCode::BAD_REQUEST, format!("invalid gzip body: {why}")))?;
    if plain.len() > MAX_BODY_BYTES {
        let reason = format!("the body unpacks to more than {} MiB", MAX_BODY_BYTES >> 20);
        return Err((StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use http_body_util::{BodyExt, Full};
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use tonic::codec::CompressionEncoding;

    use super::*;
    use crate::observe::collector::Collector;
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
}
