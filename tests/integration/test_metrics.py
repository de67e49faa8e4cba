"""What posternctl shows to monitoring, and of the host: metrics, list, doctor."""

import json
import os
import pathlib
import re
import subprocess
import threading

import yaml
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser

from lab.checks import check, contains, equal, eventually
from lab.daemon import program
from lab.lab import SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all

TOP = pathlib.Path(__file__).resolve().parents[2]


def samples(text):
    """All samples by name and labels, and the families, of the whole text."""
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    rows = {(sample.name, *sorted(sample.labels.items())): sample.value
            for family in families.values() for sample in family.samples}
    return rows, families


def test_metrics(lab):
    """Another's parser of OpenMetrics reads all of it, and finds what the daemon counted."""
    daemon = lab.start("--private")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"x" * 1000)
        receive_all(sock, 1000)
        rows, families = samples(daemon.ctl("metrics"))
        equal(rows["postern_flows_open", ("protocol", "tcp")], 1, "the open flows")
    equal(rows["postern_flows_opened_total", ("protocol", "tcp")], 1, "the flows that were opened")
    equal(rows["postern_guest_connected",], 1, "whether there is a guest")
    equal(rows["postern_limit_max", ("limit", "flows")], 65536, "the limit of flows")
    check(rows["postern_link_in_bytes_total",] > 1000, "too few bytes from the guest")
    check(rows["postern_memory_resident_bytes",] > 1000000, "too little memory")
    equal(families["postern_link_in_bytes"].unit, "bytes", "the unit of bytes")
    equal(families["postern_loop_turn_seconds"].type, "histogram", "the type of the histogram")
    check(rows["postern_loop_turn_seconds_count",] > 2, "the loop made no turns")
    check(rows["postern_loop_turn_seconds_sum",] > 0, "its turns took no time")
    for family in families.values():
        check(family.documentation, f"{family.name} has no help")
        check("1000" not in family.name, f"{family.name} is of one flow")
    counters = {row["name"] for row in daemon.ctl_json("stats")}
    check(len(rows) > len(counters) - 30, "counters are missing")


def test_metrics_for_node_exporter(lab):
    """The file is always whole, and the older format's parser knows its types."""
    daemon = lab.daemon().start()
    path = lab.folder / "textfile/postern.prom"
    path.parent.mkdir()
    daemon.ctl("metrics", "--output", path)
    done, torn = threading.Event(), []

    def read():
        while not done.is_set():
            if not path.read_text().endswith("# EOF\n"):
                torn.append(path.read_text())
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        daemon.ctl("metrics", "--output", path)
    done.set()
    reader.join()
    equal(torn, [], "the times that half a file was there")
    equal([p.name for p in path.parent.iterdir()], [path.name], "the files that stay")
    check(path.stat().st_mode & 0o044, "nobody else may read it")
    lab.host.run("sh", "-c", f"umask 077; {program('posternctl')} -s {daemon.control} metrics --guest web --output {path}")
    equal(path.stat().st_mode & 0o777, 0o600, "the mode, under a umask")
    check(all('{guest="web"' in line for line in path.read_text().splitlines() if line[0] != "#"), "a sample without guest")
    families = list(text_parser.text_string_to_metric_families(path.read_text()))
    kinds = {family.name: family.type for family in families}
    equal(kinds["postern_loop_turn_seconds"], "histogram", "the histogram in the older format")
    equal(kinds["postern_link_in_bytes"], "counter", "a counter in the older format")
    equal([family.name for family in families if family.type == "unknown" or not family.documentation], [],
          "what has no type or no help in the older format")
    contains(daemon.ctl("metrics", "--output", "/nowhere/postern.prom", status=1), "/nowhere", "the error")
    full = lab.folder / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", full], check=True)
    (full / "postern.prom").write_text("older\n")
    contains(daemon.ctl("metrics", "--output", full / "postern.prom", status=1), "No space left", "the error")
    equal([(p.name, p.read_text()) for p in full.iterdir()], [("postern.prom", "older\n")], "what stays")
    for words in ("metrics", "stats", "--help"):
        line = f"{program('posternctl')} -s {daemon.control} {words} >/dev/full"
        contains(lab.host.run("sh", "-c", line, status=1), "cannot write the result", "the error")
    taken = path.parent / "folder"
    taken.mkdir()
    daemon.ctl("metrics", "--output", taken, status=1)  # written, but has no place to go
    equal(sorted(p.name for p in path.parent.iterdir()), ["folder", path.name], "the files that stay")
    daemon.stop()
    daemon.ctl("metrics", "--output", path, status=1)
    check(path.read_text().endswith("# EOF\n"), "a daemon that is gone left no file")


def names_in(expression):
    return set(re.findall(r"\bpostern_[a-z0-9_]+", expression))


