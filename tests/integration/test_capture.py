"""Captures of the guest's link, read by tshark."""

import os
import signal
import stat
import subprocess

from lab import frames
from lab.checks import Skip, check, contains, equal, eventually
from lab.daemon import Qmp, plain_program, program
from lab.frames import Link
from lab.lab import ROUTER_ADDR, SERVER_ADDR
from lab.node import need
from lab.servers import TcpServer, echo, pattern, receive_all, udp_echo

SECRET = b"NOBODYS-BUSINESS"

FIELDS = ("frame.number", "frame.time_epoch", "frame.interface_name", "frame.p2p_dir", "frame.len",
          "frame.cap_len", "frame.protocols", "frame.comment", "udp.srcport", "tcp.flags.reset")
INBOUND, OUTBOUND = "1", "0"  # frame.p2p_dir: received, sent


def tshark(lab, path, *options):
    """What tshark prints of a file that it reads without a complaint."""
    need("tshark")
    return lab.server.run("tshark", "-n", "-r", path, *options)


def read(lab, path, *options):
    """The packets of a file, as dictionaries of FIELDS."""
    chosen = [word for field in FIELDS for word in ("-e", field)]
    lines = tshark(lab, path, "-T", "fields", *chosen, *options).splitlines()
    rows = [line for line in lines if line.count("\t") == len(FIELDS) - 1]
    strange = [line for line in lines if line not in rows and "Running as user" not in line]
    equal(strange, [], "what else tshark said")
    return [dict(zip(FIELDS, row.split("\t"))) for row in rows]


def of_protocol(packets, name):
    return [packet for packet in packets if name in packet["frame.protocols"].split(":")]


