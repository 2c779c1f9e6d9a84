//! The gateway as a program of its own. It knows every service's routes, and none of their rules runs here.

fn main() -> std::process::ExitCode {
    node::program::gateway(Box::new(suite::door::FrontDoor))
}
