//! Frames against the accept loop: what one client may do with its streams, and that it costs the others nothing.

use std::time::Duration;

use contract::Carrier;
use tokio::net::TcpStream;
use tokio::time::timeout;
use transport::Instance;
use transport::codec::Codec;
use transport::serve::{self, Server, StreamLimits};

use crate::frames::{
    CANCEL, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS,
    PREFACE, REFUSED_STREAM, RST_STREAM, SETTINGS, frame, header_block,
};
use crate::pair::{GREETER, Greet, PATIENCE, Pair, TOKEN, options, patient, until};

/// A greeter served with these options.
async fn served(options: serve::Options) -> (Pair, Server) {
    let pair = Pair::start(Carrier::Http2Binary).await;
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let server = serve::serve(&pair.tasks, listener, pair.there.router(), options);
    pair.clusters.get(GREETER).update(vec![Instance::new("greeter#1", server.addr())]);
    (pair, server)
}

fn usual() -> serve::Options {
    options(Carrier::Http2Binary)
}

/// A client whose settings are these.
async fn client(server: &Server, settings: &[u8]) -> Connection {
    let mut connection = Connection(TcpStream::connect(server.addr()).await.expect("it accepts"));
    connection.write(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await.expect("written");
    connection
}

fn head_of(name: &str, token: &str) -> Vec<u8> {
    header_block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "greeter"),
        (":path", &format!("/call/{name}")),
        ("content-type", Codec::Postcard.content_type()),
        ("x-cleave-token", token),
    ])
}

/// A call without a body.
fn call(stream: u32, name: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head_of(name, TOKEN))
}

/// The next frame of a kind, in time.
async fn read_until(connection: &mut Connection, kind: u8) -> crate::frames::Frame {
    let frame = timeout(PATIENCE, connection.read_until(kind)).await.expect("it does not take long");
    frame.expect("the connection is open until then")
}

/// Reads until the server closes.
async fn is_closed(connection: &mut Connection) {
    let end = async { while connection.read().await.is_ok() {} };
    timeout(PATIENCE, end).await.expect("closed");
}

/// Another client of the same server is served as ever.
async fn others_are_served(pair: &Pair) {
    pair.greet(&patient()).await.expect("an answer");
}

#[tokio::test]
async fn calls_need_the_runs_token() {
    let (pair, server) = served(usual()).await;
    let mut stranger = client(&server, &[]).await;
    let call = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head_of("greeter.ponder", "guessed"));
    stranger.write(&call).await.expect("written");
    let answer = read_until(&mut stranger, DATA).await;
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(text.contains("\"code\":\"run_token_required\""), "{text}");
    assert_eq!(pair.greeter.begun(), 0);
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let limits = StreamLimits { max_streams: 4, ..StreamLimits::default() };
    let (pair, server) = served(serve::Options { http2: Some(limits), ..usual() }).await;
    let mut greedy = client(&server, &[]).await;
    let calls: Vec<_> = (0..6).flat_map(|number| call(2 * number + 1, "greeter.ponder")).collect();
    greedy.write(&calls).await.expect("written");
    for stream in [9, 11] {
        let refused = read_until(&mut greedy, RST_STREAM).await;
        assert_eq!((refused.stream, refused.number(0)), (stream, REFUSED_STREAM));
    }
    until("four are at work", || pair.greeter.begun() == 4).await;
    others_are_served(&pair).await;
    assert_eq!(server.connections(), 2, "nothing has been closed");
}

#[tokio::test]
async fn an_address_has_no_more_requests_at_work_than_it_may_have_connections() {
    let connection_limits =
        serve::ConnectionLimits { per_address: Some(3), ..serve::ConnectionLimits::SHARED };
    of_four_requests_three_are_at_work(serve::Options { connection_limits, ..usual() }).await;
}

#[tokio::test]
async fn all_addresses_have_no_more_requests_at_work_than_there_may_be_connections() {
    of_four_requests_three_are_at_work(serve::Options { max_connections: 3, ..usual() }).await;
}

/// Over two connections.
async fn of_four_requests_three_are_at_work(options: serve::Options) {
    let (pair, server) = served(options).await;
    let (mut one, mut other) = (client(&server, &[]).await, client(&server, &[]).await);
    let ponder = |number: u32| call(2 * number + 1, "greeter.ponder");
    one.write(&[ponder(0), ponder(1)].concat()).await.expect("written");
    until("two are at work", || pair.greeter.begun() == 2).await;
    other.write(&[ponder(0), ponder(1)].concat()).await.expect("written");
    let refused = read_until(&mut other, RST_STREAM).await;
    assert_eq!((refused.stream, refused.number(0)), (3, REFUSED_STREAM));
    until("three are at work", || pair.greeter.begun() == 3).await;
    // They are given up with their connections, and leave room for another client.
    drop((one, other));
    until("both have left", || server.connections() == 0).await;
    others_are_served(&pair).await;
}

