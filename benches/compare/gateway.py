#!/usr/bin/env python3
"""CPU per request of our gateway, nginx and HAProxy: interleaved, on loopback, one worker each.

    benches/compare/gateway.py                  # six rounds of three seconds, about three minutes
    benches/compare/gateway.py --rounds 12 --seconds 5

Requests come from wrk over 64 connections that are kept; the upstream answers 200 bytes. CPU is utime and stime of a
contestant's processes over the requests that were answered, so it includes what its exporter, its upkeep and the kernel on
its behalf take. Beside it are pages that had to be mapped and switches to another thread, which are system time that no
system call shows. Contestants have core 0 and all else core 1 (`--no-pin` lets the kernel decide). Each round has its own
order. Printed are medians with ranges, and ratios to nginx within a round.

Ours is built with the profile for figures that are quoted, since the others are optimised as a whole as well, and has the
allocator settings that the lab gives its processes (`--allocator plain` for none).

    benches/compare/gateway.py --count-calls    # system calls of a request instead, by strace, in a minute

nginx, HAProxy, wrk and strace are those of the distribution. Where they are missing, their packages are unpacked (apt, as
root) into `target/compare`: nothing is installed, and no service is started.
"""

import argparse
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = "/v1/photos/7"
CONNECTIONS = 64
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
# As `malloc_environment` of lab/conductor/src/arm/resources.rs has them, on this machine.
ALLOCATOR = {
    "MALLOC_ARENA_MAX": str(len(os.sched_getaffinity(0))),
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "524288",
}
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

NGINX = """
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 10000000;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream photo {{ server {upstream}; keepalive 256; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} reuseport;
    location / {{
      proxy_pass http://photo;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  option http-keep-alive
  option forwardfor
  http-reuse always
frontend door
  bind 127.0.0.1:{port}
  default_backend photo
backend photo
  server photo0 {upstream}
"""


def command_line():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=3, help="of each contestant in each round")
    parser.add_argument("--seed", type=int, default=42, help="of the order in each round")
    parser.add_argument("--no-pin", action="store_true", help="let the kernel choose the cores")
    parser.add_argument("--only", default="", help="contestants whose names contain this, and nginx")
    parser.add_argument("--allocator", choices=["lab", "plain"], default="lab", help="settings of ours")
    parser.add_argument("--count-calls", action="store_true", help="system calls of a request, and no times")
    parser.add_argument("--contestant", default="", help="a built `contestant`; built here otherwise")
    parser.add_argument("--before", default="", help="a `contestant` built before a change, to run beside this one")
    return parser.parse_args()


def tools(needed):
    """Where each tool is, and where its libraries are: from the system, else unpacked from its package."""
    unpacked = ROOT / "target" / "compare"
    places = [f"{unpacked}/root{place}" for place in ("/usr/sbin", "/usr/bin")]
    search = os.pathsep.join(["/usr/sbin", os.environ["PATH"], *places])
    if any(shutil.which(tool, path=search) is None for tool in needed):
        archives = unpacked / "archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        apt = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", f"Dir::Cache::archives={archives}"]
        subprocess.run(["apt-get", "-q", "update"], stdout=subprocess.DEVNULL, check=False)
        subprocess.run([*apt, "--download-only", "install", *needed], stdout=subprocess.DEVNULL, check=True)
        for package in archives.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, unpacked / "root"], check=True)
    libraries = ":".join(str(path) for path in (unpacked / "root").glob("usr/lib/*-linux-gnu*"))
    return {tool: shutil.which(tool, path=search) for tool in needed}, libraries


class Process:
    """A child with its descendants, on a core of its own."""

    def __init__(self, command, core, libraries="", stdin=None, settings=None):
        env = {**os.environ, **(settings or {})}
        if libraries:
            env["LD_LIBRARY_PATH"] = libraries
        affinity = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
        self.child = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, env=env, preexec_fn=affinity, text=True
        )

    def pids(self):
        found = [self.child.pid]
        for pid in found:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
            found += [int(child) for child in children.read_text().split()]
        return found

    def cpu(self):
        """User and system time so far, seconds."""
        fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return tuple(sum(int(field[at]) for field in fields) * TICK_SECONDS for at in (11, 12))

    def faults(self):
        """Pages mapped so far without reading a disk."""
        fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return sum(int(field[7]) for field in fields)

    def switches(self):
        """Switches of its threads to others so far."""
        states = [state.read_text() for pid in self.pids() for state in pathlib.Path(f"/proc/{pid}/task").glob("*/status")]
        return sum(int(count) for state in states for count in re.findall(r"ctxt_switches:\s+(\d+)", state))

    def rss_mib(self):
        pages = [int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids()]
        return sum(pages) * PAGE_BYTES / 2**20

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()


