"""A QEMU on the lab's host: its guest, its monitor, and what tests have the guest do."""

import contextlib
import os
import pathlib
import re
import secrets
import socket
import sys

from lab.checks import Skip, check, equal, eventually
from lab.daemon import SANITIZERS, Qmp
from lab.lab import SERVER_ADDR, SERVER_ADDR6
from lab.node import need
from lab.servers import HttpServer, TcpServer, echo, pattern, sha256

TESTS = pathlib.Path(__file__).resolve().parents[2]
IMAGE = TESTS.parent / "build/guest"
NEWEST = TESTS.parent / "build/newest-qemu"
sys.path.append(str(TESTS / "guest"))
import qemu     # noqa: E402

# Seconds for what takes one or two on an emulated CPU that has the host's to itself.
EVENT_DEADLINE = 90
# A command of the guest: how many connections a reset has ended so far.
RESETS = "awk '/^Tcp: [0-9]/ { print $9 }' /proc/net/snmp"


def image():
    """The folder with the guest's kernel."""
    if not (IMAGE / "initramfs").exists():
        raise Skip(f"no kernel for a guest: tests/guest/fetch has not filled {IMAGE}")
    return IMAGE


def installed():
    """The command of the system's QEMU."""
    need(*qemu.INSTALLED)
    return qemu.INSTALLED


def newest():
    """The command of Debian unstable's QEMU."""
    if not (NEWEST / "packages").exists():
        raise Skip(f"no QEMU of Debian unstable: tests/guest/fetch-qemu has not filled {NEWEST}")
    return qemu.newest(NEWEST)


def environment(lab):
    """For a QEMU, which has a folder of its own for temporary files, and for daemons that it starts."""
    (lab.folder / "tmp").mkdir(exist_ok=True)
    return os.environ | SANITIZERS | {"TMPDIR": str(lab.folder / "tmp")}


class Monitor(Qmp):
    """A client of QEMU's own monitor, whose schema is not ours."""

    @staticmethod
    def check(*_message):
        pass


def monitor_options(path):
    return ["-qmp", f"unix:{path},server=on,wait=off"]


def monitor_connect(process, path):
    """A session with the monitor that a starting QEMU opens at `path`."""
    def attempt():
        check(process.poll() is None, f"QEMU ended with status {process.returncode}")
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(path))
        except OSError:
            sock.close()
            return None
        return sock
    sock = eventually(attempt, EVENT_DEADLINE, "QEMU's monitor listens")
    sock.settimeout(EVENT_DEADLINE)
    session = Monitor(sock)
    session.handshake()
    return session


