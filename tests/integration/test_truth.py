"""What is shown of flows, held against what the kernel, the ends and a sniffer know of them."""

import re
import signal
import socket

from lab.checks import check, contains, equal, eventually
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, SILENT_ADDR
from lab.servers import receive_all

# The host's end of a connection, by the state of ours.
KERNEL_STATES = {"ESTABLISHED": "ESTAB", "CLOSE-WAIT": "FIN-WAIT-2", "FIN-WAIT-2": "CLOSE-WAIT",
                 "CONNECTING": "SYN-SENT"}


def flow_to(daemon, port):
    """The flow to that port, with all there is to know of it."""
    with daemon.qmp() as session:
        flows = session.execute("query-flows", dport=port, info=True)
    equal(len(flows), 1, f"how many flows lead to port {port}")
    return flows[0]


def closed_to(daemon, port):
    with daemon.qmp() as session:
        return session.execute("query-flows", dport=port, closed=True)


def kernel(lab, port):
    """What the kernel tells of the host's socket to that port: (state, values by name)."""
    shown = lab.host.run("ss", "-tinH", "dport", "=", f":{port}")
    words = shown.split()
    return words[0], {"send-q": words[2], **dict(re.findall(r"(\w+):(\S+)", shown))}


def compare(lab, daemon, port, state):
    """The flow's state and the kernel's words for it are the same; returns the flow."""
    flow = flow_to(daemon, port)
    there, values = kernel(lab, port)
    info = flow["info"]
    equal((flow["state"], there), (state, KERNEL_STATES[state]), "the states")
    equal(f"{info['rtt_us'] / 1000:g}/{info['rttvar_us'] / 1000:g}", values.get("rtt", "0/250"), "the round trip")
    for ours, theirs in ("mss", "mss"), ("cwnd", "cwnd"), ("peer_window", "snd_wnd"):
        equal(str(info[ours]), values.get(theirs, "0"), ours)
    equal(f"{info['unacked_retransmits']}/{info['retransmits']}", values.get("retrans", "0/0"), "the retransmissions")
    return flow


def connection(lab):
    """Both ends of a connection of the guest's, and its port."""
    listener = lab.server.tcp_listen()
    port = listener.getsockname()[1]
    sock = lab.guest.tcp_connect(SERVER_ADDR, port)
    conn, _ = listener.accept()
    return sock, conn, port


def timeout_is(flow, seconds):
    check((seconds - 10) * 1000 < flow["timeout_ms"] <= seconds * 1000,
          f"{flow['state']} ends in {flow['timeout_ms']} ms, not in {seconds} s")


def test_life_of_a_connection(lab):
    """States, bytes, times and what the kernel measured, from the first segment to the last."""
    daemon = lab.start("--tcp-idle-timeout", "1000", "--tcp-closing-timeout", "500")
    sock, conn, port = connection(lab)
    flow = compare(lab, daemon, port, "ESTABLISHED")
    timeout_is(flow, 1000)
    equal((flow["packets_out"], flow["packets_in"]), (2, 1), "the packets of the handshake")
    equal((flow["guest"], flow["peer"]), ({"addr": HOST_ADDR, "port": sock.getsockname()[1]},
                                          {"addr": SERVER_ADDR, "port": port}), "the ends")
    equal(flow["host"], dict(zip(("addr", "port"), conn.getpeername())), "the host's end")
    lab.thread(sock.sendall, b"x" * 100000)
    receive_all(conn, 100000)
    lab.thread(conn.sendall, b"y" * 300000)
    receive_all(sock, 300000)
    eventually(lambda: not flow_to(daemon, port)["info"]["unacked"], 10, "all is acknowledged")
    flow = compare(lab, daemon, port, "ESTABLISHED")
    equal((flow["bytes_out"], flow["bytes_in"]), (100000, 300000), "the bytes")
    sock.shutdown(socket.SHUT_WR)
    equal(conn.recv(1), b"", "the guest's end")
    eventually(lambda: kernel(lab, port)[0] == "FIN-WAIT-2", 10, "the peer's kernel has acknowledged it")
    timeout_is(compare(lab, daemon, port, "CLOSE-WAIT"), 500)
    conn.sendall(b"z" * 1000)
    conn.close()
    equal(len(receive_all(sock)), 1000, "what came after the guest's end")
    eventually(lambda: closed_to(daemon, port), 10, "the flow has ended")
    flow = closed_to(daemon, port)[0]
    equal((flow["reason"], flow["bytes_out"], flow["bytes_in"]), ("finished", 100000, 301000), "what is kept of it")


def test_peer_finishes_first(lab):
    """The peer's end of a connection is seen as such."""
    daemon = lab.start("--tcp-closing-timeout", "500")
    sock, conn, port = connection(lab)
    conn.shutdown(socket.SHUT_WR)
    equal(sock.recv(1), b"", "the peer's end")
    eventually(lambda: flow_to(daemon, port)["state"] == "FIN-WAIT-2", 10, "the guest has acknowledged it")
    timeout_is(compare(lab, daemon, port, "FIN-WAIT-2"), 500)
    sock.close()
    eventually(lambda: closed_to(daemon, port), 10, "the flow has ended")


