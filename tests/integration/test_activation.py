"""Sockets that a service manager hands over."""

import json
import os
import pathlib
import shutil
import signal
import socket

from lab.checks import Skip, check, contains, equal, eventually
from lab.daemon import SANITIZERS, ask_api, plain_program, program
from lab.frames import Link
from lab.lab import SERVER_ADDR

# What a manager does between fork and exec: NAME=FD... -- COMMAND...
LAUNCH = """
import os, sys
end = sys.argv.index("--")
given = [word.split("=") for word in sys.argv[1:end]]
for i, (_, fd) in enumerate(given):
    os.dup2(int(fd), 100 + i)
for i in range(len(given)):
    os.dup2(100 + i, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
if any(name for name, _ in given):
    os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in given)
os.execvp(sys.argv[end + 1], sys.argv[end + 1:])
"""


class Handed:
    """Listening sockets in the lab's folder, by name, and a daemon that gets them."""

    def __init__(self, lab, *names):
        self.daemon = lab.daemon()
        self.paths = {name: lab.folder / f"handed-{name or 'socket'}" for name in names}
        self.sockets = {name: listen(path) for name, path in self.paths.items()}

    def start(self, *args, more_fds=(), **kwargs):
        fds = {name: sock.fileno() for name, sock in self.sockets.items()}
        wrapper = ["/usr/bin/python3", "-c", LAUNCH, *(f"{n}={fd}" for n, fd in fds.items()), "--"]
        return self.daemon.start(*args, wrapper=wrapper, sockets=False,
                                 pass_fds=[*fds.values(), *more_fds], **kwargs)

    def refusal(self, *args, **kwargs):
        """What the daemon says when it does not start."""
        self.start(*args, **kwargs)
        self.daemon.wait_exit(1)
        return self.daemon.log()


def listen(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(8)
    return sock


def test_guest_that_waits(lab):
    """A guest that connected before the daemon ran is served; one later too; the socket stays."""
    handed = Handed(lab, "guest")
    handed.daemon.socket = handed.paths["guest"]
    with Link(handed.daemon) as link:
        handed.start()
        link.alive()
    with Link(handed.daemon) as link:
        link.alive()
    handed.daemon.stop()
    check(handed.paths["guest"].exists(), "the manager's socket is gone")


def test_all_sockets(lab):
    """Each socket serves what its name says, in the sandbox and in the place of the options."""
    handed = Handed(lab, "control", "api", "guest", "status")
    unused = [lab.folder / f"unused{i}" for i in range(4)]
    daemon = handed.start("--sandbox=strict", "-s", unused[0], "--control", unused[1], "--status",
                          unused[2], "--api-socket", unused[3], binary=plain_program("postern"))
    daemon.socket, daemon.control = handed.paths["guest"], handed.paths["control"]
    with daemon.qmp() as session:
        equal(session.execute("forward-add", proto="tcp", spec="2222:22")[0]["id"], 1, "the id")
    contains(ask_api(handed.paths["api"], json.dumps({"execute": "list_hostfwd"})), "2222")
    for name in ("control", "status"):  # seen from outside, by who has no other way to know of them
        contains(pathlib.Path(f"/proc/{daemon.process.pid}/cmdline").read_text().split("\0"),
                 f"--{name}={handed.paths[name]}")
    daemon.control = handed.paths["status"]
    with daemon.qmp() as session:
        contains(session.request("quit")["error"]["desc"], "this socket may only look")
    lab.guest.attach(daemon)
    lab.guest.configure()
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR), "1 received")
    equal([path for path in unused if path.exists()], [], "the files made all the same")
    daemon.stop()
    equal([name for name, path in handed.paths.items() if not path.exists()], [], "the files removed")


def test_list(lab):
    """posternctl list finds control sockets that the daemon did not make, in the background as well."""
    handed = Handed(lab, "control", "guest")
    pid_file = lab.folder / "pid"
    handed.start("--pid", pid_file, "--sandbox=strict", foreground=False, binary=plain_program("postern"))
    equal(handed.daemon.process.wait(30), 0, f"the parent's status; it said: {handed.daemon.log()}")
    pid = int(pid_file.read_text())
    rows = json.loads(lab.host.run(program("posternctl"), "list", "--json"))
    row = next(row for row in rows if row["pid"] == pid)
    equal((row.get("socket"), row.get("connected")), (str(handed.paths["control"]), False), "what is listed")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pid_file.exists(), 20, "the daemon ends")


def test_no_name(lab):
    """A socket without a name is the guest's; in the background, too."""
    handed = Handed(lab, "")
    handed.daemon.socket = handed.paths[""]
    pid_file = lab.folder / "pid"
    handed.start("--pid", pid_file, "--one-off", foreground=False)
    equal(handed.daemon.process.wait(30), 0, f"the parent's status; it said: {handed.daemon.log()}")
    with Link(handed.daemon) as link:
        link.alive()
    eventually(lambda: not pid_file.exists(), 20, "the daemon ends with its guest")


def test_refusals(lab):
    """What cannot be used is told by its name."""
    contains(Handed(lab, "api", "other").refusal(), "the socket 'other' from the service manager")
    one, other = socket.socketpair()
    with one, other:
        contains(Handed(lab, "guest").refusal("--fd", one.fileno(), more_fds=[one.fileno()]),
                 "--fd and a socket 'guest' from the service manager exclude each other")


def test_systemd_socket_activate(lab):
    """The launcher of systemd starts the daemon when a guest comes."""
    launcher = shutil.which("systemd-socket-activate")
    if not launcher:
        raise Skip("there is no systemd-socket-activate")
    daemon = lab.daemon()
    environment = [f"--setenv={name}={value}" for name, value in SANITIZERS.items()]
    with open(daemon.log_path, "ab") as log:
        daemon.process = lab.host.spawn(launcher, "-l", daemon.socket, "--fdname=guest", *environment,
                                        program("postern"), "-f", "--control", daemon.control,
                                        stdout=log, stderr=log)
    eventually(daemon.listening, 10, "the launcher listens")
    check(not daemon.control.exists(), "the daemon runs before it is needed")
    lab.guest.attach(daemon)
    lab.guest.configure()
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR), "1 received")
