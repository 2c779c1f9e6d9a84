//! The registry as a program of its own.

fn main() -> std::process::ExitCode {
    node::program::registry()
}