class Machine(qemu.Guest):
    """A running QEMU with its monitor, until the end of the test or close()."""

    count = 0

    def __init__(self, lab, command, netdev=None, state=None, paused=False):
        """With `state` the guest goes on where it was when that file was saved; a `paused` one
        waits for resume()."""
        Machine.count += 1
        self.lab, self.qemu, self.netdev = lab, command, netdev
        path = lab.folder / f"monitor{Machine.count}"
        options = monitor_options(path)
        if state:
            options += ["-incoming", f"exec:cat {state}"]
        if paused:
            options.append("-S")
        super().__init__(image(), netdev, log=open(lab.logs / "console.log", "ab"), qemu=command,
                         options=options, env=environment(lab),
                         start=lambda argv, **kwargs: lab.host.spawn(*argv, **kwargs),
                         stderr=open(lab.logs / "qemu.log", "ab"))
        self.monitor = monitor_connect(self.process, path)
        if state:   # what is typed before that is lost
            eventually(lambda: self.monitor.execute("query-status")["running"], EVENT_DEADLINE,
                       "the guest goes on")

    def save(self, state):
        """Writes the guest to a file; it does not run any more then."""
        self.monitor.execute("migrate", uri=f"exec:cat >{state}")
        status = eventually(lambda: self.status("completed", "failed"), 2 * EVENT_DEADLINE,
                            "the guest is saved", interval=0.2)
        equal(status, "completed", "the outcome of saving the guest")

    def restored(self, state):
        """Another QEMU like this one, in which the guest that was saved goes on."""
        return Machine(self.lab, self.qemu, self.netdev, state)

    def status(self, *awaited):
        status = self.monitor.execute("query-migrate").get("status")
        return status if status in awaited else None

    def plug(self, netdev):
        """Gives the guest a network interface on that backend, as if it had been there at start."""
        self.monitor.execute("netdev_add", id="net0", **netdev)
        self.monitor.execute("device_add", driver="virtio-net-pci", id="nic0", netdev="net0",
                             mac=qemu.MAC, romfile="")

    def resume(self):
        self.monitor.execute("cont")

    # What the guest does.

    def address(self):
        shown = self.must("ip -4 addr show dev eth0")
        return re.search(r"inet (\S+)", shown)[1]

    def wait_ip6(self):
        """Waits until the guest has made an address of what it is advertised."""
        self.must("n=0; until ip -6 addr show dev eth0 scope global | grep -v tentative | "
                  "grep -q inet6; do [ $((n += 1)) -lt 600 ]; sleep 0.1; done", EVENT_DEADLINE)

    def download(self, port, addr=SERVER_ADDR, size=1 << 20):
        """Fetches `size` bytes from an HttpServer."""
        host = f"[{addr}]" if ":" in addr else addr
        said = self.must(f"timeout {EVENT_DEADLINE} wget -q -O - http://{host}:{port}/{size} | "
                         "sha256sum", 2 * EVENT_DEADLINE)
        equal(said.split()[0], sha256(pattern(size)), f"the sum of what came from {addr} ({said})")

    def open_flow(self, server):
        """Connects to a TcpServer, which gets to see a word of the guest; the connection stays."""
        self.must(f"resets=$({RESETS}); rm -f /tmp/to; mkfifo /tmp/to; "
                  f"nc {server.addr} {server.port} </tmp/to >/tmp/from 2>&1 & flow=$!; "
                  "exec 7>/tmp/to; echo hello >&7; until grep -q hello /tmp/from; do sleep 0.1; done")

    def expect_flow_reset(self):
        """The guest speaks on that connection, and learns that it is no more."""
        said = self.must("echo still there >&7 2>/dev/null; wait $flow; "
                         f"echo $(($({RESETS}) - resets))", EVENT_DEADLINE)
        check(int(said) > 0, "the old connection ended without a reset")


class Network:
    """Servers of both families, and what a guest that is online can do with them."""

    def __init__(self, lab):
        self.lab = lab
        lab.add_ip6()
        self.port = HttpServer(lab, lab.server, "::").port
        self.echo = TcpServer(lab, lab.server.tcp_listen(SERVER_ADDR), echo)

    def check_online(self, guest, address):
        """The guest still has its address, is found through the forward, and downloads."""
        equal(guest.address(), address, "the guest's address")
        ask_guest(self.lab, 2222).close()
        guest.download(self.port)
        guest.download(self.port, SERVER_ADDR6)


def ask_guest(lab, port):
    """Asks the guest's service through the forward of a port; returns the connection."""
    word = secrets.token_hex(8)
    client = lab.host.tcp_connect("127.0.0.1", port, EVENT_DEADLINE)
    client.sendall(f"{word}\n".encode())
    equal(client.makefile().readline().strip(), f"guest {word}", "the guest's answer")
    return client


def expect_end(client):
    """The client of a forward learns that its guest is no more."""
    client.settimeout(EVENT_DEADLINE)
    with contextlib.suppress(ConnectionResetError):
        equal(client.recv(100), b"", "what the old connection says")


def wait_guest(daemon):
    """Waits until a guest is on the daemon's link."""
    eventually(lambda: daemon.ctl_json("status")["guest"]["connected"], EVENT_DEADLINE,
               "the guest is on the link", interval=0.1)