#[tokio::test]
async fn half_a_header_is_closed_in_time() {
    // Long enough for those that send it: another client is served below.
    let options = serve::Options { header_timeout: Duration::from_secs(1), ..usual() };
    let (pair, server) = served(options).await;
    let mut slow = client(&server, &[]).await;
    slow.write(&frame(HEADERS, END_STREAM, 1, &head_of("greeter.greet", TOKEN))).await.expect("written");
    let mut silent = client(&server, &[]).await;
    let mut barely = Connection(TcpStream::connect(server.addr()).await.expect("it accepts"));
    barely.write(&PREFACE[..9]).await.expect("written");
    for connection in [&mut slow, &mut silent, &mut barely] {
        is_closed(connection).await;
    }
    assert_eq!(pair.greeter.begun(), 0);
    others_are_served(&pair).await;
}

#[tokio::test]
async fn a_header_without_end_is_closed() {
    let (pair, server) = served(usual()).await;
    let mut endless = client(&server, &[]).await;
    let piece = frame(CONTINUATION, 0, 1, &header_block(&[("x-more", "and more")]));
    let pieces = piece.repeat(20_000);
    let head = frame(HEADERS, 0, 1, &head_of("greeter.ponder", TOKEN));
    // The server may close before all of it is written.
    let _closed = endless.write(&[head, pieces].concat()).await;
    is_closed(&mut endless).await;
    assert_eq!(pair.greeter.begun(), 0);
    others_are_served(&pair).await;
}

/// The call of a number, and its reset.
fn given_up(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    [call(stream, "greeter.ponder"), frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
}

#[tokio::test]
async fn calls_that_are_given_up_before_they_are_taken_up_cost_no_other() {
    let (_pair, server) = served(usual()).await;
    let mut caller = client(&server, &[]).await;
    // As many as a pool has under way, all found at once by a callee that stood still; and one that is still waited for.
    let calls: Vec<_> = (0..64).flat_map(given_up).collect();
    let body = Codec::Postcard.encode(&Greet { name: "ada".into(), times: 1 });
    let head = frame(HEADERS, END_HEADERS, 129, &head_of("greeter.greet", TOKEN));
    let last = [head, frame(DATA, END_STREAM, 129, &body)].concat();
    caller.write(&[calls, last].concat()).await.expect("written");
    assert_eq!(read_until(&mut caller, DATA).await.stream, 129);
    assert_eq!(server.connections(), 1, "nothing has been closed");
}

#[tokio::test]
async fn streams_that_are_opened_to_be_reset_end_the_connection() {
    let limits = StreamLimits { max_streams: 20, ..StreamLimits::default() };
    let (pair, server) = served(serve::Options { http2: Some(limits), ..usual() }).await;
    let mut rapid = client(&server, &[]).await;
    let flood: Vec<_> = (0..1_000).flat_map(given_up).collect();
    let _closed = rapid.write(&flood).await;
    let end = read_until(&mut rapid, GOAWAY).await;
    assert_eq!(end.number(4), ENHANCE_YOUR_CALM);
    is_closed(&mut rapid).await;
    assert!(pair.greeter.begun() < 100, "{} of a thousand", pair.greeter.begun());
    others_are_served(&pair).await;
    until("none of them is held", || server.connections() == 1).await;
}

#[tokio::test]
async fn a_reply_that_is_not_taken_ends_and_gives_back_what_it_holds() {
    replies_that_are_not_taken_end(None).await;
}

#[tokio::test]
async fn so_does_one_whose_reader_has_a_rate_to_keep() {
    let grace = policy::units::HumanDuration::from_millis(100);
    replies_that_are_not_taken_end(Some(policy::MinimumRate { grace, bytes_per_s: 1 << 20 })).await;
}

async fn replies_that_are_not_taken_end(read_rate: Option<policy::MinimumRate>) {
    let limits = StreamLimits { longest_stream: Duration::from_secs(1), ..StreamLimits::default() };
    let (pair, server) = served(serve::Options { http2: Some(limits), read_rate, ..usual() }).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 16: no more of a reply is ever let through.
    let mut slow = client(&server, &[0, 4, 0, 0, 0, 16]).await;
    let body = Codec::Postcard.encode(&Greet { name: "ada".into(), times: 100_000 });
    let calls = (0..8).flat_map(|number| {
        let stream = 2 * number + 1;
        let head = frame(HEADERS, END_HEADERS, stream, &head_of("greeter.greet", TOKEN));
        [head, frame(DATA, END_STREAM, stream, &body)].concat()
    });
    let calls: Vec<_> = calls.collect();
    slow.write(&calls).await.expect("written");
    // From the first of them on: before the last has been answered, the first may have ended.
    until("a reply is held", || server.held_reply_bytes() > 0).await;
    until("all are answered", || pair.greeter.done() >= 8).await;
    others_are_served(&pair).await;
    for _ in 0..8 {
        let reset = read_until(&mut slow, RST_STREAM).await;
        assert_eq!(reset.number(0), CANCEL);
    }
    until("nothing is held", || server.held_reply_bytes() == 0).await;
    others_are_served(&pair).await;
}
