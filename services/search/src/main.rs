//! The search service as a program of its own.

fn main() -> std::process::ExitCode {
    node::program(&search::SERVICE)
}
