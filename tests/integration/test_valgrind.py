"""Memory errors and leaks that the sanitizers do not see: a short run under valgrind."""

import os
import pathlib

from lab.checks import check, contains, deadline, equal, eventually
from lab.lab import SERVER_ADDR
from lab.node import need
from lab.servers import TcpServer, echo, pattern, receive_all, udp_echo

SUPPRESSIONS = pathlib.Path(__file__).with_name("valgrind.supp")


@deadline(180)
def test_clean_shutdown(lab):
    """A run with every kind of traffic ends without an error or a leak."""
    need("valgrind")
    binary = os.path.join(os.environ["PLAINDIR"], "postern")
    need(binary)
    lab.name_server()
    daemon = lab.daemon()
    log = lab.logs / "valgrind.log"
    daemon.start("--sandbox=none", "-t", "2222:22", "-u", "2222:22", "-p", lab.folder / "all.pcapng",
                 binary=binary, wrapper=[
        "valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
        "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=98",
        f"--suppressions={SUPPRESSIONS}", f"--log-file={log}"])
    lab.guest.attach(daemon)
    lab.guest.run("udhcpc", "-f", "-q", "-n", "-i", "eth0", "-t", 10, "-T", 2)
    contains(lab.guest.run("ping", "-n", "-c2", "-i0.2", "-W10", SERVER_ADDR), "2 received")
    contains(lab.guest.run("dig", "+short", "+time=10", "www.lab.example"), SERVER_ADDR)
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    for size in (1, 1 << 20):
        with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=60) as sock:
            data = pattern(size)
            lab.thread(sock.sendall, data)
            check(receive_all(sock, size) == data, "the echo differs")
    sock = lab.server.udp_socket()
    udp_echo(lab, sock)
    client = lab.guest.udp_socket()
    client.sendto(b"x", (SERVER_ADDR, sock.getsockname()[1]))
    equal(client.recv(10), b"x", "the echo")
    TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    with lab.server.tcp_connect("192.0.2.2", 2222) as sock:
        sock.sendall(b"in")
        equal(receive_all(sock, 2), b"in", "the echo through the forward")
    with daemon.qmp() as session:
        for command in ("query-status", "query-flows", "query-stats"):
            session.execute(command)
    daemon.ctl("capture", lab.folder / "ring.pcapng", "--ring", 131072)
    left_open = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    daemon.stop()
    left_open.close()
    eventually(log.exists, 5, "valgrind has written its log")
    equal(log.read_text(), "", "what valgrind found")
