//! The photo service as a program of its own.

fn main() -> std::process::ExitCode {
    node::program(&photo::SERVICE)
}
