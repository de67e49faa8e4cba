"""The benchmark: it measures, it does not mix failures into figures, and it judges by them."""

import json
import os
import pathlib
import subprocess
import xml.etree.ElementTree

from lab.checks import check, contains, equal
from lab.daemon import program
from lab.node import need

BENCH = pathlib.Path(__file__).resolve().parents[2] / "scripts/bench"


def bench(*argv, status=0):
    done = subprocess.run([BENCH, *map(str, argv)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=50)
    equal(done.returncode, status, f"the status of bench, which said {done.stdout}")
    return done.stdout


def row(candidate, test, figures, mtu=1500, delay_us=0, failures=(), loss_ppm=0, idle=0):
    return {"mtu": mtu, "delay_us": delay_us, "loss_ppm": loss_ppm, "idle": idle, "test": test,
            "candidate": candidate, "failures": list(failures),
            "figures": {name: {"values": values} for name, values in figures.items()}}


def saved(path, *rows):
    candidates = [{"name": name, "command": name, "version": name}
                  for name in dict.fromkeys(row["candidate"] for row in rows)]
    path.write_text(json.dumps({"format": 1, "about": {}, "candidates": candidates,
                                "rows": rows}))
    return path


def test_smoke(lab):
    """One short round of each kind of test gives every figure."""
    need("iperf3")
    file = lab.folder / "bench.json"
    bench(f"postern={program('postern')}", "-b", os.environ["BUILDDIR"], "-n", 1, "-t", 0.2,
          "-m", 65520, "-d", 50, "--idle", 50, "-k", "rr,udp_g2h_64", "--json", file)
    rows = json.loads(file.read_text())["rows"]
    equal([(one["test"], one["idle"], one["n"], one["failures"]) for one in rows],
          [("idle", 50, 1, []), ("rr", 0, 1, []), ("rr", 50, 1, []),
           ("udp_g2h_64", 0, 1, []), ("udp_g2h_64", 50, 1, [])],
          "the rows, the same test with and without idle flows side by side")
    for one in rows:
        for name, figure in one["figures"].items():
            check(figure["median"] > 0 or name in ("loss_percent", "bytes_per_flow"),
                  f"{one['test']}: {name} is {figure['median']}")


def test_host(lab):
    """The host itself is measured like a daemon, but for the figures of one; the wire may lose."""
    file = lab.folder / "bench.json"
    said = bench("host", "-b", os.environ["BUILDDIR"], "-n", 1, "-t", 0.2, "-m", 1500, "-d", 50,
                 "--loss", 10000, "-k", "rr", "--json", file)
    contains(said, "MTU 1500, wire of 50 us, 1 % loss")
    one, = json.loads(file.read_text())["rows"]
    equal((one["loss_ppm"], one["n"], set(one["figures"])),
          (10000, 1, {"per_s", "p50_us", "p99_us"}), "loss, runs and figures")


def test_failed_candidate(lab):
    """A daemon that does not start fails each test with its reason, and has no figure."""
    file = lab.folder / "bench.json"
    said = bench("broken=/bin/false", "-b", os.environ["BUILDDIR"], "-n", 1, "-m", 1500,
                 "-k", "g2h,rr", "--json", file)
    contains(said, "1 of 1 failed: false: status 1")
    for one in json.loads(file.read_text())["rows"]:
        equal((one["n"], one["failed"], one["figures"]), (0, 1, {}), "runs and figures")


def test_verdicts(lab):
    """Ratios of medians are held against the targets; a failed run of ours reaches nothing."""
    file = saved(lab.folder / "saved.json",
                 row("postern", "g2h", {"gbps": [7, 8, 2]}, delay_us=50),
                 row("newest", "g2h", {"gbps": [4, 5, 4]}, delay_us=50, failures=["stalled"]),
                 row("postern", "g2h", {"gbps": [3, 3, 3]}, delay_us=1000),
                 row("newest", "g2h", {"gbps": [3, 3, 3]}, delay_us=1000),
                 *(row(name, "crr", {"per_s": [rate]}, mtu) for mtu in (65520, 1500)
                   for name, rate in (("postern", 4000), ("newest", 1000))),
                 row("postern", "h2g", {"gbps": [9]}, failures=["refused"]),
                 row("newest", "h2g", {"gbps": [1]}),
                 *(row(name, "g2h", {"gbps": [rate]}, 65520, 10000, loss_ppm=10000)
                   for name, rate in (("postern", 0.8), ("host", 1))))
    markdown, svg = lab.folder / "b.md", lab.folder / "b.svg"
    said = bench("--from", file, "--check", "--markdown", markdown, "--svg", svg, status=1)
    contains(said, "reached       g2h throughput, MTU 1500, wire of 50 us: 1.75, at least 1.50")
    contains(said, "not reached   g2h throughput, MTU 1500, wire of 1000 us: 1.00, at least 1.50")
    contains(said, "\nreached       connect/request/response per second, over newest passt\n")
    contains(said, "not reached   h2g throughput, MTU 1500, veth: 1 of 2 failed")
    contains(said, "not reached   g2h throughput, MTU 65520, wire of 10000 us, 1 % loss: 0.800, "
                   "at least 0.900 wanted")
    contains(said, "\nnot measured  guest to host, 1 stream, minimum over median\n")
    contains(markdown.read_text(),
             "| g2h | throughput, Gbit/s | 7.00 (2.00..8.00) | 4.00 (4.00..5.00) "
             "1 of 4 failed | - | 1.75 | - |")
    equal(xml.etree.ElementTree.parse(svg).getroot().tag, "{http://www.w3.org/2000/svg}svg",
          "the root of the picture")


def test_several_files(lab):
    """Files are shown together, but a ratio is only of what one of them has both sides of."""
    idle = saved(lab.folder / "idle.json", row("postern", "rr", {"p50_us": [20, 22, 21]}),
                 row("postern", "rr", {"p50_us": [20, 22, 22]}, idle=10000))
    faster = saved(lab.folder / "faster.json", row("postern", "rr", {"p50_us": [10, 11, 12]}),
                   row("newest", "rr", {"p50_us": [11, 11, 11]}))
    said = bench("--from", idle, "--from", faster, "--check", status=1)
    contains(said, "16.0 (10.0..22.0)")
    contains(said, "reached       rr latency p50, MTU 1500, veth, 10000 idle flows: 1.05, ")
    contains(said, "not reached   rr latency p50, MTU 1500, veth: 1.00, at most 0.900 wanted")
