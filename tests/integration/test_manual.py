"""The examples of postern-control(7), one after the other, against a daemon."""

import json
import pathlib

from lab.checks import check, contains, equal, eventually
from lab.daemon import Qmp, ask_api
from lab.lab import SERVER_ADDR
from lab.schema import PATH as SCHEMA, check_message
from lab.servers import TcpServer, echo, receive_all

PAGE = pathlib.Path(__file__).resolve().parents[2] / "man/postern-control.7"


def examples(ask="-> ", answer="<- "):
    """Pairs of request (None: the greeting) and reply; lines that begin with blanks go on."""
    lines, inside = [], False
    for line in PAGE.read_text().splitlines():
        if line.startswith((ask, answer)):
            lines.append(line)
            inside = True
        elif inside and line.startswith("   "):
            lines[-1] += line
        else:
            inside = False
    request = None
    for line in lines:
        if line.startswith(ask):
            request = json.loads(line[3:])
        else:
            yield request, json.loads(line[3:])
            request = None


def same_form(want, got, where):
    """Fails unless both have the same members, of the same types; of lists, the first element."""
    equal(type(got).__name__, type(want).__name__, f"the type of {where}")
    if isinstance(want, dict):
        equal(sorted(got), sorted(want), f"the members of {where}")
        for name, value in want.items():
            same_form(value, got[name], f"{where}.{name}")
    elif isinstance(want, list) and want:
        check(got, f"{where} is empty")
        same_form(want[0], got[0], f"{where}[0]")


def test_examples(lab):
    """What the manual page says that the daemon says is what it says."""
    daemon = lab.start("--private", "-t", "2222:22")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    sock.sendall(b"x")
    receive_all(sock, 1)
    lab.guest.spawn("udhcpc", "-f", "-i", "eth0", "-s", "/bin/true", "-x", "hostname:web",
                    log="udhcpc.log")
    eventually(lambda: "bound" in json.dumps(daemon.ctl_json("leases")), 20, "the lease is there")
    session = Qmp(daemon.connect_control())
    commands = set()
    for request, want in examples():
        if request:
            commands.add(request["execute"])
            line = json.dumps(request).encode() + b"\n"
            if request["execute"] == "capture-start" and "return" in want:
                with open(lab.folder / "capture", "w") as file:
                    session.send_fd(line, file)
            else:
                session.send_raw(line)
        got = session.receive_reply()
        check_message(got, request and request["execute"])
        same_form(want, got, f"the reply to {json.dumps(request)}")
        for member in ("id", "error"):
            equal(got.get(member), want.get(member), f"{member} of the reply to {request}")
        if request == {"execute": "query-commands"}:
            known = {command["name"] for command in got["return"]}
    equal(sorted(known - commands), [], "the commands without an example")
    session.close()
    sock.close()
    daemon.wait_exit(0)
    contains(daemon.log(), "as a control client asked", "the log")


def test_schema(lab):
    """The schema that is installed is the one that the daemon tells."""
    daemon = lab.daemon().start()
    script = PAGE.parents[1] / "scripts/control-schema"
    equal(lab.host.run(script, daemon.control), SCHEMA.read_text(), "the schema")


def test_api_examples(lab):
    """So is what it says of the API of slirp4netns."""
    path = lab.folder / "api"
    lab.daemon().start("--private", "--api-socket", path)
    pairs = list(examples("=> ", "<= "))
    equal(len(pairs), 4, "the number of examples")
    for request, want in pairs:
        equal(json.loads(ask_api(path, json.dumps(request))), want, f"the reply to {request}")
