"""The API of slirp4netns, as its manual has it and as the program itself answers."""

import contextlib
import json
import os
import shutil
import socket

from lab.checks import Skip, check, contains, equal, eventually, raises, within
from lab.daemon import ask_api, plain_program, unix_listening
from lab.lab import HOST_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all, udp_echo

PORT = 8080


def add(**arguments):
    return json.dumps({"execute": "add_hostfwd", "arguments": arguments})


def remove(ident):
    return json.dumps({"execute": "remove_hostfwd", "arguments": {"id": ident}})


LIST = json.dumps({"execute": "list_hostfwd"})


class Api:
    """A daemon's socket."""

    def __init__(self, lab, *args):
        self.path = lab.folder / "api"
        self.daemon = lab.start("--api-socket", self.path, *args)

    def ask(self, request):
        return json.loads(ask_api(self.path, request))

    def add(self, **arguments):
        """The id of a new forward."""
        reply = self.ask(add(**arguments))
        check("return" in reply, f"add_hostfwd: {reply}")
        return reply["return"]["id"]

    def entries(self):
        return self.ask(LIST)["return"]["entries"]


def test_netcat(lab):
    """The commands of slirp4netns' manual, whose nc does not end its half, get their answers."""
    api = Api(lab, "-4", "--private")
    entry = {"proto": "tcp", "host_addr": "0.0.0.0", "host_port": PORT,
             "guest_addr": "10.0.2.100", "guest_port": 80}

    def nc(request):
        with within(5, "nc"):
            return json.loads(lab.host.run("nc", "-U", api.path, stdin=request))
    equal(nc(add(**entry)), {"return": {"id": 1}}, "the reply to add_hostfwd")
    equal(nc(LIST)["return"], {"entries": [{"id": 1} | entry]}, "the reply to list_hostfwd")
    equal(nc(remove(1)), {"return": {}}, "the reply to remove_hostfwd")
    equal(nc(LIST)["return"], {"entries": []}, "the reply to list_hostfwd")


def test_tcp(lab):
    """A forward carries connections; its removal ends the listening and no connection."""
    api = Api(lab)
    server = TcpServer(lab, lab.guest.tcp_listen(port=80), echo)
    ident = api.add(proto="tcp", host_port=PORT, guest_port=80)
    with lab.server.tcp_connect(HOST_ADDR, PORT) as sock:
        sock.sendall(b"before")
        equal(receive_all(sock, 6), b"before", "the echo")
        equal(server.peers, [sock.getsockname()], "the client that the guest saw")
        equal(api.ask(remove(ident)), {"return": {}}, "the reply")
        with raises(ConnectionRefusedError, "connect after the removal"):
            lab.server.tcp_connect(HOST_ADDR, PORT)
        sock.sendall(b"after")
        equal(receive_all(sock, 5), b"after", "the echo on the connection that stayed")
    contains(api.ask(remove(ident))["error"]["desc"], "bad arguments.id")


def test_udp(lab):
    """A UDP forward carries datagrams, at the address that it is for alone."""
    api = Api(lab)
    peers = udp_echo(lab, lab.guest.udp_socket(port=53))
    api.add(proto="udp", host_addr=HOST_ADDR, host_port=5353, guest_addr=HOST_ADDR, guest_port=53)
    sock = lab.server.udp_socket()
    sock.sendto(b"ask", (HOST_ADDR, 5353))
    equal(sock.recvfrom(100), (b"ask", (HOST_ADDR, 5353)), "the answer")
    equal(peers, [(SERVER_ADDR, sock.getsockname()[1])], "the clients that the guest saw")
    with lab.host.udp_socket() as local:
        local.connect(("127.0.0.1", 5353))
        local.send(b"ask")
        with raises(ConnectionRefusedError, "an answer at the loopback"):
            local.recv(100)


