#!/usr/bin/env python3
"""tour: boots a guest on postern and has it use its network, one line a step.

To be run by tests/lib/isolated.  The guest's internet is the lab of the integration tests.  Ends
with a summary line, and with status 0 if every step was OK.
"""

import argparse
import os
import pathlib
import re
import secrets
import sys
import threading
import time

import qemu

sys.path += [str(pathlib.Path(__file__).resolve().parents[1] / part)
             for part in ("lib", "integration")]
from lab.checks import check, contains, equal                                  # noqa: E402
from lab.lab import (DNS_ADDR, HOST_ADDR, PREFIX6, ROUTER_ADDR, ROUTER_ADDR6,   # noqa: E402
                     SERVER_ADDR, SERVER_ADDR6, Lab)
from lab.servers import HttpServer, TcpServer, pattern, sha256                 # noqa: E402

PORT_HOST, PORT_GUEST = 2222, 22
SITE = "www.lab.example"
EVENT_DEADLINE = 60     # seconds, for what takes one or two on an emulated CPU


class HalfwayServer:
    """Serves random bytes by HTTP, over both families.  Half way it sets `half` and waits for `resume`, so that a look
    at the transfer finds it running."""

    def __init__(self, lab, size):
        content = os.urandom(size)
        self.sha256 = sha256(content)
        self.half, self.resume = threading.Event(), threading.Event()

        def serve(conn, _peer):
            request = conn.makefile("rb")
            while request.readline().strip():
                pass
            conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            conn.settimeout(None)   # however slow the guest; the steps have their deadlines
            conn.sendall(content[:size // 2])
            self.half.set()
            self.resume.wait()
            conn.sendall(content[size // 2:])

        TcpServer(lab, lab.server.tcp_listen("::", 80), serve)


class Tour:
    """The steps.  Each method returns what to show behind its OK, or raises."""

    ESSENTIAL = "start", "boot", "lease"    # without which those behind them are not tried

    def __init__(self, lab, image, kvm=False):
        """`image` is a folder filled by fetch; with `kvm` a guest is tried with KVM first."""
        self.lab, self.image, self.kvm = lab, image, kvm
        self.daemon = self.guest = self.web = self.client = None
        self.blocked = None
        self.results = []

    def step(self, method):
        name = method.__name__
        try:
            check(not self.blocked, self.blocked)
            word, detail = "OK", method()
        except Exception as error:  # noqa: whatever a step raises fails it
            word, detail = "FAIL", str(error).strip()
            if name in self.ESSENTIAL and not self.blocked:
                self.blocked = f"not tried, for want of {name}"
        print(f"{word:4}  {name:10}  {detail}", flush=True)
        self.results.append((word, name, detail))

    def take(self):
        """All steps but the last."""
        for method in (self.start, self.boot, self.lease, self.ping, self.traceroute,
                       self.ip6, self.ping6, self.fetch6, self.resolve, self.forward,
                       self.flows, self.fetch):
            self.step(method)

    def run(self, command, seconds=EVENT_DEADLINE):
        """Output of a command that must succeed in the guest."""
        return self.guest.must(command, seconds)

    def start(self):
        self.lab.add_ip6()
        self.lab.name_server()
        self.web = HalfwayServer(self.lab, 64 << 20)
        self.daemon = self.lab.daemon().start("-t", f"{PORT_HOST}:{PORT_GUEST}")
        return f"postern listens on {self.daemon.socket}"

    def boot(self):
        accel = qemu.TCG
        if self.kvm:
            refusal = qemu.kvm_refusal(self.image)
            print(f"      KVM: {refusal or 'a guest boots with it'}", flush=True)
            accel = accel if refusal else qemu.KVM
        start = time.monotonic()
        self.guest = qemu.Guest(self.image, qemu.stream(self.daemon.socket), accel,
                                open(self.lab.logs / "console.log", "wb"))
        version = self.guest.boot()
        return f"Linux {version} on QEMU ({accel[1]}) in {time.monotonic() - start:.0f} s"

    def lease(self):
        lease = self.guest.lease()
        for part in f"address={HOST_ADDR}/24", f"gateway={ROUTER_ADDR}", f"dns={DNS_ADDR}":
            contains(lease.split(), part, "the lease")
        return lease

    def ping(self):
        said = self.run(f"ping -c 3 -w 10 {ROUTER_ADDR}")
        return f"{ROUTER_ADDR}: " + ", ".join(said.strip().splitlines()[-2:])

    def traceroute(self):
        said = self.run(f"traceroute -n -q 1 -w 3 -m 5 {SERVER_ADDR}")
        hops = re.findall(r"^ *\d+ +(\S+)", said, re.M)
        equal(hops, [ROUTER_ADDR, SERVER_ADDR], "the route")
        return " -> ".join(hops)

    def ip6(self):
        """The address that the guest's kernel makes of what it is advertised."""
        self.run("n=0; until ip -6 addr show dev eth0 scope global | grep -v tentative | grep inet6;"
                 " do [ $((n += 1)) -lt 100 ] || break; sleep 0.1; done")
        shown = self.run("ip -6 addr show dev eth0 scope global; ip -6 route")
        addr = re.search(rf"inet6 ({PREFIX6}\S+)", shown)
        route = re.search(r"^default via (\S+)", shown, re.M)
        check(addr and route, shown)
        return f"{addr[1]}, default route via {route[1]}"

    def ping6(self):
        said = self.run(f"ping -6 -c 3 -w 10 {ROUTER_ADDR6}")
        return f"{ROUTER_ADDR6}: " + ", ".join(said.strip().splitlines()[-2:])

    def fetch6(self):
        port, size = HttpServer(self.lab, self.lab.server, "::").port, 1 << 20
        said = self.run(f"wget -q -O - http://[{SERVER_ADDR6}]:{port}/{size} | sha256sum")
        equal(said.split()[0], sha256(pattern(size)), "the sum")
        return f"1 MiB by HTTP from {SERVER_ADDR6}, sha256 as it should be"

    def resolve(self):
        said = self.run(f"nslookup -type=a {SITE}")
        contains(said.splitlines(), f"Address: {SERVER_ADDR}", "the answer")
        return f"{SITE} is {SERVER_ADDR}"

    def forward(self):
        """Leaves its connection open, for the step flows to show."""
        nonce = secrets.token_hex(8)
        self.client = self.lab.host.tcp_connect("127.0.0.1", PORT_HOST, EVENT_DEADLINE)
        self.client.sendall(f"{nonce}\n".encode())
        equal(self.client.makefile().readline().strip(), f"guest {nonce}", "the guest's answer")
        peer = re.search(rf":{PORT_GUEST} +\S*?([\d.]+):\d+ +ESTABLISHED", self.run("netstat -tn"))
        equal(peer and peer[1], ROUTER_ADDR, "the client's address as the guest sees it")
        return f"host port {PORT_HOST} to guest port {PORT_GUEST}, client seen as {ROUTER_ADDR}"

    def flows(self):
        """Starts the fetch and looks while that is half done."""
        self.run(f"timeout 300 wget -q -O - http://{SITE}/ 2>/tmp/error | sha256sum >/tmp/sum &"
                 " fetch=$!")
        while not self.web.half.wait(5):
            self.run("kill -0 $fetch || { cat /tmp/error; false; }")
        table = self.daemon.ctl("flows").rstrip()
        print(re.sub("^", "      ", table, flags=re.M))
        for what, port in ("fetch", 80), ("forward", PORT_GUEST):
            check(re.search(rf":{port}\b", table), f"no flow with port {port}, for the {what}")
        return "posternctl shows the forward and the fetch under way"

    def fetch(self):
        self.web.resume.set()
        said = self.run("wait $fetch; cat /tmp/sum /tmp/error", EVENT_DEADLINE * 4).split()
        equal(said[:1], [self.web.sha256], "the sum, and wget's error,")
        return f"64 MiB by HTTP, sha256 {said[0][:16]}... is the server's"

    def stop(self):
        """With the guest still on the link and a connection open."""
        self.daemon.stop()
        left = [str(path) for path in (self.daemon.socket, self.daemon.control) if path.exists()]
        equal(left, [], "what postern left behind")
        return "postern ended and left no socket behind"

    def finish(self):
        """The last step; returns what each step that failed said."""
        if self.daemon:
            self.blocked = None
        self.step(self.stop)
        if self.guest:
            self.guest.close()
        return [f"{name}: {detail}" for word, name, detail in self.results if word == "FAIL"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builddir", required=True, help="where postern was built")
    parser.add_argument("--image", required=True, help="folder filled by fetch")
    parser.add_argument("--log", required=True, type=pathlib.Path, help="folder for logs")
    parser.add_argument("--kvm", action="store_true", help="use KVM, if a guest boots with it")
    parser.add_argument("--shell", action="store_true", help="end in the guest's shell")
    options = parser.parse_args()

    os.environ["BUILDDIR"] = os.path.abspath(options.builddir)
    options.log.mkdir(parents=True, exist_ok=True)
    tour = Tour(Lab(options.log), options.image, options.kvm)
    tour.take()
    if options.shell and tour.guest:
        print("The guest's shell; Ctrl-] leaves it.", flush=True)
        tour.guest.interact()
        print()
    failed = tour.finish()
    total = len(tour.results)
    print(f"{total - len(failed)} of {total} steps OK; logs in {options.log}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