def test_from_the_start(lab):
    """-p FILE: every frame both ways from the first on, whole, with flows and reasons of drops."""
    path = lab.folder / "all.pcapng"
    daemon = lab.daemon().start("-p", path)
    equal(stat.S_IMODE(path.stat().st_mode), 0o600, "the file's mode")
    daemon.stop()
    daemon = lab.daemon().start("-p", path)  # what was there is gone
    lab.name_server()
    lab.guest.attach(daemon)
    lab.guest.configure()
    contains(lab.guest.run("ping", "-n", "-c2", "-i0.2", SERVER_ADDR), "2 received")
    contains(lab.guest.run("dig", "+short", "www.lab.example"), SERVER_ADDR)
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"hello, world")
        receive_all(sock, 12)
        flow = daemon.ctl_json("flows", "--proto", "tcp")[0]["id"]
    daemon.stop()
    packets = read(lab, path)
    equal({packet["frame.interface_name"] for packet in packets}, {"guest"}, "the interface")
    equal({packet["frame.len"] == packet["frame.cap_len"] for packet in packets}, {True}, "wholeness")
    equal(len(of_protocol(packets, "icmp")), 4, "echo requests and replies")
    equal([p["frame.p2p_dir"] for p in of_protocol(packets, "icmp")], [INBOUND, OUTBOUND] * 2, "order")
    tcp = of_protocol(packets, "tcp")
    equal({packet["frame.comment"] for packet in tcp}, {f"flow {flow}"}, "the flow of the connection")
    check(len(of_protocol(packets, "dns")) >= 2, "the query and the answer are there")
    check(len(of_protocol(packets, "arp")) >= 2, "ARP is there")
    times = [float(packet["frame.time_epoch"]) for packet in packets]
    equal(times, sorted(times), "the times")
    check(b"hello, world" in path.read_bytes(), "payload is stored")
    wrong = "ip.checksum.status == 0 or tcp.checksum.status == 0 or udp.checksum.status == 0"
    options = [word for name in ("ip", "tcp", "udp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    equal(read(lab, path, *options, "-Y", f"frame.p2p_dir == {OUTBOUND} and ({wrong})"), [], "wrong checksums")
    sum_in = sum(p["frame.p2p_dir"] == INBOUND for p in packets)
    contains(daemon.log(), f"capture 1: ended: shutdown, {len(packets)} frames, 0 lost")
    check(0 < sum_in < len(packets), "both directions are there")


def test_file_of_the_start_fails(lab):
    """A file that cannot be made or used is the reason why the daemon does not start."""
    for path, reason in ((lab.folder / "no" / "such", "No such file or directory"),
                         ("/dev/zero", "is neither a file nor a pipe"), (lab.folder, "Is a directory")):
        lines = lab.daemon().fails_to_start("-p", path).splitlines()
        equal(len(lines), 1, "lines")
        contains(lines[0], reason)
    target = lab.folder / "target"
    target.write_text("precious")
    (lab.folder / "link").symlink_to(target)
    lab.daemon().fails_to_start("-p", lab.folder / "link")
    equal(target.read_text(), "precious", "the file behind a link")


def captures(daemon):
    return daemon.ctl_json("captures")


def idle_fds(daemon):
    """How many descriptors the daemon has without clients, once it has started."""
    with daemon.qmp() as session:
        eventually(lambda: session.execute("query-status")["control"]["clients"] == 1, 5, "we are alone")
        return daemon.fd_count() - 1


def exchange(lab, size=1 << 20):
    """A transfer there and back."""
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=30) as sock:
        data = pattern(size)
        lab.thread(sock.sendall, data)
        check(receive_all(sock, size) == data, "the echo differs")


def test_events(lab):
    """Start and end of a capture are told of: who, why and where to, then what is in the file."""
    path = lab.folder / "start.pcapng"
    daemon = lab.start("-p", path)
    equal([captures(daemon)[0][key] for key in ("sink", "path")], ["file", str(path)], "where it goes")
    with daemon.qmp() as session:
        daemon.ctl("capture", lab.folder / "few", "--packets", "3", "--why", "ticket")
        started = session.receive_event("CAPTURE_STARTED")
        equal((started["state"], started["sink"], started["uid"]), ("running", "file", os.getuid()), "it")
        equal(started["spec"], {"packets": 3, "why": "ticket"}, "what was asked for")
        check("path" not in started, "the path of a descriptor is not known")
        lab.guest.run("ping", "-n", "-c2", "-i0.2", SERVER_ADDR)
        ended = session.receive_event("CAPTURE_ENDED")
        equal((ended["id"], ended["pid"], ended["reason"], ended["written"], ended["size"]),
              (started["id"], started["pid"], "packet-limit", 3, (lab.folder / "few").stat().st_size), "the end")
        daemon.process.terminate()
        session.receive_event("SHUTDOWN")
        ended = session.receive_event("CAPTURE_ENDED")
        equal((ended["path"], ended["reason"]), (str(path), "shutdown"), "the end of the other")
        check(ended["written"] > 3, f"it had more frames: {ended}")
    daemon.wait_exit(0)


def test_on_demand(lab):
    """A file that posternctl opens gets what was asked for, from start to stop."""
    daemon = lab.start("--debug")
    path = lab.folder / "demand.pcapng"
    exchange(lab, 100)
    equal(daemon.ctl("capture", path, "--proto", "icmp", "--addr", "198.51.100.0/24", "--why", "what pings?"),
          "capture 1 runs\n", "what posternctl says")
    equal(stat.S_IMODE(path.stat().st_mode), 0o600, "the file's mode")
    contains(lab.guest.run("ping", "-n", "-c3", "-i0.2", SERVER_ADDR), "3 received")
    lab.guest.run("ping", "-n", "-c1", ROUTER_ADDR)
    exchange(lab, 100)
    shown = captures(daemon)[0]
    equal((shown["state"], shown["matched"], shown["written"], shown["lost"]), ("running", 6, 6, 0), "counts")
    equal(shown["uid"], os.geteuid(), "the user")
    equal(shown["spec"], {"proto": "icmp", "addr": "198.51.100.0/24", "why": "what pings?"}, "the spec")
    check(shown["seen"] > 6, "the other frames were seen")
    contains(daemon.ctl("captures"), "icmp addr 198.51.100.0/24")
    daemon.ctl("capture", "stop", "1")
    lab.guest.run("ping", "-n", "-c1", SERVER_ADDR)
    eventually(lambda: captures(daemon)[0]["state"] == "ended", 5, "the capture has ended")
    packets = read(lab, path)
    equal([p["frame.p2p_dir"] for p in packets], [INBOUND, OUTBOUND] * 3, "the packets")
    contains(path.read_bytes(), b"what pings?", "the file")
    contains(daemon.log(), "what pings?", "the log")
    contains(daemon.ctl("capture", "stop", "1", status=1), "there is no capture 1 under way")


def test_who_started_it(lab):
    """The user of a capture is that of the client, be it root's or the daemon's own."""
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")
    folder = lab.folder / "everybody"
    folder.mkdir()
    folder.chmod(0o777)
    daemon = lab.daemon().start()
    equal(daemon.ctl_json("status")["uid"], 65534, "the daemon's own user")
    daemon.control.chmod(0o666)
    daemon.ctl("capture", folder / "root")
    lab.host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("posternctl"), "-s",
                 daemon.control, "capture", folder / "nobody")
    equal([capture["uid"] for capture in captures(daemon)], [os.getuid(), 65534], "who started them")


