//! `compose.yaml`, the Dockerfile and what they mount: read as data, since not every machine has a container engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use crate::suite::wait_for;

/// Parts of the suite, each in a container of its own.
pub const PARTS: [&str; 7] = ["registry", "gateway", "profile", "follower", "feed", "search", "photo"];
/// The container that lists them for Prometheus.
const LIST: &str = "suite-targets";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> Yaml {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
    let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
    merged(documents.into_iter().next().unwrap_or_else(|| panic!("{file} is empty")))
}

/// With merge keys (`<<`) carried out, as compose does: a key of one's own stays.
fn merged(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::Hash(pairs) => {
            let mut all = yaml_rust2::yaml::Hash::new();
            let mut taken = Vec::new();
            for (key, value) in pairs {
                if key.as_str() == Some("<<") {
                    taken.extend(merged(value).into_hash().expect("only mappings are merged"));
                } else {
                    all.insert(key, merged(value));
                }
            }
            for (key, value) in taken {
                all.entry(key).or_insert(value);
            }
            Yaml::Hash(all)
        }
        Yaml::Array(items) => Yaml::Array(items.into_iter().map(merged).collect()),
        other => other,
    }
}

fn texts(yaml: &Yaml) -> Vec<&str> {
    yaml.as_vec().map(|items| items.iter().filter_map(Yaml::as_str).collect()).unwrap_or_default()
}

/// What a part gets from its environment; a variable of the user's has its default.
pub fn environment(part: &str) -> Vec<(String, String)> {
    let (_, service) = services().into_iter().find(|(name, _)| name == part).expect("a part");
    let reported = service["environment"].as_hash().expect("an environment").clone();
    let text = |yaml: Yaml| yaml.into_string().expect("text");
    reported.into_iter().map(|(name, value)| (text(name), with_default(&text(value)).to_owned())).collect()
}

/// `${NAME:-default}`.
fn with_default(value: &str) -> &str {
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.and_then(|inner| inner.split_once(":-")).map_or(value, |(_, default)| default)
}

fn services() -> Vec<(String, Yaml)> {
    let compose = read("compose.yaml");
    let services = compose["services"].as_hash().expect("services").clone();
    services.into_iter().map(|(name, service)| (name.into_string().expect("a name"), service)).collect()
}

#[test]
fn the_watchers_start_by_themselves_and_the_suite_when_asked_for() {
    let (suite, rest): (Vec<_>, Vec<_>) =
        services().into_iter().partition(|(_, service)| texts(&service["profiles"]) == ["suite"]);
    let names = |list: &[(String, Yaml)]| list.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(names(&rest), ["grafana", "prometheus", "jaeger"].map(str::to_owned).into());
    assert_eq!(names(&suite), PARTS.iter().chain([&LIST]).map(|name| (*name).to_owned()).collect());
    for (name, service) in rest.iter().chain(suite.iter().filter(|(name, _)| name == LIST)) {
        let image = service["image"].as_str().expect("an image");
        let tag = image.rsplit_once(':').expect("a tag").1;
        assert!(tag.chars().filter(|c| *c == '.').count() == 2, "{name}: {image} is not one release");
        assert!(image.contains('.') && image.matches('/').count() >= 2, "{name}: {image} names no registry");
    }
}

#[test]
fn containers_own_nothing_and_reach_only_what_they_need() {
    for (name, service) in services() {
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name} may write to its image");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        let user = service["user"].as_str().unwrap_or_else(|| panic!("{name} runs as the image's user"));
        assert!(
            user.split(':').next().and_then(|id| id.parse::<u32>().ok()).is_some_and(|id| id > 0),
            "{name}: {user}"
        );
        let check = texts(&service["healthcheck"]["test"]);
        assert_eq!(check.first(), Some(&"CMD"), "{name}: a health check that needs no shell");
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} opens {port} to other hosts");
        }
        if service["network_mode"].as_str() == Some("host") {
            let listens = texts(&service["command"]).contains(&"--web.listen-address=127.0.0.1:9090")
                || service["environment"]["GF_SERVER_HTTP_ADDR"].as_str() == Some("127.0.0.1");
            assert!(listens, "{name} is in the machine's network and not on loopback alone");
        }
        assert!(service["privileged"].is_badvalue(), "{name}");
    }
}