def test_no_answer(lab):
    """While nothing answers, the kernel's tries are told."""
    daemon = lab.start()
    sock = lab.guest.socket()
    sock.setblocking(False)
    sock.connect_ex((SILENT_ADDR, 80))
    eventually(lambda: flow_to(daemon, 80)["info"]["retransmits"], 10, "the kernel tried again")
    flow = compare(lab, daemon, 80, "CONNECTING")
    check("timeout_ms" not in flow, "when it ends is the kernel's business")


def test_lost_on_the_way(lab):
    """What the kernel had to send again stays counted once it has arrived."""
    daemon = lab.start()
    sock, conn, port = connection(lab)
    lab.router.ip(f"route add blackhole {SERVER_ADDR}/32")
    sock.sendall(b"x" * 3000)
    eventually(lambda: flow_to(daemon, port)["info"]["unanswered"] >= 2, 20, "the kernel sent it again, in a row")
    compare(lab, daemon, port, "ESTABLISHED")
    eventually(lambda: f" retrans:{kernel(lab, port)[1]['retrans']} " in daemon.ctl("flows", "--info", "dport", str(port)),
               20, "the words of ss")
    lab.router.ip(f"route del blackhole {SERVER_ADDR}/32")
    receive_all(conn, 3000)
    eventually(lambda: not flow_to(daemon, port)["info"]["send_queue"], 20, "all has arrived")
    flow = compare(lab, daemon, port, "ESTABLISHED")
    check(flow["info"]["retransmits"] >= 2, "the retransmissions are forgotten")
    equal(flow["info"]["unanswered"], 0, "retransmissions in a row")


def test_mapped_address(lab):
    """Of an address that stands for the host's loopback, both are shown."""
    daemon = lab.start()
    listener = lab.host.tcp_listen("127.0.0.1")
    port = listener.getsockname()[1]
    with lab.guest.tcp_connect(ROUTER_ADDR, port):
        flow = flow_to(daemon, port)
        equal((flow["dest"]["addr"], flow["peer"]["addr"]), (ROUTER_ADDR, "127.0.0.1"), "the ends")
        contains(daemon.ctl("flows"), f" {ROUTER_ADDR}:{port} (127.0.0.1:{port}) ")


def fill(sock):
    """Sends until nothing more is taken."""
    sock.setblocking(False)
    while True:
        try:
            sock.send(b"x" * 65536)
        except BlockingIOError:
            return


def test_queues(lab):
    """What waits in the kernel for either end."""
    daemon = lab.start()
    sock, conn, port = connection(lab)

    def same(full, ours, theirs):
        fill(full)
        shown, words = flow_to(daemon, port)["info"], lab.host.run("ss", "-tnH", "dport", "=", f":{port}").split()
        return shown[ours] > 10000 and str(shown[ours]) == words[theirs]
    eventually(lambda: same(sock, "send_queue", 2), 20, "the send queue is full, and is the kernel's", interval=0.3)
    eventually(lambda: same(conn, "recv_queue", 1), 20, "the receive queue, likewise", interval=0.3)
    sock.close()
    conn.close()


def test_where_from(lab):
    """Of what the guest is told, where it is from; of limits, how much is used."""
    lab.name_server()
    daemon = lab.start("--mtu", "1400")
    network = daemon.ctl_json("status")["network"]
    equal((network["address_source"], network["mtu_source"], network["dns_source"], network["search_source"]),
          ("host", "flag", "host", "host"), "the sources")
    for name in "www.lab.example", "alias.lab.example":
        lab.guest.run("dig", "+short", name)
    lab.guest.spawn("dig", "+time=15", "+tries=1", "mute.lab.example", log="mute.log")

    def used():
        limits = {row["limit"]: row["used"] for row in daemon.ctl_json("status")["limits"]}
        return [limits[name] for name in ("dns-queries", "dns-cache", "flows", "control-clients")]
    eventually(lambda: used() == [1, 2, 0, 1], 4, "one query waits, and two answers are kept")


def test_memory(lab):
    """The memory in use is what the system says of the process."""
    daemon = lab.daemon().start()
    with open(f"/proc/{daemon.process.pid}/status") as status:
        resident = 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))
    shown = daemon.stat("memory.resident-bytes")
    check(resident * 0.9 < shown < resident * 1.3, f"{shown} bytes are not {resident}")


def test_sent_again(lab):
    """What the guest sends again, because the daemon was stopped, counts once."""
    daemon = lab.start()
    sock, conn, port = connection(lab)
    daemon.process.send_signal(signal.SIGSTOP)
    sock.sendall(b"x" * 3000)
    eventually(lambda: re.search(r"retrans:\d+/[2-9]", lab.guest.run("ss", "-tinH")), 20, "the guest sent it again")
    daemon.process.send_signal(signal.SIGCONT)
    receive_all(conn, 3000)
    equal(flow_to(daemon, port)["bytes_out"], 3000, "the bytes")
    check(flow_to(daemon, port)["packets_out"] > 3, "the packets are fewer than were sent")
    check(daemon.stat("tcp.duplicates") >= 2, "too few duplicates were counted")