def test_metrics_of_contrib(lab):
    """Dashboard and alert rules use no name that is not printed."""
    daemon = lab.daemon().start()
    known = {name for name, *_ in samples(daemon.ctl("metrics"))[0]} | {"postern_build_info"}
    dashboard = json.loads((TOP / "contrib/grafana/postern.json").read_text())
    rules = yaml.safe_load((TOP / "contrib/prometheus/postern.rules.yml").read_text())
    used = set()
    for panel in dashboard["panels"]:
        check(panel["targets"], f"the panel '{panel['title']}' is empty")
        for target in panel["targets"]:
            used |= names_in(target["expr"])
    for variable in dashboard["templating"]["list"]:
        used |= names_in(json.dumps(variable["query"]))
    for group in rules["groups"]:
        for rule in group["rules"]:
            check(names_in(rule["expr"]), f"{rule['alert']} looks at nothing of ours")
            used |= names_in(rule["expr"])
    equal(sorted(used - known), [], "the names that are not printed")
    check(len(used) > 20, "too few names are used")


def test_list(lab):
    """list finds the daemons by their processes, also those that do not answer."""
    first, second = lab.start(), lab.daemon().start()

    def rows():
        output = lab.host.run(program("posternctl"), "list", "--json")
        ours = [str(first.control), str(second.control)]
        return {row["socket"]: row for row in json.loads(output) if row.get("socket") in ours}
    lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR)
    found = rows()
    equal(sorted(found), sorted([str(first.control), str(second.control)]), "the sockets")
    row = found[str(first.control)]
    equal((row["connected"], "mac" in row, "addr" in row), (True, True, True), "what is known of the guest")
    equal(row["pid"], first.ctl_json("status")["pid"], "the process")
    row = found[str(second.control)]
    equal((row["connected"], row["flows"]), (False, 0), "of the one without a guest")
    text = lab.host.run(program("posternctl"), "list")
    contains(text, "PID  SOCKET", "the columns")
    contains(text, str(second.control), "the list")
    if os.geteuid() == 0:  # others' are not shown, those of all to root
        output = lab.host.run("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", program("posternctl"), "list")
        check(str(first.control) not in output, "a daemon of another user is listed")
    os.unlink(second.control)
    check("error" in rows()[str(second.control)], "a daemon without its socket answers")
    second.stop()
    eventually(lambda: str(second.control) not in rows(), 10, "the daemon that ended is not listed")


# A process that looks like a daemon, and answers with a byte now and then.
DRIPPING = """
import socket, sys, time
open("/proc/self/comm", "w").write("postern")
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1].partition("=")[2])
    listener.listen(1)
    conn = listener.accept()[0]
    conn.sendall(b"{")
    try:
        while True:
            time.sleep(0.2)
            conn.sendall(b" ")
    except OSError:
        pass
"""


def test_list_with_a_slow_daemon(lab):
    """list gives up on a daemon that sends for ever, byte by byte, and shows the others."""
    daemon = lab.daemon().start()
    path = lab.folder / "dripping"
    lab.host.spawn("python3", "-c", DRIPPING, f"--control={path}")
    eventually(path.exists, 10, "its socket is there")
    rows = json.loads(lab.host.run(program("posternctl"), "list", "--json"))
    found = {row["socket"]: row.get("error") for row in rows if "socket" in row}
    equal(found[str(path)], "no answer within 10 seconds", "the slow one")
    equal(found[str(daemon.control)], None, "the other one")


def test_doctor(lab):
    """doctor checks the host without a daemon, and with one its sandbox as well."""
    def look(*argv, status=None):
        return json.loads(lab.host.run(program("posternctl"), *argv, "doctor", "--json", status=status))
    daemon = lab.daemon().start()
    alone = look()
    names = [row["check"] for row in alone]
    for name in ("ping", "low-ports", "open-files", "resolvers", "route-ip4", "seccomp", "peek-off"):
        check(name in names, f"there is no check '{name}'")
    for row in alone:
        equal("mend" in row, row["state"] != "ok", f"whether {row['check']} can be mended")
    lab.host.run("sysctl", "-q", "-w", "net.ipv4.ping_group_range=1 0")
    equal({row["check"]: row["state"] for row in look(status=1)}["ping"], "problem", "without ping sockets")
    if os.geteuid() == 0:  # whose daemon is nobody's
        lab.host.run("sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0")
        equal({row["check"]: row["state"] for row in look(status=1)}["ping"], "problem", "ping sockets of root's group")
    lab.host.run("sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 2147483647")
    equal({row["check"]: row["state"] for row in look()}["ping"], "ok", "with ping sockets")
    layers = {row["check"]: row["state"] for row in look("-s", daemon.control)}
    equal(layers["sandbox capabilities"], "ok", "a layer of the sandbox")
    contains(lab.host.run(program("posternctl"), "doctor", status=None), "ping: ping sockets", "the text")