def test_standard_output(lab):
    """posternctl capture - feeds tshark as things happen, and ends with it."""
    need("tshark")
    daemon = lab.start()
    line = f"'{program('posternctl')}' -s '{daemon.control}' capture - --proto icmp --addr {SERVER_ADDR} | exec tshark -n -l -r -"
    shell = lab.host.spawn("sh", "-c", line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    eventually(lambda: captures(daemon), 20, "the capture runs")
    lab.guest.run("ping", "-n", "-c2", "-i0.2", SERVER_ADDR)
    for kind in ("request", "reply") * 2:
        contains(shell.stdout.readline(), f"Echo (ping) {kind}")
    equal(captures(daemon)[0]["state"], "running", "the state")
    lab.host.run("pkill", "-KILL", "-x", "tshark")  # which else waits for the next frame
    shell.wait(10)
    eventually(lambda: captures(daemon)[0].get("reason") == "reader-gone", 10, "the capture ends with its reader")
    exchange(lab, 1000)


def test_headers_only(lab):
    """Nothing of what frames carry is in a file of headers: not of TCP, UDP, ICMP, DNS or DHCP."""
    lab.name_server()
    daemon = lab.start()
    path = lab.folder / "headers.pcapng"
    daemon.ctl("capture", path, "--headers")
    sock = lab.server.udp_socket()
    udp_echo(lab, sock)
    client = lab.guest.udp_socket()
    client.sendto(SECRET, (SERVER_ADDR, sock.getsockname()[1]))
    equal(client.recv(100), SECRET, "the echo")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as connection:
        connection.sendall(SECRET * 1000)
        equal(receive_all(connection, len(SECRET) * 1000), SECRET * 1000, "the echo")
    lab.guest.run("ping", "-n", "-c1", "-s", "64", "-p", SECRET.hex(), SERVER_ADDR)
    lab.guest.run("dig", "+short", f"{SECRET.decode()}.lab.example")
    lab.guest.run("udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", "/bin/true", "-x", f"hostname:{SECRET.decode()}")
    daemon.ctl("capture", "stop", "1")
    daemon.stop()
    packets = read(lab, path)
    for name in "tcp", "udp", "icmp", "arp":
        check(of_protocol(packets, name), f"{name} is there")
    equal({p["frame.cap_len"] for p in of_protocol(packets, "udp")}, {"42"}, "what is stored of UDP")
    check(max(int(p["frame.cap_len"]) for p in packets) <= 14 + 20 + 60, "nothing longer is stored")
    check(max(int(p["frame.len"]) for p in packets) > 1000, "the true lengths are told")
    found = [name for name in (SECRET, SECRET.lower()) if name in path.read_bytes()]
    equal(found, [], "payload that was stored")


def test_drops(lab):
    """Frames that went no further have the reason, and can be chosen."""
    daemon = lab.daemon().start()
    every, dropped = lab.folder / "every.pcapng", lab.folder / "dropped.pcapng"
    daemon.ctl("capture", every)
    daemon.ctl("capture", dropped, "--dropped")
    with Link(daemon) as link:
        link.send(frames.eth(frames.ETH_VLAN, bytes(50)), frames.eth(0x9999, bytes(50)), b"short")
        link.send(frames.ip4(253, b"?", SERVER_ADDR), frames.udp(b"x", SERVER_ADDR, 0))
        link.alive()
    daemon.stop()
    reasons = ["vlan", "ethertype", "runt", "ip-protocol", "udp-port"]
    equal([p["frame.comment"] for p in read(lab, dropped)], [f"drop.{reason}" for reason in reasons], "comments")
    packets = read(lab, every)
    equal([p["frame.comment"] for p in packets if p["frame.comment"].startswith("drop.")],
          [f"drop.{reason}" for reason in reasons], "comments among all")
    check(len(packets) > len(reasons), "the others are there, too")


def test_flow(lab):
    """One flow, with the ICMP error that ends it, and nothing of others."""
    daemon = lab.start()
    clients = [lab.guest.udp_socket() for _ in range(2)]
    for client in clients:
        client.connect((SERVER_ADDR, 9))
    sock = lab.server.udp_socket(port=9)
    for client in clients:
        client.send(b"first")
        sock.recv(10)
    flows = {flow["guest"]["port"]: flow["id"] for flow in daemon.ctl_json("flows", "--proto", "udp")}
    flow = flows[clients[1].getsockname()[1]]
    path = lab.folder / "flow.pcapng"
    daemon.ctl("capture", path, "--flow", flow)
    sock.close()
    for client in clients:
        client.send(b"refused")
        eventually(lambda: client.getsockopt(1, 4), 10, "the error has come")  # SOL_SOCKET, SO_ERROR
    daemon.ctl("capture", "stop", "1")
    daemon.stop()
    packets = read(lab, path)
    equal([p["frame.protocols"].split(":")[3] for p in packets], ["udp", "icmp"], "the packets")
    equal({p["frame.comment"] for p in packets}, {f"flow {flow}"}, "the comments")


def test_read_only(lab):
    """Who may only look sees captures and starts none; what it passes is closed."""
    status = lab.folder / "status"
    daemon = lab.daemon().start("--status", status)
    path = lab.folder / "denied.pcapng"
    before = idle_fds(daemon)
    contains(lab.host.run(program("posternctl"), "-s", status, "capture", path, status=1),
             "this socket may only look")
    equal(lab.host.run(program("posternctl"), "-s", status, "captures"), "none\n", "the captures")
    eventually(lambda: daemon.fd_count() == before, 5, "no descriptor stays")
    equal(path.stat().st_size, 0, "the file's size")


def test_descriptors_do_not_pile_up(lab):
    """However many a client passes, the daemon keeps one of each client, and none when it leaves."""
    daemon = lab.daemon().start()
    before = idle_fds(daemon)
    session = Qmp(daemon.connect_control())
    session.handshake()
    with open("/dev/zero", "w") as file:
        for _ in range(100):
            session.send_fd(b" ", file)
        session.execute("query-version")
    check(daemon.fd_count() <= before + 2, "the connection and one descriptor are open")
    contains(session.request("capture-start")["error"]["desc"], "is no file, pipe or stream socket")
    session.close()
    eventually(lambda: daemon.fd_count() == before, 5, "all is closed")


def test_each_request_has_its_own_file(lab):
    """Of requests that are sent at once, each behind much that is to be answered first, each gets its file."""
    daemon = lab.start()
    names = [str(lab.folder / f"{number}.pcapng") for number in range(4)]
    with daemon.qmp() as session:
        session.send_raw(b'{"execute": "query-schema"}' * 4)
        for number, name in enumerate(names):
            with open(name, "wb") as file:
                session.send_fd(b'{"execute": "capture-start", "arguments": {"why": "%d"}}' % number, file)
        for _ in range(4):
            session.receive_reply()
        for number in range(4):
            started = session.receive_reply()["return"]
            equal((started["spec"]["why"], started["pid"]), (str(number), os.getpid()), "the capture")
        lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR)
        for row in session.execute("query-captures"):
            session.execute("capture-stop", id=row["id"])
    for number, name in enumerate(names):
        contains(tshark(lab, name, "-Y", "icmp"), "Echo (ping) reply")
        contains(open(name, "rb").read(), b"%d" % number, "the remark")