def started(command, core, settings):
    """One of ours: it prints its address, and ends with its standard input."""
    process = Process(command, core, stdin=subprocess.PIPE, settings=settings)
    return process, process.child.stdout.readline().strip()


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(addr):
    """Until it answers as the upstream does."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://{addr}{PATH}", timeout=1) as answer:
                body = answer.read()
                assert answer.status == 200 and len(body) == 200, f"{addr} answers {answer.status}, {len(body)} bytes"
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{addr} does not answer")


def busy_seconds():
    """CPU of the whole machine so far, seconds: all that is not idle or waiting for a disk."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * TICK_SECONDS


def load(wrk, addr, seconds, core, libraries, connections=CONNECTIONS):
    """Requests answered, and the median latency in us; `None` where any failed."""
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://{addr}{PATH}"]
    process = Process(command, core, libraries)
    printed = process.child.communicate()[0]
    requests = int(re.search(r"(\d+) requests in", printed)[1])
    if "Non-2xx" in printed or "Socket errors" in printed or requests == 0:
        print(f"  a round at {addr} is left out:\n{printed}", file=sys.stderr)
        return None
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", printed).groups()
    return requests, float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def build():
    cargo = os.environ.get("CARGO", "cargo")
    command = [cargo, "build", "--profile", "published", "--package", "benches"]
    command += ["--features", "compare", "--example", "contestant"]
    subprocess.run(command, cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "published/examples/contestant"


def count_calls(found, libraries, contestants, rest, seconds):
    """Prints how often each contestant makes each system call, for a request."""
    for name, (process, addr) in contestants.items():
        load(found["wrk"], addr, 1, rest, libraries)
        attached = [word for pid in process.pids() for word in ("-p", str(pid))]
        strace = Process([found["strace"], "-f", "-c", "-o", "/dev/stdout", *attached], rest, libraries)
        time.sleep(1)
        answered = load(found["wrk"], addr, seconds, rest, libraries)
        strace.child.send_signal(signal.SIGINT)
        printed = strace.child.communicate()[0]
        if not answered:
            continue
        rows = [line.split() for line in printed.splitlines()]
        calls = {row[-1]: int(row[3]) for row in rows if len(row) in (5, 6) and row[0][0].isdigit() and row[-1] != "total"}
        failed = {row[-1]: int(row[4]) for row in rows if len(row) == 6 and row[0][0].isdigit() and row[-1] != "total"}
        print(f"\n{name}: {sum(calls.values()) / answered[0]:.2f} system calls a request, of {answered[0]} requests")
        for call, count in sorted(calls.items(), key=lambda one: -one[1]):
            if count * 1000 >= answered[0]:
                print(f"  {call:16} {count / answered[0]:.3f}, failed {failed.get(call, 0) / answered[0]:.3f}")


def spread(values, digits=1):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


def main():
    options = command_line()
    found, libraries = tools(["wrk", "nginx", "haproxy", *(["strace"] if options.count_calls else [])])
    contestant = options.contestant or build()
    is_pinned = not options.no_pin and (os.cpu_count() or 1) > 1
    core, rest = (0, 1) if is_pinned else (None, None)
    work = pathlib.Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    running = []

    settings = ALLOCATOR if options.allocator == "lab" else {}

    def ours(core, *arguments, program=contestant):
        process, addr = started([str(program), *arguments], core, settings)
        running.append(process)
        return process, addr

    def theirs(tool, config, *arguments):
        port = free_port()
        (work / f"{tool}.conf").write_text(config.format(dir=work, upstream=upstream, port=port))
        process = Process([found[tool], *arguments, str(work / f"{tool}.conf")], core, libraries)
        running.append(process)
        return process, f"127.0.0.1:{port}"

    try:
        upstream_process, upstream = ours(rest, "upstream")
        _, collector = ours(rest, "collector")
        exporting = ["--otlp", f"http://{collector}"]

        def gateway(level, **program):
            return ours(core, "gateway", "--upstream", upstream, "--level", level, *exporting, **program)

        contestants = {
            "nginx": theirs("nginx", NGINX, "-p", str(work), "-c"),
            "HAProxy": theirs("haproxy", HAPROXY, "-db", "-f"),
            "ours, metrics": gateway("metrics"),
            "ours, no trace sampled": gateway("sampled(0)"),
            "ours, one trace in ten": gateway("sampled(0.1)"),
        }
        if options.before:
            for level, name in {"metrics": "metrics", "sampled(0)": "no trace sampled", "sampled(0.1)": "one trace in ten"}.items():
                contestants[f"before, {name}"] = gateway(level, program=options.before)
        contestants = {name: one for name, one in contestants.items() if name == "nginx" or options.only in name}
        for _, addr in contestants.values():
            wait_for(addr)
        if options.count_calls:
            count_calls(found, libraries, contestants, rest, options.seconds)
            return

        order, results, others, loads = random.Random(options.seed), [], [], []
        for number in range(options.rounds):
            names = list(contestants)
            order.shuffle(names)
            row = {}
            for name in names:
                process, addr = contestants[name]
                load(found["wrk"], addr, 1, rest, libraries)
                idle = load(found["wrk"], addr, 1, rest, libraries, connections=1)
                own = lambda: sum(sum(p.cpu()) for p in running) + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
                faults, switches = process.faults(), process.switches()
                before, busy, mine, began = process.cpu(), busy_seconds(), own(), time.monotonic()
                answered = load(found["wrk"], addr, options.seconds, rest, libraries)
                user, system = (now - then for now, then in zip(process.cpu(), before))
                took = time.monotonic() - began
                others.append(max(0, (busy_seconds() - busy) - (own() - mine)) / took)
                loads.append(os.getloadavg()[0])
                if answered and idle:
                    scale = 1e6 / answered[0]
                    faults, switches = (process.faults() - faults) / answered[0], (process.switches() - switches) / answered[0]
                    row[name] = (user * scale, system * scale, answered[0] / took, idle[1], faults, switches)
            results.append(row)
            print(f"round {number + 1}: " + ", ".join(f"{n} {sum(v[:2]):.1f}" for n, v in sorted(row.items())))

        pinning = "contestants on core 0, all else on core 1" if is_pinned else "no core is pinned"
        print(f"\n{options.rounds} rounds of {options.seconds} s, {CONNECTIONS} connections kept, 200 bytes; {pinning}")
        print(f"other programs kept {spread(others, 2)} cores busy; load average {spread(loads)}")
        print("CPU in us a request, median [range]; ratios to nginx in the same round; p50 of one connection in us\n")
        print("| contestant | CPU | user | system | to nginx | requests/s | idle p50 | faults | switches | RSS MiB |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for name, (process, _) in contestants.items():
            rows = [row[name] for row in results if name in row]
            if not rows:
                print(f"| {name} | no round without failures |")
                continue
            cpu = [row[0] + row[1] for row in rows]
            ratios = [sum(row[name][:2]) / sum(row["nginx"][:2]) for row in results if {name, "nginx"} <= row.keys()]
            columns = [
                spread(cpu), spread([row[0] for row in rows]), spread([row[1] for row in rows]), spread(ratios, 2),
                f"{statistics.median(row[2] for row in rows):.0f}", spread([row[3] for row in rows], 0),
                spread([row[4] for row in rows], 2), spread([row[5] for row in rows], 2), f"{process.rss_mib():.1f}",
            ]
            print(f"| {name} | " + " | ".join(columns) + " |")
        for whose in ("ours", "before"):
            on, off = f"{whose}, no trace sampled", f"{whose}, metrics"
            added = [sum(row[on][:2]) - sum(row[off][:2]) for row in results if {on, off} <= row.keys()]
            if added:
                print(f"\n{whose}: tracing where nothing is sampled adds {spread(added, 2)} us a request")
    finally:
        for process in running:
            process.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
