//! The feed service as a program of its own.

fn main() -> std::process::ExitCode {
    node::program(&feed::SERVICE)
}
