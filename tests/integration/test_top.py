"""posternctl top, on a terminal that tmux plays, and as text."""

import contextlib
import pathlib
import re
import signal
import threading

from lab.checks import check, contains, deadline, equal, eventually, raises
from lab.daemon import SANITIZERS, plain_program, program
from lab.lab import SERVER_ADDR
from lab.node import need
from lab.servers import TcpServer, echo, receive_all

SUPPRESSIONS = pathlib.Path(__file__).with_name("valgrind.supp")
# Writes the status of a program, whatever becomes of the terminal.
WRAPPER = 'trap : HUP INT; status=$1; shift; "$@"; echo $? >"$status.new" && mv "$status.new" "$status"'
RATE = re.compile(r"^[0-9.]+[KMG]?$")


class Screen:
    """A program on a terminal of its own, of a size that can be changed."""

    count = 0

    def __init__(self, lab, *command, size=(100, 30), env=()):
        Screen.count += 1
        self.node, self.socket = lab.host, lab.folder / f"tmux{Screen.count}"
        self.status = lab.folder / f"status{Screen.count}"
        config = lab.folder / "tmux.conf"
        config.write_text("set -g remain-on-exit on\nset -g escape-time 0\n"
                          "set -g status off\nset -g default-terminal screen-256color\n")
        sets = [f"{name}={value}" for name, value in {**SANITIZERS, **dict(env)}.items()]
        need("tmux")
        self.tmux("-f", config, "new-session", "-d", "-x", size[0], "-y", size[1],
                  "sh", "-c", WRAPPER, "wrapper", self.status, "env", *sets, *command)

    def tmux(self, *command):
        return self.node.run("tmux", "-u", "-S", self.socket, *command)

    def ask(self, variable):
        return self.tmux("display-message", "-p", f"#{{{variable}}}").strip()

    def lines(self, *options):
        return self.tmux("capture-pane", "-p", *options).split("\n")

    def text(self):
        return "\n".join(self.lines())

    def history(self):
        """The text that has left the screen as well, as the first line does when the program ends."""
        return "\n".join(self.lines("-S", "-"))

    def wait(self, part, timeout=30):
        """Waits until the screen shows it."""
        try:
            eventually(lambda: part in self.text(), timeout, f"the screen shows '{part}'")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text()}") from None

    def wait_not(self, part, timeout=30):
        try:
            eventually(lambda: part not in self.text(), timeout, f"the screen shows no '{part}'")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text()}") from None

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", width, "-y", height)

    def row(self, end):
        """The cells of the row with this peer; None without one."""
        return next((line.split() for line in self.lines() if f" {end} " in line), None)

    def wait_exit(self, status=0):
        """Waits until the program has ended."""
        eventually(self.status.exists, 30, "the program has ended")
        equal(self.status.read_text(), f"{status}\n", "its status")

    def wait_end(self, status=0):
        """Likewise; and it has left the terminal as it was."""
        self.wait_exit(status)
        equal(self.ask("alternate_on"), "0", "whether the terminal's own screen is hidden")


def top(lab, daemon, *args, binary=None, control=None, **kwargs):
    return Screen(lab, binary or program("posternctl"), "-s", control or daemon.control, "top", "-d", 1, *args,
                  **kwargs)


@contextlib.contextmanager
def traffic(lab):
    """A connection of the guest that is never silent; gives the server's port, and the connection."""
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    stop = threading.Event()
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port)

    def talk():
        with contextlib.suppress(ConnectionError):
            while not stop.wait(0.02):
                sock.sendall(b"x" * 20000)
                receive_all(sock, 20000)

    thread = lab.thread(talk)
    try:
        yield server.port, sock
    finally:
        stop.set()
        thread.join()
        sock.close()


def flowing(screen, end):
    """The row of a flow, once bytes flow both ways in it."""
    def both():
        row = screen.row(end)
        return row and all(RATE.match(cell) and cell != "0" for cell in row[6:8])
    try:
        eventually(both, 30, f"bytes flow to {end}")
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{screen.text()}") from None
    return screen.row(end)


def test_screen(lab):
    """A flow and its rates are shown, and the totals with bars; q ends it and clears up."""
    daemon = lab.start()
    with traffic(lab) as (port, sock):
        screen = top(lab, daemon)
        row = flowing(screen, f"{SERVER_ADDR}:{port}")
        equal(row[1:5], ["tcp", "out", "ESTABLISHED", f":{sock.getsockname()[1]}"], "the row")
        equal(len(row), 11, f"the cells of {row}")
        text = screen.text()
        for part in ("guest 52:54:00:12:34:56 192.0.2.2", " of 65536 flows: 1 tcp", "DNS 0/s", "IN/s OUT/s TOTAL"):
            contains(text, part, "the screen")
        bars = [line for line in screen.lines() if re.match(r"(In|Out) +[0-9.]+[KM]?/s \[\|+ *\] +[0-9.]+[KM]?/s$", line)]
        equal(len(bars), 2, f"bars of:\n{text}")
        equal(screen.ask("alternate_on"), "1", "whether it has a screen of its own")
        screen.press("q")
        screen.wait_end()


