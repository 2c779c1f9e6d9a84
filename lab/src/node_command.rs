//! `cleave node`: turns the flags of a manually started node into the configuration of a process.

use contract::{ComponentName, Placement, ProcessPlan};
use node::NodeConfig;

use crate::cli;

/// The configuration that the flags ask for.
///
/// # Errors
/// A message with the valid choices.
pub fn config(args: &cli::Node) -> Result<NodeConfig, String> {
    if let Some(path) = &args.config {
        return node::program::read(path);
    }
    node::program::warn_of_secrets(std::env::args_os());
    if args.hosts.is_empty() && !args.gateway && !args.registry_here {
        return Err("nothing to host: add --hosts feed,follower, --gateway or --registry-here".into());
    }
    let components = suite::components();
    let all = args.hosts.iter().any(|host| host == "*");
    let mut hosts: Vec<ComponentName> = Vec::new();
    for host in args.hosts.iter().filter(|host| *host != "*") {
        let known = components.iter().find(|component| component.as_str() == host);
        let names = components.iter().map(|component| component.as_str());
        hosts.push(*known.ok_or_else(|| scenario::source::unknown("component", host, names))?);
    }
    if all {
        hosts.clone_from(&components);
    }
    let name = hosts.first().map_or("gateway", |host| host.as_str()).to_owned();
    let process = ProcessPlan {
        hosts: hosts.clone(),
        gateway: args.gateway,
        registry: args.registry_here,
        ..ProcessPlan::empty(&name)
    };
    // With --registry, other processes host the other components.
    let mut processes = vec![process.clone()];
    if args.registry.is_some() || args.registry_here {
        let rest: Vec<String> =
            components.iter().filter(|c| !hosts.contains(c)).map(ToString::to_string).collect();
        let others = Placement { processes: [("each".to_owned(), rest)].into(), ..Placement::default() };
        let elsewhere: Vec<ComponentName> =
            components.iter().copied().filter(|c| !hosts.contains(c)).collect();
        if !elsewhere.is_empty() {
            processes.extend(
                others.resolve(&elsewhere).unwrap_or_default().into_iter().filter(|p| !p.hosts.is_empty()),
            );
        }
    }
    Ok(NodeConfig {
        instance: format!("{name}#0"),
        process,
        processes,
        registry: args.registry.clone(),
        listen: args.listen,
        public: args.public,
        data: args.data.clone(),
        secret: args.secret.clone(),
        token: args.token.clone(),
        ..NodeConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_manually_started_node_knows_what_the_others_host() {
        let cleave = cli::Cleave::parse_from([
            "cleave",
            "node",
            "--hosts",
            "feed,follower",
            "--registry",
            "127.0.0.1:7000",
        ]);
        let cli::Command::Node(args) = cleave.command else { panic!("a node") };
        let right = config(&args).expect("right");
        assert_eq!(right.hosts().len(), 2);
        assert_eq!(right.processes.len(), 4, "itself and three others");
        let typo = cli::Node { hosts: vec!["fed".into()], ..args };
        assert!(config(&typo).expect_err("no such component").contains("did you mean `feed`"));
    }
}