#[test]
fn what_is_mounted_is_there_and_named_volumes_are_declared() {
    let compose = read("compose.yaml");
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().expect("a source");
            if source.starts_with('.') {
                assert!(root().join(source).exists(), "{name} mounts {source}, which is not there");
                assert!(volume.ends_with(":ro"), "{name} may write to {source}");
            } else {
                assert!(
                    compose["volumes"]
                        .as_hash()
                        .is_some_and(|all| all.contains_key(&Yaml::String(source.into()))),
                    "{name}: {source}"
                );
            }
        }
    }
}

#[test]
fn every_part_has_an_image_of_its_own_that_is_checked_without_a_shell() {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).expect("it is there");
    for (name, service) in services().into_iter().filter(|(name, _)| PARTS.contains(&name.as_str())) {
        assert_eq!(service["build"]["target"].as_str(), Some(name.as_str()));
        let stage = dockerfile.split(&format!("FROM base AS {name}\n")).nth(1);
        let stage = stage.unwrap_or_else(|| panic!("the Dockerfile has no target {name}"));
        let stage = stage.split("FROM ").next().expect("what is before the next stage");
        assert!(stage.contains(&format!("COPY --from=build /out/{name} /{name}\n")), "{name}");
        assert!(stage.contains(&format!("ENTRYPOINT [\"/{name}\"]")), "{name}");
        assert!(stage.contains(&format!("CMD [\"/{name}\", \"--check\"]")), "{name}");
        assert_eq!(texts(&service["healthcheck"]["test"]), ["CMD", &format!("/{name}"), "--check"]);
        assert!(
            dockerfile.contains(&format!("target/release/{name}")),
            "{name} is not copied out of the build"
        );
    }
    let from = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM "));
    for image in from.filter(|image| !image.starts_with("base ")) {
        assert!(image.contains(':') && !image.contains(":latest"), "{image} is whatever it is today");
    }
}

fn job(name: &str) -> Yaml {
    let prometheus = read("dashboards/prometheus/prometheus.yml");
    let jobs = prometheus["scrape_configs"].as_vec().expect("jobs");
    jobs.iter().find(|job| job["job_name"].as_str() == Some(name)).expect("a job").clone()
}

#[test]
fn every_part_is_scraped_at_the_port_it_is_put_on() {
    let groups = read("dashboards/prometheus/suite.json");
    let scraped: BTreeSet<&str> = texts(&groups[0]["targets"]).into_iter().collect();
    let services = services();
    let put: BTreeSet<&str> = services
        .iter()
        .filter(|(name, _)| PARTS.contains(&name.as_str()))
        .flat_map(|(_, service)| texts(&service["ports"]))
        .filter_map(|port| port.strip_suffix(":7100"))
        .collect();
    assert_eq!(scraped, put);
    for name in ["suite", "cleave"] {
        let honors_labels = job(name)["honor_labels"].as_bool();
        assert_eq!(honors_labels, Some(true), "processes say their arm and name themselves");
    }
}

/// Where a container finds a file, by the volume that is mounted there.
fn mounted(service: &str, source: &str) -> String {
    let (_, service) = services().into_iter().find(|(name, _)| name == service).expect("a service");
    let found = texts(&service["volumes"])
        .into_iter()
        .find_map(|volume| volume.strip_prefix(source)?.strip_prefix(':'));
    found.expect("it is mounted").trim_end_matches(":ro").to_owned()
}

#[test]
fn no_target_is_scraped_that_is_not_up() {
    let prometheus = read("dashboards/prometheus/prometheus.yml");
    for job in prometheus["scrape_configs"].as_vec().expect("jobs") {
        let name = job["job_name"].as_str().expect("a name");
        assert!(
            job["static_configs"].is_badvalue(),
            "{name}: a fixed target is down wherever it is not started"
        );
        let files = texts(&job["file_sd_configs"][0]["files"]);
        let source = if name == "suite" { LIST } else { "./runs/.targets" };
        assert_eq!(files, [format!("{}/*.json", mounted("prometheus", source))], "{name}");
    }
}