def test_full_pipe(lab):
    """A reader that does not read costs frames, which are counted, and no traffic; what it gets is whole."""
    need("tshark")
    daemon = lab.start()
    reader, writer = os.pipe()
    with daemon.qmp() as session:
        with os.fdopen(writer, "w") as file:
            session.send_fd(b'{"execute": "capture-start"}\n', file)
            contains(session.receive_reply(), "return")
        exchange(lab, 8 << 20)
        shown = session.execute("query-captures")[0]
        check(shown["lost"] > 0, f"no frame was lost: {shown}")
        equal(shown["lost"] + shown["written"] + shown["waiting"], shown["matched"], "the sum")
        counted = daemon.stat("capture.lost")
        check(shown["lost"] <= counted <= session.execute("query-captures")[0]["lost"], "the counter is right")
        path = lab.folder / "pipe.pcapng"
        lab.thread(lambda: path.write_bytes(os.fdopen(reader, "rb").read()))
        eventually(lambda: session.execute("query-captures")[0]["waiting"] == 0, 10, "all is taken")
        lab.guest.run("ping", "-n", "-c1", SERVER_ADDR)
        session.execute("capture-stop", id=1)
        eventually(lambda: session.execute("query-captures")[0]["state"] == "ended", 10, "the capture ends")
        shown = session.execute("query-captures")[0]
    eventually(lambda: path.exists() and path.stat().st_size == shown["size"], 10, "the file is there")
    packets = read(lab, path)
    equal(len(packets), shown["written"], "the packets")
    contains(tshark(lab, path, "-Y", "icmp", "-T", "fields", "-e", "frame.p2p_dir"), "1\n0\n")


