"""The lab of one candidate's turn: a guest, a host and a server in namespaces of their own.

    guest ---- candidate ---- host ======= server
          (TAP)          198.51.100.2      198.51.100.1
                                 veth or a long wire

Each turn has a new lab, so that no one finds ports in TIME-WAIT, or metrics of a route, that
another left behind. What runs here ends with the lab, or with the namespaces around the benchmark.
"""

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import time

import netns
from bench import processes

HOST_ADDR, SERVER_ADDR, PREFIX = "198.51.100.2", "198.51.100.1", 24
RR_PORT, UDPLOAD_PORT = 7000, 7001
PORT_RANGE = "1024 65535"       # many short connections go by before a port is free again
START_SECONDS = 20
TRANSMIT_DROPS = 11     # the column of /proc/net/dev, the first behind the name being 0


class Failed(Exception):
    """A measurement that did not come about; the text says why."""


def ending(status):
    """How a process ended, in words."""
    return f"status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


class Process:
    """A process in the background. What it prints can be waited for, or goes to its log."""

    def __init__(self, command, name, log, piped=True, **kwargs):
        self.name, self.log, self.said = name, pathlib.Path(log), b""
        with open(log, "ab") as file:
            self.popen = subprocess.Popen(
                command, stdout=subprocess.PIPE if piped else file, stderr=file,
                **{"stdin": subprocess.DEVNULL} | kwargs)
        self.pidfd = os.pidfd_open(self.popen.pid)

    def expect(self, word, seconds=START_SECONDS, beside=None):
        """Waits for a line with the word, and returns that. The process `beside` must not end."""
        deadline = time.monotonic() + seconds
        while True:
            line, end, rest = self.said.partition(b"\n")
            if not end:
                if not self._listen(deadline, beside):
                    raise Failed(f"{self.name}: no {word!r} within {seconds:.0f} s")
                continue
            self.said = rest
            if word in line.decode(errors="replace"):
                return line.decode(errors="replace")

    def _listen(self, deadline, beside):
        """Takes more of what it prints. False if nothing came in time."""
        pipe = self.popen.stdout.fileno()
        ready = select.select([pipe] + ([beside.pidfd] if beside else []), [], [],
                              max(0, deadline - time.monotonic()))[0]
        if ready and pipe not in ready:
            raise Failed(beside.obituary())
        data = os.read(pipe, 1 << 16) if ready else b""
        if ready and not data:
            raise Failed(self.obituary())
        self.said += data
        return bool(ready)

    def obituary(self):
        """How it ended, in its own last words."""
        try:
            end = ending(self.popen.wait(1))
        except subprocess.TimeoutExpired:
            end = "still running"
        words = self.log.read_text(errors="replace").strip().splitlines()
        return f"{self.name}: {end}" + (f": {words[-1]}" if words else "")

    def running(self):
        return self.popen.poll() is None

    def end(self):
        """Kills it, and what it has started."""
        if self.running():
            for pid in reversed(processes.tree(self.popen.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pidfd = -1     # it may be ended again, with its place


class Place:
    """A network namespace, and the processes in it."""

    def __init__(self, folder):
        self.folder = folder
        self.space = netns.create()
        self.space.sysctl("ipv4/ip_local_port_range", PORT_RANGE)
        self.processes = []

    def spawn(self, *argv, **kwargs):
        name = os.path.basename(str(argv[0]))
        process = Process(self.space.command(*map(str, argv)), name,
                          self.folder / f"{name}.log", **kwargs)
        self.processes.append(process)
        return process

    def run(self, *argv, seconds):
        """What argv prints, run to its end within so many seconds."""
        name = os.path.basename(str(argv[0]))
        try:
            done = subprocess.run(self.space.command(*map(str, argv)), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{name}: not done after {seconds:.0f} s") from None
        if done.returncode and not done.stdout:
            words = done.stderr.strip().splitlines()[-1:]
            raise Failed(": ".join([name, ending(done.returncode), *words]))
        return done.stdout

    def control_congestion(self, name):
        """Gives the routes of now the congestion control of that name. The sysctl does not let a
        namespace choose each that the machine has."""
        for route in self.space.run("ip", "route", "show").splitlines():
            self.space.run("ip", "route", "replace", *route.split(), "congctl", name)

    def transmit_drops(self, interface):
        """How many frames the interface could not send."""
        with self.space.entered(), open("/proc/thread-self/net/dev") as table:
            for line in table:
                name, _, counts = line.partition(":")
                if name.strip() == interface:
                    return int(counts.split()[TRANSMIT_DROPS])
        raise KeyError(interface)

    def close(self):
        for process in self.processes:
            process.end()
        os.close(self.space.fd)


class Lab:
    def __init__(self, tools, folder, condition, seed):
        """`tools` is the folder of the built tools; files of the lab go into `folder`.
        The seed says which frames a wire with loss takes away."""
        self.tools, self.folder = pathlib.Path(tools), pathlib.Path(folder)
        with contextlib.ExitStack() as undo:
            self.guest, self.host, self.server = (
                self._place(undo) for _ in ("guest", "host", "server"))
            self.ends = ((self.host, "uplink", HOST_ADDR), (self.server, "eth0", SERVER_ADDR))
            self._wire(condition, seed)
            self.host.space.allow_ping_sockets()
            self.host.space.run("ip", "route", "add", "default", "via", SERVER_ADDR)
            self.server.spawn(self.tool("rr"), "server", SERVER_ADDR, RR_PORT).expect("ready")
            self.server.spawn(self.tool("udpload"), "server", SERVER_ADDR,
                              UDPLOAD_PORT).expect("ready")
            self.close = undo.pop_all().close

    def _place(self, undo):
        place = Place(self.folder)
        undo.callback(place.close)
        return place

    def _wire(self, condition, seed):
        if condition.veth:
            netns.connect(*(part for place, name, addr in self.ends
                            for part in (place.space, name, f"{addr}/{PREFIX}")))
            return
        self.host.spawn(self.tool("wan"), *(part for place, name, _ in self.ends
                                            for part in (place.space.path, name)),
                        condition.delay_us, condition.loss_ppm, 0, seed).expect("ready")
        for place, name, addr in self.ends:
            place.space.run("ip", "address", "add", f"{addr}/{PREFIX}", "dev", name)

    def wire_overflows(self):
        """How many frames found no room on the wire so far, which is none of its faults."""
        return sum(place.transmit_drops(name) for place, name, _ in self.ends)

    def tool(self, name):
        return self.tools / name
