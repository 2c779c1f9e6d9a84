//! A node that somebody starts by hand: what its flags ask for, as the configuration of a process.

use contract::{ComponentName, Placement};
use node::NodeConfig;

use crate::cli;

/// The configuration a node is asked to run.
///
/// # Errors
/// A sentence with what is wrong and the right choices.
pub fn config(asked: &cli::Node) -> Result<NodeConfig, String> {
    if let Some(path) = &asked.config {
        return node::program::read(path);
    }
    if asked.hosts.is_empty() && !asked.gateway && !asked.registry_here {
        return Err("a node holds something: --hosts feed,follower, --gateway or --registry-here".into());
    }
    let components = suite::components();
    let all = asked.hosts.iter().any(|host| host == "*");
    let mut hosts: Vec<ComponentName> = Vec::new();
    for host in asked.hosts.iter().filter(|host| *host != "*") {
        let known = components.iter().find(|component| component.as_str() == host);
        let names = components.iter().map(|component| component.as_str());
        hosts.push(*known.ok_or_else(|| scenario::source::unknown("component", host, names))?);
    }
    if all {
        hosts.clone_from(&components);
    }
    let name = hosts.first().map_or("gateway", |host| host.as_str()).to_owned();
    let process = contract::ProcessPlan {
        name: name.clone(),
        hosts: hosts.clone(),
        gateway: asked.gateway,
        registry: asked.registry_here,
        replicas: 1,
    };
    // Whoever starts nodes by hand says by --registry that others hold the rest.
    let mut processes = vec![process.clone()];
    if asked.registry.is_some() || asked.registry_here {
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
        registry: asked.registry.clone(),
        listen: asked.listen,
        public: asked.public,
        data: asked.data.clone(),
        secret: asked.secret.clone(),
        token: asked.token.clone(),
        ..NodeConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_node_by_hand_knows_what_others_hold() {
        let cleave = cli::Cleave::parse_from([
            "cleave",
            "node",
            "--hosts",
            "feed,follower",
            "--registry",
            "127.0.0.1:7000",
        ]);
        let cli::Command::Node(asked) = cleave.command else { panic!("a node") };
        let right = config(&asked).expect("right");
        assert_eq!(right.hosts().len(), 2);
        assert_eq!(right.processes.len(), 4, "itself and three others");
        let typo = cli::Node { hosts: vec!["fed".into()], ..asked };
        assert!(config(&typo).expect_err("no such component").contains("did you mean `feed`"));
    }
}
