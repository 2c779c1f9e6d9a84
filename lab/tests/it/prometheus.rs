//! A run in a real Prometheus: scraped while it goes on, and taken in from its record afterwards. Every
//! panel's query must find figures in the run's own time. Skipped, with a message, where there is none.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use grafana::board::{MetricSource, Panel};
use grafana::{boards, promql};
use record::{Entry, Header, Latencies, Line};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cleave::{Cleave, scenario, wait_for};
use crate::http::Client;

/// Series of two arms and the lab together: 5,000 an arm are the budget.
const MAX_SERIES: f64 = 10_000.0;

/// A server, gone at the end of the test. Its folder is not the run's, among whose processes it is none.
struct Prometheus {
    child: Child,
    client: Client,
    _folder: TempDir,
}

/// Whether the tools are here; says so if not.
fn is_installed() -> bool {
    let has =
        |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    let missing: Vec<&str> = ["prometheus", "promtool"].into_iter().filter(|tool| !has(tool)).collect();
    if !missing.is_empty() {
        println!("skipped: no {} here; on Debian: apt-get install prometheus", missing.join(", no "));
    }
    missing.is_empty()
}

/// An exposition as Prometheus wants it: every metric has its help and the type that its name promises. Asks `promtool`
/// as well, where it is installed.
#[track_caller]
pub fn is_by_the_book(exposition: &str) {
    let lines: Vec<&str> = exposition.lines().filter(|line| !line.is_empty()).collect();
    let mut family = "";
    let mut families = 0;
    for (at, line) in lines.iter().enumerate() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let help = format!("# HELP {name} ");
            assert!(
                at > 0 && lines[at - 1].len() > help.len() && lines[at - 1].starts_with(&help),
                "no help of {name}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            assert!(
                telemetry::names::has_namespace(name),
                "{name} is of no convention and does not say that it is ours"
            );
            family = name;
            families += 1;
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} is not of {family}");
        }
    }
    assert!(families > 10, "{exposition}");
    if !is_installed() {
        return;
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it is installed");
    // It reads all before it prints anything.
    promtool.stdin.take().expect("piped").write_all(exposition.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.is_empty(), "{printed}");
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

impl Prometheus {
    fn start(folder: TempDir, config: &str) -> Self {
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("a file");
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data(&folder).display()))
            // A run may be from any year.
            .arg("--storage.tsdb.retention.time=100y")
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--enable-feature=exemplar-storage")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it is installed");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let addr = listening(&mut log);
        // A pipe that is not read stops it.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(drop));
        let prometheus = Self { child, client: Client { addr, token: None }, _folder: folder };
        wait_for("Prometheus to be ready", || {
            (prometheus.client.get("/-/ready").status == 200).then_some(())
        });
        prometheus
    }

    /// What a query finds over a stretch of seconds since the epoch, a point each second.
    fn range(&self, query: &str, (from, to): (f64, f64)) -> Vec<Value> {
        let path = format!(
            "/api/v1/query_range?query={}&start={from}&end={to}&step=1",
            encoded(&promql::filled(query))
        );
        let answer = self.client.get(&path).json();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().expect("series").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port it took.
fn listening(log: &mut impl BufRead) -> SocketAddr {
    let mut output = String::new();
    for line in log.lines().map_while(Result::ok) {
        if line.contains("Listening on")
            && let Some(addr) = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next())
        {
            return addr.parse().expect("an address");
        }
        output.push_str(&line);
        output.push('\n');
    }
    panic!("Prometheus ended before it listened:\n{output}");
}

/// Percent-encoded as a query's value (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn header(lines: &[Line]) -> &Header {
    match &lines[0].entry {
        Entry::Header(header) => header,
        other => panic!("a record begins with its header, not with {other:?}"),
    }
}

/// The run's own time, seconds since the epoch.
fn range(lines: &[Line]) -> (f64, f64) {
    let at = |t: u64| header(lines).wall_us as f64 / 1e6 + t as f64 / 1e9;
    let last = lines.iter().map(|line| line.t).max().unwrap_or(0);
    // It is evaluated every second: what came last is seen a second later.
    (at(0), at(last) + 1.0)
}

fn panels() -> Vec<(String, Panel)> {
    let boards = boards::all().into_iter();
    boards
        .flat_map(|board| board.rows.into_iter().map(move |row| (board.name, row)))
        .flat_map(|(board, row)| {
            row.panels.into_iter().map(move |panel| (format!("{board}: {}", panel.title), panel))
        })
        .collect()
}

/// Whether a series has a number somewhere: a query of a wrong name succeeds and finds nothing.
fn has_figures(series: &Value) -> bool {
    let values = series["values"].as_array().expect("values");
    values
        .iter()
        .any(|pair| pair[1].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(|v| !v.is_nan()))
}

