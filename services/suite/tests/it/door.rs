//! The gateway as a program: it listens before it knows any instance, and responds that none is known.

use crate::program::{Program, get};

#[test]
fn a_door_that_leads_nowhere_yet_refuses_in_a_sentence() {
    let gateway = Program::start(env!("CARGO_BIN_EXE_gateway"));
    let (listen, public) = (&gateway.listen, &gateway.public);
    assert!(get(listen, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(listen, "/metrics").contains("cleave_tokio_workers"));
    let refused = get(public, "/v1/photos/1");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\"message\""), "{refused}");
    assert!(get(public, "/metrics").starts_with("HTTP/1.1 404"), "what is inside is not for the public");
}
