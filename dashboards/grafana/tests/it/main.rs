//! Dashboards, figures and the files around them, without Grafana. With a Prometheus they are tried in `lab`.

mod dashboards;
mod figures;
mod fixture;
mod setup;
mod suite;
