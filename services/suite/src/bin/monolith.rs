//! The whole application as one program: every service and the gateway, and nothing of the lab.

use contract::{ComponentName, ProcessPlan};

fn main() -> std::process::ExitCode {
    let whole = ProcessPlan {
        hosts: suite::components(),
        gateway: true,
        ..ProcessPlan::holding(ComponentName::of("app"))
    };
    node::program::monolith(whole, suite::contents::parts)
}
