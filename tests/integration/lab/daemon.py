"""The daemon under test: started, watched, stopped, and its log judged."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess

from lab.checks import check, contains, equal, eventually
from lab.node import need
from lab.schema import check_message

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|Assertion .* failed|SUMMARY: \w+Sanitizer")
STOP_SECONDS = 20


def program(name):
    """Path of a program under test: from the environment (POSTERN=...), or in the build folder."""
    return os.environ.get(name.upper()) or os.path.join(os.environ["BUILDDIR"], name)


def plain_program(name):
    """Path of a program under test, built without sanitizers."""
    return os.path.join(os.environ["PLAINDIR"], name)


def tool_path(name):
    """Path of a tool of the tests."""
    return os.path.join(os.environ["TOOLDIR"], name)


def unix_listening(node, path):
    """True when a UNIX socket of the node listens on the path; connects to nothing."""
    with node.space.entered(), open("/proc/thread-self/net/unix") as table:
        return any(line.split()[-1] == str(path) and line.split()[3] == "00010000"
                   for line in table if line.rstrip().endswith(str(path)))


def ask_api(path, request, end=True):
    """The reply, as text, to a request on a socket of --api-socket, or on slirp4netns' own.

    With `end`, the client ends its half of the connection behind the request, as it should."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(request.encode())
        if end:
            sock.shutdown(socket.SHUT_WR)
        reply = b""
        # What the server left unread when it closed resets the connection, behind the reply.
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(1 << 16):
                reply += data
        return reply.decode()


class Daemon:
    """One run of the daemon on a node. Every run ends with stop(), at the latest by the lab."""

    count = 0

    def __init__(self, lab, node):
        Daemon.count += 1
        self.lab, self.node = lab, node
        self.tag = f"postern{Daemon.count}" if Daemon.count > 1 else "postern"
        self.socket = lab.folder / f"{self.tag}.sock"
        self.control = lab.folder / f"{self.tag}.ctl"
        self.log_path = lab.logs / f"{self.tag}.log"
        self.process = None
        self.expected_status = 0

    def start(self, *args, foreground=True, sockets=True, wait=True, binary=None, wrapper=(),
              preload=None, **kwargs):
        """Runs the daemon with -s and --control, unless `sockets` is false, and with args.

        It runs in the whole sandbox, which fails the start where it cannot be had, unless args say else.

        In the foreground, waits until its socket listens; else until the parent has exited."""
        binary = binary or program("postern")
        need(binary)
        argv = [*wrapper, *(["env", f"LD_PRELOAD={preload}"] if preload else []), binary, "--sandbox=strict"]
        if foreground:
            argv.append("-f")
        if sockets:
            argv += ["-s", self.socket, "--control", self.control]
        with open(self.log_path, "ab") as log:
            self.process = self.node.spawn(*argv, *args, stdout=log, stderr=log,
                                           env=os.environ | SANITIZERS, **kwargs)
        if wait and sockets:
            eventually(lambda: self.process.poll() is not None or self.listening(),
                       30, "the daemon listens on its socket")
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with status {self.process.returncode} "
                                     f"instead of starting: {self.log().strip()[-600:]}")
        return self

    def fails_to_start(self, *args, timeout=30, **kwargs):
        """Runs the daemon with args that it must refuse; returns what it printed."""
        self.start(*args, wait=False, **kwargs)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("the daemon started, although it should refuse to") from None
        self.judge(1)
        return self.log()

    def listening(self):
        return unix_listening(self.node, self.socket)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, text, timeout=10):
        """Waits for the text in the log."""
        eventually(lambda: text in self.log(), timeout, f"{text!r} is in the daemon's log")

    def stop(self, signum=signal.SIGTERM):
        """Ends the daemon and fails unless it ended as it should and left a clean log."""
        if self.process is None or self.process.returncode is not None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signum)
        self.wait_exit(0)

    def wait_exit(self, status, timeout=STOP_SECONDS):
        """Waits until the daemon has ended of itself, with this status."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the daemon did not end within {timeout} s") from None
        self.judge(status)

    def judge(self, status):
        report = REPORT.search(self.log())
        check(not report, f"the daemon's log has {report and report.group()!r}")
        equal(self.process.returncode, status, "the daemon's exit status")

    def cpu_seconds(self):
        """User and system time so far."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def peak_kb(self):
        """The largest resident memory so far."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # The control socket.

    def ctl(self, *command, status=0):
        """Output of posternctl COMMAND."""
        return self.node.run(program("posternctl"), "-s", self.control, *command,
                             status=status)

    def ctl_json(self, *command):
        """What posternctl COMMAND --json prints, decoded."""
        return json.loads(self.ctl(*command, "--json"))

    def stat(self, name):
        """The value of a counter."""
        with self.qmp() as session:
            return next(row["value"] for row in session.execute("query-stats")
                        if row["name"] == name)

    def connect_control(self, timeout=10):
        """A connected socket to the control path, nothing read yet."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(str(self.control))
        return sock

    @contextlib.contextmanager
    def qmp(self):
        """A control session behind its handshake."""
        session = Qmp(self.connect_control())
        try:
            session.handshake()
            yield session
        finally:
            session.close()


class Qmp:
    """A control client that speaks the protocol itself."""

    check = staticmethod(check_message)     # of all that comes, and of replies with their command

    def __init__(self, sock):
        self.sock = sock
        self.stream = sock.makefile("rb")

    def send_raw(self, data):
        self.sock.sendall(data)

    def send_fd(self, data, file):
        """Sends data with the file's descriptor beside it."""
        socket.send_fds(self.sock, [data], [file.fileno()])

    def receive(self):
        """The next object, None at the end of the stream."""
        line = self.stream.readline()
        message = json.loads(line) if line else None
        if message:
            self.check(message)
        return message

    def receive_reply(self):
        """The next object that is no event."""
        while "event" in (reply := self.receive() or {"error": {"desc": "connection closed"}}):
            pass
        return reply

    def receive_event(self, name):
        """The data of the next event of that name; what comes before it is passed over."""
        while (message := self.receive()) and message.get("event") != name:
            pass
        check(message, f"the connection ended without {name}")
        return message["data"]

    def handshake(self):
        greeting = self.receive()
        contains(greeting or {}, "QMP", "the greeting")
        equal(self.execute("qmp_capabilities"), {}, "the reply to qmp_capabilities")
        return greeting

    def send(self, command, arguments=None, **extra):
        """Sends one command."""
        message = {"execute": command} | extra
        if arguments is not None:
            message["arguments"] = arguments
        self.send_raw(json.dumps(message).encode() + b"\n")

    def request(self, command, arguments=None, **extra):
        """Sends one command and returns the whole reply, events skipped."""
        self.send(command, arguments, **extra)
        reply = self.receive_reply()
        self.check(reply, command)
        return reply

    def execute(self, command, **arguments):
        """The command's return value; an error reply fails the test."""
        reply = self.request(command, arguments or None)
        if "return" not in reply:
            raise AssertionError(f"{command}: {reply}")
        return reply["return"]

    def close(self):
        self.stream.close()
        self.sock.close()
