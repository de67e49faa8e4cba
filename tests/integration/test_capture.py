"""Captures of the guest's link, read by tshark."""

import stat

from lab.checks import check, contains, equal
from lab.lab import SERVER_ADDR
from lab.node import need
from lab.servers import TcpServer, echo, receive_all

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
    sum_in = sum(p["frame.p2p_dir"] == INBOUND for p in packets)
    contains(daemon.log(), f"capture 1: ended: shutdown, {len(packets)} frames, 0 lost")
    check(0 < sum_in < len(packets), "both directions are there")


def test_file_of_the_start_fails(lab):
    """A file that cannot be made or used is the reason why the daemon does not start."""
    for path, reason in ((lab.folder / "no" / "such", "No such file or directory"),
                         ("/dev/null", "is neither a file nor a pipe"), (lab.folder, "Is a directory")):
        lines = lab.daemon().fails_to_start("-p", path).splitlines()
        equal(len(lines), 1, "lines")
        contains(lines[0], reason)
    target = lab.folder / "target"
    target.write_text("precious")
    (lab.folder / "link").symlink_to(target)
    lab.daemon().fails_to_start("-p", lab.folder / "link")
    equal(target.read_text(), "precious", "the file behind a link")
