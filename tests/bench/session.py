"""A candidate at work: its daemon started, the guest on it, and what both can be asked for."""

import json
import os
import select
import shlex
import subprocess

from bench import processes
from bench.lab import HOST_ADDR, PREFIX, RR_PORT, SERVER_ADDR, START_SECONDS, Failed
from bench.terms import HOST, SLIRP4NETNS

GUEST_MAC = "52:54:00:12:34:56"
GRACE_SECONDS = 15              # beyond its own duration, for a client to end
HOLDS_PER_SECOND = 100          # connections that even a slow candidate makes


class Session:
    def __init__(self, lab, command, mtu):
        """Starts the daemon on the lab's host and returns when the guest can use its network.
        Of the candidate HOST there is neither; its clients run on the host itself."""
        self.lab, self.daemon, self.client = lab, None, lab.guest
        if command == HOST:
            self.client = lab.host
        elif command == SLIRP4NETNS:
            self._start_slirp4netns(mtu)
        else:
            self._start(shlex.split(command), mtu)

    def _start(self, command, mtu):
        socket = self.lab.folder / "link.sock"
        socket.unlink(missing_ok=True)
        self.daemon = self.lab.host.spawn(*command, "-f", "-s", socket, "--no-map-gw",
                                          piped=False)
        relay = self.lab.guest.spawn(self.lab.tool("tapguest"), "-a", GUEST_MAC, "-m", mtu,
                                 "-w", START_SECONDS, "eth0", socket)
        relay.expect("connected", START_SECONDS + GRACE_SECONDS, beside=self.daemon)
        space = self.lab.guest.space
        space.run("ip", "address", "add", f"{HOST_ADDR}/{PREFIX}", "dev", "eth0")
        space.run("ip", "route", "add", "default", "via", SERVER_ADDR)

    def _start_slirp4netns(self, mtu):
        ready, ready_end = os.pipe()
        try:
            self.daemon = self.lab.host.spawn(
                SLIRP4NETNS, "--netns-type=path", "-c", "-m", mtu, "-r", ready_end,
                self.lab.guest.space.path, "eth0", piped=False, pass_fds=(ready_end,))
        finally:
            os.close(ready_end)
        with open(ready, "rb", buffering=0) as answer:
            if not (select.select([answer], [], [], START_SECONDS)[0] and answer.read(1)):
                raise Failed(self.daemon.obituary())

    def cpu_seconds(self):
        """None without a daemon, as below."""
        self._check_daemon()
        return processes.cpu_seconds(self.daemon.popen.pid) if self.daemon else None

    def resident_bytes(self):
        self._check_daemon()
        return processes.resident_bytes(self.daemon.popen.pid) if self.daemon else None

    def _check_daemon(self):
        if self.daemon and not self.daemon.running():
            raise Failed(f"the daemon has ended: {self.daemon.obituary()}")

    def ask(self, *argv, seconds):
        """What a client answers in JSON, and the daemon's CPU seconds for it, if there is one."""
        before = self.cpu_seconds()
        try:
            said = self.client.run(*argv, seconds=seconds + GRACE_SECONDS)
        except Failed:
            self._check_daemon()        # its end is the better reason
            raise
        cpu = self.cpu_seconds() - before if self.daemon else None
        try:
            return json.loads(said), cpu
        except ValueError:
            raise Failed(f"{os.path.basename(argv[0])}: no JSON: {said[:80]!r}") from None

    def hold(self, count):
        """Opens so many TCP connections, which stay."""
        seconds = GRACE_SECONDS + count / HOLDS_PER_SECOND
        holder = self.client.spawn(self.lab.tool("rr"), "hold", SERVER_ADDR, RR_PORT, count,
                                  seconds, stdin=subprocess.PIPE)
        answer = json.loads(holder.expect("held", seconds + GRACE_SECONDS, beside=self.daemon))
        if answer["held"] != count:
            raise Failed(f"only {answer['held']} of {count} idle flows after {seconds:.0f} s, "
                         f"{answer['errors']} errors")