def test_ip6(lab):
    """With IPv6 a forward takes clients of both families, or of the one that is asked for."""
    lab.add_ip6()
    api = Api(lab)
    lab.guest.wait_ip6()
    for addr in "0.0.0.0", "::":
        TcpServer(lab, lab.guest.tcp_listen(addr, 80 if addr == "::" else 81), echo)
    both = api.add(proto="tcp", host_port=PORT, guest_port=80)
    api.add(proto="tcp6", host_port=PORT + 1, guest_port=80)
    rows = api.entries()
    equal([row["id"] for row in rows], [both, both + 1], "the ids")
    equal({"host_addr", "host_addr6", "guest_addr", "guest_addr6"} - set(rows[0]), set(),
          "what is missing of the first")
    equal((rows[1]["host_addr6"], "host_addr" in rows[1]), ("::", False), "the second")
    with lab.host.tcp_connect("::1", PORT + 1) as sock:
        sock.sendall(b"six")
        equal(receive_all(sock, 3), b"six", "the echo")
    with raises(ConnectionRefusedError, "connect by IPv4"):
        lab.host.tcp_connect("127.0.0.1", PORT + 1)


def test_one_table(lab):
    """Its forwards and those of posternctl are the same."""
    api = Api(lab, "-t", "2222:22")
    ident = api.add(proto="tcp", host_addr="127.0.0.1", host_port=PORT, guest_port=80)
    equal([row["id"] for row in api.daemon.ctl_json("forwards")], [1, ident], "the forwards")
    api.daemon.ctl("forward", "remove", "--id", ident)
    equal([row["host_port"] for row in api.entries()], [2222], "the entries")
    api.daemon.ctl("forward", "add", "tcp", f"{PORT}:80")
    desc = api.ask(add(proto="tcp", host_port=PORT, guest_port=80))["error"]["desc"]
    contains(desc, "bad request: add_hostfwd: port 8080 is forwarded already")


def test_port_taken(lab):
    """A port that another has is refused with the reason."""
    api = Api(lab)
    with lab.host.tcp_listen("0.0.0.0", PORT):
        desc = api.ask(add(proto="tcp4", host_port=PORT, guest_port=80))["error"]["desc"]
    equal(desc, "bad request: add_hostfwd: TCP 0.0.0.0:8080: Address already in use", "the error")
    equal(api.entries(), [], "the entries")


def test_hostile_clients(lab):
    """Half requests, garbage and clients that vanish hold up nobody, and leave nothing."""
    api = Api(lab)
    equal(api.entries(), [], "the entries")
    fds = api.daemon.fd_count()
    with contextlib.ExitStack() as halves:
        for _ in range(20):
            half = halves.enter_context(socket.socket(socket.AF_UNIX))
            half.connect(str(api.path))
            half.sendall(b'{"execute": "list_hos')
        for garbage in ("\0" * 1000, "GET / HTTP/1.1\r\n\r\n", "[" * 3000, "{" * 3000, '"' + "x" * 999):
            contains(ask_api(api.path, garbage), "bad request: cannot parse JSON", "the reply")
        contains(ask_api(api.path, "{" + " " * 4095), "bad request: too large message", "the reply")
        contains(ask_api(api.path, "\0" * 100000), "bad request: too large message", "the reply")
        before = api.daemon.cpu_seconds()
        for _ in range(300):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(api.path))
                client.sendall(LIST.encode())
        equal(api.entries(), [], "the entries")
        check(api.daemon.cpu_seconds() - before < 5, "300 short clients cost seconds")
    eventually(lambda: api.daemon.fd_count() <= fds, 10, "the connections are closed")


def test_private_socket(lab):
    """Only root and the daemon's own user may connect, by the mode and by what is checked."""
    api = Api(lab)
    equal(oct(api.path.stat().st_mode)[-3:], "600", "the mode of the socket")
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")
    api.path.chmod(0o666)
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
              "s.shutdown(socket.SHUT_WR); print(s.recv(1000).decode())")
    shown = lab.host.run("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups",
                         "/usr/bin/python3", "-c", script, api.path)
    contains(shown, "only root and the daemon's own user may connect")
    api.daemon.stop()
    check(not api.path.exists(), "the socket is left behind")