def test_full_disk(lab):
    """A full file system ends the capture at a whole packet, with a warning, and harms no traffic."""
    need("tshark")
    small = lab.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    path = small / "disk.pcapng"
    daemon = lab.start()
    daemon.ctl("capture", path)
    exchange(lab, 4 << 20)
    shown = captures(daemon)[0]
    equal((shown["state"], shown["reason"], shown["error"]),
          ("ended", "failed", "No space left on device"), "what became of it")
    contains(daemon.log(), "warning: link: capture 1: cannot write: No space left on device")
    equal(daemon.stat("capture.failed"), 1, "the counter")
    contains(daemon.ctl("captures"), "failed: No space left on device")
    exchange(lab, 1 << 20)
    check(path.stat().st_size > 100000, "the disk was used")
    equal(len(read(lab, path)), shown["written"], "the packets")


def test_limits(lab):
    """A capture ends with its limit, and the file is whole then."""
    daemon = lab.daemon().start()
    folder = lab.folder
    daemon.ctl("capture", folder / "packets", "--packets", "5")
    daemon.ctl("capture", folder / "bytes", "--bytes", "4096")
    daemon.ctl("capture", folder / "seconds", "--seconds", "1")
    daemon.ctl("capture", folder / "ring", "--ring", "131072", "--dir", "from-guest")
    contains(daemon.ctl("capture", folder / "more", status=1), "4 captures are under way already")
    with Link(daemon) as link:
        for number in range(3000):
            link.send(frames.udp(b"%06d" % number, SERVER_ADDR, 9))
        link.alive()
    eventually(lambda: captures(daemon)[2]["state"] == "ended", 10, "the time is over")
    equal([c.get("reason") for c in captures(daemon)], ["packet-limit", "size-limit", "time-limit", None],
          "the reasons")
    equal((folder / "ring").stat().st_size, 0, "what is written of the ring before its end")
    daemon.ctl("capture", "stop", "4")
    daemon.stop()
    equal(len(read(lab, folder / "packets")), 5, "packets")
    check(2000 < (folder / "bytes").stat().st_size <= 4096, "the size is within its limit")
    read(lab, folder / "bytes")
    check(len(read(lab, folder / "seconds")) > 3000, "all frames of that time are there")
    payloads = [int(bytes.fromhex(line)) for line in tshark(
        lab, folder / "ring", "-Y", "udp.dstport==9", "-T", "fields", "-e", "udp.payload").splitlines()
        if "Running as" not in line]
    check(500 < len(payloads) < 3000, f"{len(payloads)} packets in the ring")
    equal(payloads, list(range(3000 - len(payloads), 3000)), "the last ones, in order")


def test_in_the_sandbox(lab):
    """In the whole sandbox, without sanitizers: files, pipes, a full disk, and a reader that leaves."""
    small, at_start = lab.folder / "small", lab.folder / "start.pcapng"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    daemon = lab.daemon().start("--sandbox=strict", "-p", at_start, binary=plain_program("postern"))
    lab.guest.attach(daemon)
    lab.guest.configure()
    daemon.ctl("capture", lab.folder / "file.pcapng", "--ring", "1048576", "--seconds", "3600")
    daemon.ctl("capture", small / "disk.pcapng")
    line = f"'{program('posternctl')}' -s '{daemon.control}' capture - | cat >/dev/null"
    lab.host.spawn("sh", "-c", line, log="pipe.log")
    eventually(lambda: len(captures(daemon)) == 4, 10, "four captures run")
    exchange(lab, 4 << 20)
    equal(captures(daemon)[2]["error"], "No space left on device", "the error")
    lab.host.run("pkill", "-x", "cat")
    eventually(lambda: captures(daemon)[3].get("reason") == "reader-gone", 10, "the reader's end is seen")
    daemon.ctl("capture", "stop", "2")
    reader, writer = os.pipe()
    with daemon.qmp() as session, os.fdopen(reader), os.fdopen(writer, "w") as file:
        session.send_fd(b'{"execute": "capture-start"}\n', file)
        number = session.receive_reply()["return"]["id"]
        check(not os.get_blocking(writer), "the daemon would wait for the pipe")
        session.execute("capture-stop", id=number)
        eventually(lambda: os.get_blocking(writer), 10, "the pipe is given back as it was")
    exchange(lab, 1000)
    check(daemon.running(), "the daemon runs")
    daemon.stop(signal.SIGTERM)
    for path in at_start, lab.folder / "file.pcapng", small / "disk.pcapng":
        check(len(read(lab, path)) > 10, f"{path} can be read")