#[test]
fn the_list_of_the_suite_is_there_while_the_suite_is() {
    let (_, list) = services().into_iter().find(|(name, _)| name == LIST).expect("it is there");
    assert_eq!(texts(&list["entrypoint"]), ["/bin/sh", "-c"]);
    let [script] = &texts(&list["command"])[..] else { panic!("one script") };
    let folder = tempfile::TempDir::new().expect("a folder");
    let here = |path: &Path| path.display().to_string();
    // Compose writes a dollar as two.
    let script = script
        .replace("$$", "$")
        .replace(&mounted(LIST, LIST), &here(folder.path()))
        .replace(&mounted(LIST, "./dashboards/prometheus/suite.json"), "dashboards/prometheus/suite.json");
    let mut shell =
        Command::new("/bin/sh").args(["-c", &script]).current_dir(root()).spawn().expect("a shell");
    let file = folder.path().join("suite.json");
    let source = std::fs::read(root().join("dashboards/prometheus/suite.json")).expect("it is there");
    wait_for("the list", || (std::fs::read(&file).ok()? == source).then_some(()));
    let stopped = Command::new("kill").arg(shell.id().to_string()).status().expect("a program");
    assert!(stopped.success() && shell.wait().expect("it ends").success(), "it ends in order");
    assert!(!file.exists(), "Prometheus would show the suite as down");
}

#[test]
fn grafana_is_configured_with_the_other_addresses() {
    let sources = read("dashboards/grafana/provisioning/datasources/cleave.yaml");
    let of = |uid: &str| {
        let all = sources["datasources"].as_vec().expect("sources");
        all.iter()
            .find(|source| source["uid"].as_str() == Some(uid))
            .unwrap_or_else(|| panic!("no {uid}"))
            .clone()
    };
    assert_eq!(of(grafana::board::PROMETHEUS)["url"].as_str(), Some("http://127.0.0.1:9090"));
    assert_eq!(of(grafana::board::JAEGER)["url"].as_str(), Some("http://127.0.0.1:16686"));
    let destination = &of(grafana::board::PROMETHEUS)["jsonData"]["exemplarTraceIdDestinations"][0];
    assert_eq!(destination["datasourceUid"].as_str(), Some(grafana::board::JAEGER));
    let provider = read("dashboards/grafana/provisioning/dashboards/cleave.yaml");
    let path = provider["providers"][0]["options"]["path"].as_str().expect("a path").to_owned();
    let services = services();
    let (_, grafana) = services.iter().find(|(name, _)| name == "grafana").expect("it is there");
    assert!(
        texts(&grafana["volumes"]).iter().any(|volume| volume.ends_with(&format!(":{path}:ro"))),
        "{path}"
    );
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().expect("a home");
    let first = grafana::files().swap_remove(0).0;
    assert_eq!(home, format!("{path}/{first}"), "the first board is the home");
}

#[test]
fn jaeger_listens_on_every_port_that_is_led_to() {
    let config = read("dashboards/jaeger/config.yaml");
    let endpoints = [
        &config["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"],
        &config["receivers"]["otlp"]["protocols"]["http"]["endpoint"],
        &config["extensions"]["jaeger_query"]["http"]["endpoint"],
    ];
    let services = services();
    let (_, jaeger) = services.iter().find(|(name, _)| name == "jaeger").expect("it is there");
    for endpoint in endpoints {
        // With a configuration of one's own nothing is open that is not listed.
        let port =
            endpoint.as_str().and_then(|text| text.strip_prefix("0.0.0.0:")).expect("all of its addresses");
        assert!(texts(&jaeger["ports"]).contains(&format!("127.0.0.1:{port}:{port}").as_str()), "{port}");
    }
    let check = texts(&jaeger["healthcheck"]["test"]).join(" ");
    let health = config["extensions"]["healthcheckv2"]["http"]["endpoint"].as_str().expect("a port");
    assert!(check.contains(health.trim_start_matches("0.0.0.0")), "{check}");
    for extension in texts(&config["service"]["extensions"]) {
        assert!(!config["extensions"][extension].is_badvalue(), "{extension} is asked for and not described");
    }
}