/// Panels whose queries find nothing although they should.
fn empty(prometheus: &Prometheus, lines: &[Line], which: impl Fn(&Panel) -> bool) -> Vec<String> {
    let mut empty = Vec::new();
    for (name, panel) in panels().into_iter().filter(|(_, panel)| which(panel)) {
        for (_, query) in &panel.queries {
            let found = prometheus.range(query, range(lines));
            if !found.iter().any(has_figures) {
                empty.push(format!("{name}: {query}"));
            }
        }
    }
    empty
}

/// The committed configuration, looking for targets where this run writes them.
fn config(targets: &Path) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards/prometheus/prometheus.yml");
    let text = std::fs::read_to_string(file).expect("it is there");
    let found = text.replace("/etc/prometheus/targets", &targets.display().to_string());
    assert_ne!(found, text, "the configuration looks for targets elsewhere");
    found
}

#[test]
fn every_panel_has_figures_of_a_run_live_and_from_its_record() {
    if !is_installed() {
        return;
    }
    let cleave = Cleave::wide();
    let targets = cleave.folder().join("runs/.targets");
    let live = Prometheus::start(folder(), &config(&targets));
    let (_, lines) = cleave.document(&[&scenario("watched")]);
    if was_watched(&live, &lines) {
        shows_all(&live, &lines);
    } else {
        println!("what it shows live is not decided: Prometheus had no room to look in time");
    }
    let left = std::fs::read_dir(&targets).expect("it was written").count();
    assert_eq!(left, 0, "a finished run leaves no targets for Prometheus");
    wait_for("Prometheus to scrape nothing, with neither a run nor the suite", || {
        let answer = live.client.get("/api/v1/targets?state=active").json();
        answer["data"]["activeTargets"].as_array().expect("targets").is_empty().then_some(())
    });
    drop(live);

    let exported = cleave.folder().join("run.om");
    let output = cleave.run(&["record", "export", "last", "--to", &exported.to_string_lossy()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let old = folder();
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&exported, &data(&old)])
        .output()
        .expect("it is installed");
    assert!(
        made.status.success(),
        "{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    let old = Prometheus::start(old, "scrape_configs: []\n");
    let missing = empty(&old, &lines, |panel| panel.from == MetricSource::Run);
    assert!(missing.is_empty(), "from the record:\n{}", missing.join("\n"));
    same_counts(&old, &lines);
}

/// Whether Prometheus looked at the run as often as its panels need: before the first step, then every second, and once more when
/// all was written. On a busy machine it comes later, and a step at one moment shows for two seconds.
fn was_watched(prometheus: &Prometheus, lines: &[Line]) -> bool {
    let at = |line: &Line| header(lines).wall_us as f64 / 1e6 + line.t as f64 / 1e9;
    let is_slow = |line: &&Line| matches!(&line.entry, Entry::Phase(phase) if phase.name == "slow");
    let is_audit = |line: &&Line| matches!(&line.entry, Entry::Audit(_));
    let slow = lines.iter().find(is_slow).map(at).expect("a phase with steps");
    let audited = lines.iter().rev().find(is_audit).map(at).expect("an audit");
    // The run's own figures are of no arm.
    let query = encoded("up{job=\"cleave\",arm=\"\"}[10m]");
    let (_, end) = range(lines);
    let answer = prometheus.client.get(&format!("/api/v1/query?query={query}&time={end}")).json();
    let values = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    let looks = values.iter().filter(|pair| pair[1] == "1").filter_map(|pair| pair[0].as_f64());
    let looks: Vec<f64> = looks.collect();
    let is_often = looks.windows(2).all(|pair| pair[1] - pair[0] < 1.9);
    let (first, last) = (looks.first().copied(), looks.last().copied());
    is_often && first.is_some_and(|first| first < slow) && last.is_some_and(|last| last > audited)
}

/// What was scraped while the run went on: every panel has figures, each step acts where it has a target, and every process is up.
fn shows_all(live: &Prometheus, lines: &[Line]) {
    let missing = empty(live, lines, |_| true);
    assert!(missing.is_empty(), "live:\n{}", missing.join("\n"));

    let bands = boards::all().swap_remove(0).json()["annotations"]["list"].clone();
    let faults = live.range(bands[0]["expr"].as_str().expect("a query"), range(lines));
    let acting = |step: &str| faults.iter().filter(|series| series["metric"]["step"] == step).count();
    assert_eq!((acting("slow-edge"), acting("silent-search"), acting("dead-photo")), (1, 2, 2), "{faults:?}");
    names_are_those_of_the_lists(live);

    let up = live.range("count by (arm) (up{job=\"cleave\"} == 1)", range(lines));
    let processes = |arm: &str| {
        let series = up.iter().find(|series| series["metric"]["arm"] == arm).expect("the arm was scraped");
        let values = series["values"].as_array().expect("values").iter();
        values.filter_map(|pair| pair[1].as_str()?.parse::<u32>().ok()).max().expect("a number")
    };
    assert_eq!((processes("mono"), processes("micro")), (1, 7), "gateway, registry and five services");
}

/// Metrics and labels are closed sets: another one is a cost that was not decided on.
fn names_are_those_of_the_lists(prometheus: &Prometheus) {
    let of_run = grafana::families::FAMILIES.iter().map(|(name, ..)| *name);
    let known: Vec<&str> = telemetry::names::NODE.iter().map(|(name, _)| *name).chain(of_run).collect();
    // Prometheus's own, and what the processes' library says of a process beyond what we show.
    let foreign = |name: &str| name == "up" || name.starts_with("scrape_") || name.starts_with("process_");
    let all = prometheus.client.get("/api/v1/label/__name__/values").json();
    for name in all["data"].as_array().expect("names").iter().filter_map(Value::as_str) {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        let is_known = known.contains(&name) || base.is_some_and(|base| known.contains(&base));
        assert!(is_known || foreign(name), "{name} is on no list");
        assert!(
            telemetry::names::has_namespace(name) || foreign(name),
            "{name} may be another program's as well"
        );
    }
    let all = prometheus.client.get("/api/v1/labels").json();
    // Prometheus's own.
    let foreign = ["__name__", "job"];
    for label in all["data"].as_array().expect("labels").iter().filter_map(Value::as_str) {
        assert!(
            foreign.contains(&label) || telemetry::names::LABELS.contains(&label),
            "no metric may carry {label}"
        );
    }
    let query = encoded("max_over_time(count({job=\"cleave\"})[2m:1s])");
    let count = prometheus.client.get(&format!("/api/v1/query?query={query}")).json();
    let series = count["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
    assert!(series.is_some_and(|series| series < MAX_SERIES), "{count}");
}

/// The last value of each arm's counter is the sum of the record's windows.
fn same_counts(prometheus: &Prometheus, lines: &[Line]) {
    let (_, end) = range(lines);
    let query = format!("sum by (letter) ({})", telemetry::names::run::OK);
    let found = prometheus.range(&query, (end, end + 1.0));
    for arm in &header(lines).arms {
        let windows = lines.iter().filter_map(|line| match &line.entry {
            Entry::Window(window) if window.arm == arm.letter && window.closed => Some(window.ok),
            _ => None,
        });
        let letter = arm.letter.to_string();
        let series =
            found.iter().find(|series| series["metric"]["letter"] == letter.as_str()).expect("an arm");
        let last = series["values"].as_array().and_then(|values| values.last()).expect("a value");
        assert_eq!(last[1].as_str(), Some(windows.sum::<u64>().to_string().as_str()), "{}", arm.name);
    }
}

/// Serves a text to every client, for as long as the test goes on.
fn serve(text: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = BufReader::new(&stream).lines().map_while(Result::ok);
            let _ = asked.find(String::is_empty);
            drop(asked);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                grafana::openmetrics::CONTENT_TYPE,
                text.len()
            );
            // A scrape that was given up is no concern of ours.
            let _ = stream.write_all((head + &text).as_bytes());
        }
    });
    addr
}

