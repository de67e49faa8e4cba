#!/usr/bin/env python3
"""tour: boots a guest on postern and has it use its network, one line a step.

To be run by tests/lib/isolated, as the first process of its namespaces.  Ends with a summary line,
and with status 0 if every step was OK.
"""

import argparse
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

import internet
import qemu

PORT_HOST, PORT_GUEST = 2222, 22
EVENT_DEADLINE = 60     # seconds, for what takes one or two on an emulated CPU


class Failed(Exception):
    """A step did not show what it should; says what it showed."""


def require(condition, reason):
    if not condition:
        raise Failed(reason)


class Daemon:
    """A postern process, reached through a folder of its own."""

    def __init__(self, postern, posternctl, folder, log):
        self.posternctl = posternctl
        self.link, self.control, self.pid_file = (
            folder / name for name in ("link", "control", "pid"))
        # The parent returns when the daemon is ready; the daemon is then this process's child.
        done = subprocess.run([postern, "--socket", self.link, "--control", self.control,
                               "--pid", self.pid_file, "--log-file", log,
                               "-t", f"{PORT_HOST}:{PORT_GUEST}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        require(done.returncode == 0, f"postern: {done.stdout.strip()}")
        self.pid = int(self.pid_file.read_text())

    def ask(self, *command):
        """What posternctl prints."""
        done = subprocess.run([self.posternctl, "-s", self.control, *command], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        require(done.returncode == 0, f"posternctl: {done.stdout.strip()}")
        return done.stdout

    def stop(self):
        """Asks it to end; returns its exit status, negative for a signal."""
        os.kill(self.pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Tour:
    """The steps.  Each method returns what to show behind its OK, or raises."""

    ESSENTIAL = "start", "boot", "lease"    # without which those behind them are not tried

    def __init__(self, options):
        self.options = options
        self.net = self.daemon = self.guest = self.client = None
        self.blocked = None
        self.results = []

    def step(self, method):
        name = method.__name__
        try:
            require(not self.blocked, self.blocked)
            word, detail = "OK", method()
        except (Failed, qemu.GuestError, RuntimeError, OSError,
                subprocess.SubprocessError) as error:
            word, detail = "FAIL", str(error).strip()
            if name in self.ESSENTIAL and not self.blocked:
                self.blocked = f"not tried, for want of {name}"
        print(f"{word:4}  {name:10}  {detail}", flush=True)
        self.results.append(word)

    def run(self, command, seconds=EVENT_DEADLINE):
        """Output of a command that must succeed in the guest."""
        status, output = self.guest.run(command, seconds)
        require(status == 0, f"`{command}` ended with {status}: {output}")
        return output

    def start(self):
        self.net = internet.Internet(pathlib.Path(tempfile.mkstemp()[1]))
        self.daemon = Daemon(self.options.postern, self.options.posternctl,
                             pathlib.Path(tempfile.mkdtemp()), self.options.log / "postern.log")
        return f"postern listens at {self.daemon.link}"

    def boot(self):
        accel = qemu.TCG
        if self.options.kvm:
            refusal = qemu.kvm_refusal(self.options.image)
            print(f"      KVM: {refusal or 'a guest boots with it'}", flush=True)
            accel = accel if refusal else qemu.KVM
        start = time.monotonic()
        self.guest = qemu.Guest(self.options.image, self.daemon.link, accel,
                                open(self.options.log / "console.log", "wb"))
        version = self.guest.boot()
        return f"Linux {version} on QEMU ({accel[1]}) in {time.monotonic() - start:.0f} s"

    def lease(self):
        said = self.run("udhcpc -i eth0 -f -q -n -t 5 -T 2 -s /etc/udhcpc 2>&1")
        lease = re.search(r"^lease .*", said, re.M)
        require(lease, said)
        for part in (f"address={internet.HOST}/24", f"gateway={internet.ROUTER}",
                     f"dns={internet.SERVER}"):
            require(part in lease[0].split(), f"no {part} in: {lease[0]}")
        return lease[0].removeprefix("lease ")

    def ping(self):
        said = self.run(f"ping -c 3 -w 10 {internet.ROUTER} 2>&1")
        return f"{internet.ROUTER}: " + ", ".join(said.strip().splitlines()[-2:])

    def traceroute(self):
        said = self.run(f"traceroute -n -q 1 -w 3 -m 5 {internet.SERVER} 2>&1")
        hops = re.findall(r"^ *\d+ +(\S+)", said, re.M)
        require(hops == [internet.ROUTER, internet.SERVER], said)
        return " -> ".join(hops)

    def resolve(self):
        said = self.run(f"nslookup -type=a {internet.SITE} 2>&1")
        require(f"Address: {internet.SERVER}" in said.splitlines(), said)
        return f"{internet.SITE} is {internet.SERVER}"

    def forward(self):
        """Leaves its connection open, for the step flows to show."""
        nonce = secrets.token_hex(8)
        self.client = socket.create_connection(("127.0.0.1", PORT_HOST), EVENT_DEADLINE)
        self.client.sendall(f"{nonce}\n".encode())
        answer = self.client.makefile().readline().strip()
        require(answer == f"guest {nonce}", f"the guest answered {answer!r}")
        peer = re.search(rf":{PORT_GUEST} +(\S+):\d+ +ESTABLISHED", self.run("netstat -tn"))
        require(peer, "the guest's netstat does not know the connection")
        require(peer[1].endswith(internet.ROUTER), f"the guest takes {peer[1]} for its client")
        return f"host port {PORT_HOST} to guest port {PORT_GUEST}, client seen as {internet.ROUTER}"

    def flows(self):
        """Starts the fetch and looks while that is half done."""
        self.run(f"timeout 300 wget -q -O - http://{internet.SITE}/ 2>/tmp/error | "
                 "sha256sum >/tmp/sum & fetch=$!")
        require(self.net.web.half.wait(EVENT_DEADLINE * 2), "the fetch did not come to its middle")
        table = self.daemon.ask("flows").rstrip()
        print(re.sub("^", "      ", table, flags=re.M))
        for what, port in ("fetch", 80), ("forward", PORT_GUEST):
            require(re.search(rf":{port}\b", table), f"no flow with port {port}, for the {what}")
        return "posternctl shows the forward and the fetch under way"

    def fetch(self):
        self.net.web.resume.set()
        said = self.run("wait $fetch; cat /tmp/sum /tmp/error", EVENT_DEADLINE * 4).split()
        require(said[:1] == [self.net.web.sha256], f"sha256 {' '.join(said)}, not {self.net.web.sha256}")
        return f"{internet.FILE_SIZE >> 20} MiB by HTTP, sha256 {said[0][:16]}... is the server's"

    def stop(self):
        """With the guest still on the link and a connection open."""
        status = self.daemon.stop()
        require(status == 0, f"postern ended with {status}")
        left = [path.name for path in self.daemon.link.parent.iterdir()]
        require(not left, f"postern left behind {' '.join(left)}")
        return "postern ended and left no file behind"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postern", required=True)
    parser.add_argument("--posternctl", required=True)
    parser.add_argument("--image", required=True, help="folder filled by fetch")
    parser.add_argument("--log", required=True, type=pathlib.Path, help="folder for logs")
    parser.add_argument("--kvm", action="store_true", help="use KVM, if a guest boots with it")
    parser.add_argument("--shell", action="store_true", help="end in the guest's shell")
    options = parser.parse_args()

    options.log.mkdir(parents=True, exist_ok=True)
    tour = Tour(options)
    for step in (tour.start, tour.boot, tour.lease, tour.ping, tour.traceroute, tour.resolve,
                 tour.forward, tour.flows, tour.fetch):
        tour.step(step)
    if options.shell and tour.guest:
        print("The guest's shell; Ctrl-] leaves it.", flush=True)
        tour.guest.interact()
    if tour.daemon:
        tour.blocked = None
    tour.step(tour.stop)
    good, total = tour.results.count("OK"), len(tour.results)
    print(f"{good} of {total} steps OK; logs in {options.log}")
    return 0 if good == total else 1


if __name__ == "__main__":
    sys.exit(main())