def test_names(lab):
    """A peer is shown by the name that the guest asked for, or by its address."""
    lab.name_server()
    daemon = lab.start("--private")
    contains(lab.guest.run("dig", "+short", "+time=10", "www.lab.example"), SERVER_ADDR)
    with traffic(lab) as (port, _):
        screen = top(lab, daemon)
        flowing(screen, f"www.lab.example:{port}")
        screen.press("n")
        screen.wait(f" {SERVER_ADDR}:{port} ")
        screen.press("q")
        screen.wait_end()


def test_keys(lab):
    """Keys choose among the flows, order them, pause, and show help."""
    daemon = lab.start()
    with traffic(lab) as (port, _):
        end = f"{SERVER_ADDR}:{port}"
        screen = top(lab, daemon)
        flowing(screen, end)
        screen.press("f")
        screen.wait("f tcp")
        check(screen.row(end), "the flow is not shown among those of TCP")
        screen.press("f")
        screen.wait("f udp")
        equal(screen.row(end), None, "the flow among those of UDP")
        screen.press("f", "f", "N", "R")
        screen.wait("by id reversed  f all")
        lab.guest.tcp_connect(SERVER_ADDR, port).close()
        screen.wait_not("CLOSE")
        screen.press("c")
        screen.wait(" finished ")
        screen.press("c")
        screen.wait_not(" finished ")
        screen.press("p")
        screen.wait("PAUSED")
        frozen = screen.row(end)
        lab.guest.tcp_connect(SERVER_ADDR, port).close()
        screen.press("?")
        screen.wait("close the marked flow")
        screen.press("x")
        screen.wait_not("close the marked flow")
        equal(screen.row(end), frozen, "the row, while it pauses")
        screen.press("p")
        screen.wait_not("PAUSED")
        eventually(lambda: screen.row(end) != frozen, 30, "the row changes again")
        screen.press("-", "+", "+")
        screen.wait("a sample every 3 s")
        screen.press("C-c")
        screen.wait_end()


def test_close_flow(lab):
    """A marked flow is closed, once the user says yes."""
    daemon = lab.start()
    with traffic(lab) as (port, sock):
        end = f"{SERVER_ADDR}:{port}"
        screen = top(lab, daemon)
        ident = flowing(screen, end)[0]
        screen.press("Down", "k")
        screen.wait(f"Close flow {ident}? (y/n)")
        screen.press("n")
        screen.wait(f"flow {ident} stays")
        check(screen.row(end), "the flow is gone")
        screen.press("k", "y")
        screen.wait(f"flow {ident} is closed")
        eventually(lambda: screen.row(end) is None, 10, "the row is gone")
        with raises(ConnectionError):
            while True:
                sock.sendall(b"x")
        screen.press("F10")
        screen.wait_end()


def test_status_socket(lab):
    """On a socket for looking all is shown, and nothing closed."""
    status = lab.folder / "status"
    daemon = lab.start("--status", status)
    with traffic(lab) as (port, _):
        screen = top(lab, daemon, control=status)
        end = f"{SERVER_ADDR}:{port}"
        flowing(screen, end)
        screen.press("Down", "k", "y")
        screen.wait("this socket")
        check("trying again" not in screen.text(), "it gave up the connection")
        check(screen.row(end), "the flow is gone")
        screen.wait_not("this socket")
        flowing(screen, end)
        screen.press("q")
        screen.wait_end()


SIZES = ((20, 5), (2, 2), (10, 3), (120, 2), (40, 6), (40, 7), (30, 9), (250, 70))


@deadline(120)
def test_sizes(lab):
    """The screen follows the terminal's size, down to the smallest."""
    daemon = lab.start()
    with traffic(lab) as (port, _):
        screen = top(lab, daemon, size=(80, 24))
        for width, height in SIZES:
            flowing(screen, f"{SERVER_ADDR}:{port}")
            screen.resize(width, height)
            screen.press("Down", "End", "Home", "h", "x", "k", "n", "p")
            eventually(lambda: screen.lines()[height - 1].startswith("PAUSED"[:width]), 20,
                       f"it pauses, on a screen of {width}x{height}")
            if (width, height) == (20, 5):
                equal(screen.lines()[1], "PEER      IN/s OUT/s", "the heads")
            screen.press("p")
            screen.resize(80, 24)
            screen.wait("   ID PROTO DIR STATE ")
        screen.resize(1, 1)  # where ncurses shows nothing
        screen.press("q")
        screen.wait_end()