#[test]
fn a_slow_trace_is_linked_from_its_latency() {
    if !is_installed() {
        return;
    }
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let window = json!({
        "t": 2, "kind": "window", "arm": "B", "round": 1, "journey": "home-feed", "second": 0, "offered": 1, "sent": 1,
        "ok": 1, "good": 1, "errors": {}, "dropped": 0, "abandoned": 0, "pages": 0, "empty_pages": 0, "bytes": 0,
        "intended": Latencies::from_iter([190_000]), "service": "", "failed": "", "pace_lag": "", "own_wait": "",
        "slot_wait": "", "staleness": "", "probes": 0, "stale": 0, "final": true,
    });
    let trace = json!({
        "t": 3, "kind": "trace", "arm": "B", "round": 1, "phase": 0, "journey": "home-feed", "request": 7,
        "trace_id": trace_id, "kept": "slow", "due": 0, "user_latency": 190_000_000, "start": 0, "spans": [], "path": [],
    });
    let mut run = model::Run::default();
    for line in [window, trace] {
        run.add(&serde_json::from_value(line).expect("a line"));
    }
    let addr = serve(grafana::openmetrics::exposition(&run, 3));
    let job = format!("{{job_name: t, scrape_interval: 1s, static_configs: [{{targets: ['{addr}']}}]}}");
    let prometheus = Prometheus::start(folder(), &format!("scrape_configs: [{job}]\n"));
    let query = encoded(&format!("{}_bucket", telemetry::names::run::DURATION));
    let found = wait_for("the exemplar", || {
        let path = format!("/api/v1/query_exemplars?query={query}&start=0&end=9999999999");
        let answer = prometheus.client.get(&path).json();
        let series = answer["data"].as_array().expect("series").clone();
        series.into_iter().find(|series| series["exemplars"].as_array().is_some_and(|all| !all.is_empty()))
    });
    assert_eq!(found["exemplars"][0]["labels"]["trace_id"], trace_id, "{found}");
    assert_eq!(found["exemplars"][0]["value"], "0.19");
    assert_eq!(found["seriesLabels"]["journey"], "home-feed");
}