def test_sandbox(lab):
    """A forward is added and used in a daemon that is locked in."""
    path = lab.folder / "api"
    daemon = lab.daemon().start("--sandbox=strict", "--api-socket", path,
                                binary=plain_program("postern"))
    lab.guest.attach(daemon)
    lab.guest.configure()
    TcpServer(lab, lab.guest.tcp_listen(port=80), echo)
    equal(ask_api(path, add(proto="tcp", host_port=PORT, guest_port=80)), '{"return":{"id":1}}',
          "the reply")
    with lab.server.tcp_connect(HOST_ADDR, PORT) as sock:
        sock.sendall(b"in")
        equal(receive_all(sock, 2), b"in", "the echo")


# Beside the program itself.

@contextlib.contextmanager
def slirp4netns(lab):
    """The socket of a running slirp4netns, which gives its guest 10.0.2.100."""
    program = shutil.which("slirp4netns")
    if not program:
        raise Skip("slirp4netns is not installed")
    path = lab.folder / "slirp4netns"
    process = lab.server.spawn(program, "--configure", "--netns-type=path", "--api-socket", path,
                               f"/proc/{os.getpid()}/fd/{lab.router.space.fd}", "tap0",
                               log="slirp4netns.log")
    eventually(lambda: unix_listening(lab.server, path) or process.poll() is not None, 10,
               "slirp4netns listens")
    if process.poll() is not None:
        raise Skip(f"slirp4netns does not run here: status {process.returncode}")
    try:
        yield path
    finally:
        process.terminate()
        process.wait()


SAME = [
    LIST, "nonsense", "", "{}", '{"execute": 5}', '{"execute": "nope"}', '{"execute": "list_hostfwd"} x',
    LIST + LIST, " \n" + LIST + "\n", '{"execute": "list_hostfwd", "id": 7}', LIST + " " * 4096,
    add(proto="tcp"), add(proto="sctp"), add(proto="tcp", host_port=PORT),
    add(proto="tcp", host_port=PORT, guest_port=80),
    add(proto="tcp", host_port="18081", guest_port=80), add(proto="tcp", host_port=0, guest_port=80),
    add(proto="tcp", host_port=18082, guest_port=0),
    add(proto="tcp", host_addr="x", host_port=18084, guest_port=80),
    add(proto="tcp", host_addr="", host_port=18084, guest_port=80, guest_addr=""),
    add(proto="tcp", host_addr="127.0.0.1", host_port=18087, guest_addr="x", guest_port=80),
    add(proto="tcp", host_addr="127.0.0.1", host_port=18086, guest_addr="10.0.2.100", guest_port=80),
    add(proto="udp", host_port=PORT, guest_port=53, extra=1),
    LIST, '{"execute": "remove_hostfwd"}', remove("1"), remove(999), remove(0), remove(-1), remove(1),
    remove(1), LIST, add(proto="tcp", host_port=PORT, guest_port=80), LIST, LIST + " " * (4095 - len(LIST)),
]
FAILING = [
    add(proto="tcp", host_port=PORT, guest_port=80),
    add(proto="tcp", host_addr="192.0.2.99", host_port=18085, guest_port=80),
]


def test_same_answers(lab):
    """slirp4netns itself answers the same requests in the same words."""
    path = lab.folder / "api"
    lab.daemon().start("-4", "-a", "10.0.2.100/24", "-g", "10.0.2.2", "--api-socket", path)
    with slirp4netns(lab) as other:
        for request in SAME:
            ours, theirs = (json.loads(ask_api(where, request)) for where in (path, other))
            if "entries" in ours:
                equal(ours["return"], {"entries": ours.pop("entries")}, f"the two lists for {request}")
                ours = theirs if "return" in theirs else ours["return"]
            equal(ours, theirs, f"the reply to {request[:100]}")
        for request in FAILING:
            for where in path, other:
                contains(ask_api(where, request), '{"error":{"desc":"bad request: add_hostfwd: ')