def test_daemon_goes(lab):
    """A daemon that is silent or gone is told of, keys are heard, and a new one is found."""
    daemon = lab.start()
    screen = top(lab, daemon)
    screen.wait("0 of 65536 flows")
    daemon.process.send_signal(signal.SIGSTOP)
    screen.wait("no answer for")
    screen.press("h")
    screen.wait("close the marked flow")
    screen.press("h")
    daemon.process.send_signal(signal.SIGCONT)
    screen.wait_not("no answer for")
    daemon.stop()
    screen.wait("trying again")
    screen.press("h")
    screen.wait("close the marked flow")
    screen.press("h")
    again = lab.daemon()
    again.control = daemon.control
    again.start()
    screen.wait(f"process {again.process.pid}, ")
    screen.wait("no guest")
    screen.wait_not("trying again")
    screen.press("q")
    screen.wait_end()


def test_colours(lab):
    """There are colours on a terminal, and none with NO_COLOR or where the terminal has none."""
    daemon = lab.daemon().start()
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "vt100"}, False)):
        screen = top(lab, daemon, env=env.items())
        screen.wait("OUT/s")
        colours = re.findall(r"\x1b\[[0-9;]*[34][0-7][;m]", "\n".join(screen.lines("-e")))
        equal(bool(colours), coloured, f"whether there are colours with {env}")
        screen.press("q")
        screen.wait_end()


def test_bad_terminals(lab):
    """A terminal that is not known, and none at all, are told of."""
    daemon = lab.daemon().start()
    screen = top(lab, daemon, env={"TERM": "no-such-terminal"}.items())
    screen.wait_end(status=1)
    contains(screen.history(), "a terminal 'no-such-terminal' is not known here", "the reason")
    screen = Screen(lab, "sh", "-c", f"{program('posternctl')} -s {daemon.control} top </dev/null")
    screen.wait_end(status=1)
    contains(screen.history(), "standard input is no terminal", "the reason")
    contains(daemon.ctl("top", "--json", status=1), "JSON", "the reason")


def test_hangup(lab):
    """A terminal that goes away ends it."""
    daemon = lab.daemon().start()
    screen = top(lab, daemon)
    screen.wait("OUT/s")
    screen.tmux("kill-server")
    screen.wait_exit()


def test_rounds(lab):
    """It ends by itself after as many samples as were asked for."""
    daemon = lab.daemon().start()
    top(lab, daemon, "--rounds", 2).wait_end()


def test_batch(lab):
    """Without a terminal the same comes as text, round by round."""
    daemon = lab.start()
    with traffic(lab) as (port, sock):
        shown = daemon.ctl("top", "-d", 1, "-n", 2)
        equal(shown, re.sub(r"[^\n -~]", "?", shown), "the text")
        rounds = shown.strip().split("\n\n")
        equal(len(rounds), 2, f"rounds of:\n{shown}")
        for text in rounds:
            lines = text.split("\n")
            contains(lines[0], "postern ", "the first line")
            contains(lines[1], " of 65536 flows: 1 tcp", "the second line")
            check(re.match(r"In [0-9.]+[KM]/s, out [0-9.]+[KM]/s$", lines[2]), f"no rates: {lines[2]}")
            equal(lines[3].split(), "ID PROTO DIR STATE GUEST PEER IN/s OUT/s TOTAL AGE IDLE".split(), "the heads")
            row = next(line.split() for line in lines if f" {SERVER_ADDR}:{port} " in line)
            equal(row[4], f"192.0.2.2:{sock.getsockname()[1]}", "the guest's end")
            check(RATE.match(row[6]) and row[6] != "0", f"the rate of {row}")
        contains(daemon.ctl("top", "-b", "-x", status=2), "'top' does not take '-x'", "the reason")
        contains(daemon.ctl("top", "--batch", "--rounds=1", "--delay=1", "--proto", "udp"), "0 udp")
    daemon.stop()
    contains(daemon.ctl("top", "-b", status=1), "cannot connect", "the reason")


@deadline(180)
def test_valgrind(lab):
    """Valgrind finds nothing on a screen that is resized, and loses its daemon."""
    need("valgrind")
    binary = plain_program("posternctl")
    need(binary)
    daemon = lab.start()
    log = lab.logs / "valgrind.log"
    with traffic(lab) as (port, _):
        screen = Screen(lab, "valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                        "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=98",
                        f"--log-file={log}", binary, "-s", daemon.control, "top", "-d", 1)
        flowing(screen, f"{SERVER_ADDR}:{port}")
        screen.press("Down", "c", "R", ">", "h", "h")
        for width, height in (20, 5), (200, 50):
            screen.resize(width, height)
            screen.wait("OUT/s")
        screen.press("k", "y")
        screen.wait("is closed")
    daemon.stop()
    screen.wait("trying again")
    screen.press("q")
    screen.wait_end()
    equal(log.read_text(), "", "what valgrind found")
