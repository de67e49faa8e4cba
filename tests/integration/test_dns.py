"""DNS: what the guest asks is answered by relay, from the cache, or from built-in names."""

import os
import re
import socket
import struct

from lab.checks import check, contains, deadline, equal, eventually, within
from lab.lab import (DNS2_ADDR, DNS_ADDR, HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, SERVER_ADDR6,
                     SILENT_ADDR)
from lab.servers import receive_all

TYPE_A = 1
NOERROR = 0


def dig(lab, *args, server=None):
    """What dig prints, with the guest's own resolver unless a server is given."""
    options = ["+time=15", "+tries=1", *args]
    return lab.guest.run("dig", *([f"@{server}"] if server else []), *options)


def answers(lab, *args, **kwargs):
    """The data of the records in the answer, sorted."""
    return sorted(dig(lab, "+short", *args, **kwargs).split("\n")[:-1])


def status_of(output):
    return re.search(r"status: (\w+)", output).group(1)


def query(name, qtype=TYPE_A, qid=0x1234):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", qid, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", qtype, 1)


def test_record_types(lab):
    """Records of all types, known to the daemon or not, arrive unchanged."""
    lab.name_server()
    lab.start()
    equal(answers(lab, "www.lab.example", "A"), [SERVER_ADDR], "A")
    equal(answers(lab, "www.lab.example", "AAAA"), [SERVER_ADDR6], "AAAA")
    equal(answers(lab, "text.lab.example", "TXT"), ['"hello" "world"'], "TXT")
    equal(answers(lab, "mail.lab.example", "MX"), ["10 www.lab.example."], "MX")
    equal(answers(lab, "alias.lab.example", "A"), [SERVER_ADDR, "www.lab.example."], "CNAME")
    equal(answers(lab, "odd.lab.example", "TYPE65280"), ["\\# 3 00FF10"], "TYPE65280")


def test_search_and_libc(lab):
    """A name without its domain resolves through the C library's resolver."""
    lab.name_server()
    lab.start()
    lab.guest.resolv_conf(f"nameserver {DNS_ADDR}\nsearch lab.example\n")
    contains(lab.guest.run("getent", "ahostsv4", "www"), SERVER_ADDR)


def test_negative(lab):
    """NXDOMAIN and an empty answer arrive as such, with the zone's SOA."""
    lab.name_server()
    lab.start()
    missing = dig(lab, "nothing.lab.example")
    equal(status_of(missing), "NXDOMAIN", "status of a name that is not there")
    contains(missing, "SOA", "the NXDOMAIN answer")
    empty = dig(lab, "text.lab.example", "A")
    equal(status_of(empty), "NOERROR", "status of a type that is not there")
    contains(empty, "ANSWER: 0", "the empty answer")


def test_error_relayed(lab):
    """An error of the name server reaches the guest."""
    lab.name_server()
    lab.start()
    equal(status_of(dig(lab, "fail.lab.example")), "SERVFAIL", "status")


def test_case_kept(lab):
    """The question comes back in the case that the guest wrote."""
    lab.name_server()
    lab.start()
    contains(dig(lab, "WwW.LaB.eXaMpLe"), "WwW.LaB.eXaMpLe.", "the answer")


def test_large_answer_by_tcp(lab):
    """An answer too large for UDP comes truncated, and whole by TCP."""
    upstream = lab.name_server()
    lab.start()
    cut = dig(lab, "+ignore", "+noedns", "large.lab.example", "TXT")
    contains(cut.split("flags:")[1].split(";")[0], "tc", "the flags of the answer by UDP")
    equal(len(answers(lab, "+noedns", "large.lab.example", "TXT")), 18, "strings by TCP")
    check(upstream.count("large.lab.example.", "tcp"), "the name server was not asked by TCP")


def test_large_answer_by_edns(lab):
    """A client that takes 4096 bytes by UDP gets them by UDP."""
    lab.name_server()
    lab.start()
    output = dig(lab, "+ignore", "+bufsize=4096", "large.lab.example", "TXT")
    equal(output.count("TXT\t\""), 18, "strings by UDP")


def test_tcp_from_guest(lab):
    """Several questions on one TCP connection are answered."""
    lab.name_server()
    lab.start()
    equal(answers(lab, "+tcp", "+keepopen", "www.lab.example", "A", "mail.lab.example", "MX",
                  "www.lab.example", "AAAA"),
          sorted([SERVER_ADDR, "10 www.lab.example.", SERVER_ADDR6]), "answers")


def test_tcp_byte_at_a_time(lab):
    """A question that dribbles in by TCP is answered."""
    lab.name_server()
    lab.start()
    message = query("www.lab.example")
    with lab.guest.tcp_connect(DNS_ADDR, 53) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in struct.pack("!H", len(message)) + message:
            sock.sendall(bytes([byte]))
        length, = struct.unpack("!H", receive_all(sock, 2))
        reply = receive_all(sock, length)
    equal(reply[:2], message[:2], "the id")
    check(socket.inet_aton(SERVER_ADDR) in reply, "the address is missing")


def tcp_replies(sock, count):
    """Messages from a TCP connection, by id."""
    found = {}
    for _ in range(count):
        length, = struct.unpack("!H", receive_all(sock, 2))
        message = receive_all(sock, length)
        found[struct.unpack_from("!H", message)[0]] = message
    return found


def test_largest_answer(lab):
    """An answer of almost 64 KiB arrives whole by TCP, from the name server and from the cache."""
    upstream = lab.name_server(
        zone="".join(f'big.lab.example. 60 TXT "{i:03d}{"y" * 250}"\n' for i in range(244)))
    lab.start()
    for _ in range(2):
        got = answers(lab, "+tcp", "big.lab.example", "TXT")
        equal(len(set(got)), 244, "different strings")
        equal({len(line) for line in got}, {255}, "lengths of the strings")
    equal(upstream.count("big.lab.example."), 1, "questions to the name server")


def test_tcp_pipeline(lab):
    """200 questions written at once on one TCP connection are all answered."""
    lab.name_server(zone="".join(f"p{i}.lab.example. 60 A 198.51.100.{i}\n" for i in range(200)))
    lab.start()
    messages = [query(f"p{i}.lab.example", qid=i) for i in range(200)]
    with lab.guest.tcp_connect(DNS_ADDR, 53, timeout=30) as sock:
        sock.sendall(b"".join(struct.pack("!H", len(m)) + m for m in messages))
        found = tcp_replies(sock, 200)
    wrong = [i for i in range(200) if found[i][-4:] != socket.inet_aton(f"198.51.100.{i}")]
    check(not wrong, f"wrong answers: {wrong[:10]}")


def test_tcp_half_close(lab):
    """A client that ends its half after its question gets the answer, then the end."""
    lab.name_server()
    lab.start()
    message = query("www.lab.example")
    with lab.guest.tcp_connect(DNS_ADDR, 53) as sock:
        sock.sendall(struct.pack("!H", len(message)) + message)
        sock.shutdown(socket.SHUT_WR)
        check(socket.inet_aton(SERVER_ADDR) in tcp_replies(sock, 1)[0x1234], "no address")
        equal(sock.recv(1), b"", "what follows the answer")


def test_tcp_clients_are_bounded(lab):
    """Of many idle TCP connections the oldest end, so that new ones are served."""
    lab.name_server()
    lab.start()
    idle = [lab.guest.tcp_connect(DNS_ADDR, 53) for _ in range(64)]
    equal(answers(lab, "+tcp", "www.lab.example"), [SERVER_ADDR], "the answer to one more")
    equal(idle[0].recv(1), b"", "what the oldest one receives")
    message = query("www.lab.example")
    idle[-1].sendall(struct.pack("!H", len(message)) + message)
    check(socket.inet_aton(SERVER_ADDR) in tcp_replies(idle[-1], 1)[0x1234], "no address")


# Resolvers.

def test_dead_first_resolver(lab):
    """When the first name server is down, the second one answers in time."""
    lab.host.resolv_conf(f"nameserver {DNS_ADDR}\nnameserver {DNS2_ADDR}\n")
    lab.name_server(DNS2_ADDR)
    lab.start()
    with within(10, "the answer"):
        equal(answers(lab, "www.lab.example"), [SERVER_ADDR], "the answer")


def test_silent_first_resolver(lab):
    """When the first name server does not answer, the next ones do, in time."""
    lab.host.resolv_conf(f"nameserver {SILENT_ADDR}\nnameserver {DNS2_ADDR}\n")
    lab.name_server(DNS2_ADDR)
    lab.start()
    with within(10, "the answer"):
        equal(answers(lab, "www.lab.example", server=SILENT_ADDR), [SERVER_ADDR], "the answer")


def test_resolvers_of_two_links(lab):
    """One link-local address on two links is that of two name servers."""
    lab.add_ip6()
    lab.host.ip("link add dark type veth peer name end", "link set dark up", "link set end up")
    lab.router.ip("addr add fe80::77/64 dev near nodad")
    upstream = lab.name_server("fe80::77%near", node=lab.router)
    lab.host.resolv_conf("nameserver fe80::77%dark\nnameserver fe80::77%uplink\n")
    daemon = lab.start()
    with within(10, "the answer"):
        equal(answers(lab, "www.lab.example", server=ROUTER_ADDR), [SERVER_ADDR], "the answer")
    check(upstream.count("www.lab.example."), "the second one was not asked")
    equal([(s["addr"], s["answers"]) for s in daemon.ctl_json("dns")["servers"]],
          [("fe80::77%dark", 0), ("fe80::77%uplink", 1)], "name servers and their answers")


def test_nobody_answers(lab):
    """SERVFAIL with the question comes when no name server answers."""
    lab.name_server()
    lab.start()
    with within(15, "the answer"):
        output = dig(lab, "mute.lab.example")
    equal(status_of(output), "SERVFAIL", "status")
    contains(output, ";mute.lab.example.", "the question")


def test_query_limit(lab):
    """--max-dns-queries N: more at once are refused at once; --dns-timeout ends the others."""
    lab.name_server(zone="".join(f"mute{i}.lab.example. 0 SILENT\n" for i in range(8)))
    lab.start("--max-dns-queries", "5", "--dns-timeout", "3")
    sock = lab.guest.udp_socket(timeout=15)
    for number in range(8):
        sock.sendto(query(f"mute{number}.lab.example", qid=number), (DNS_ADDR, 53))
    with within(2, "the refusals"):
        first = [sock.recv(4096) for _ in range(3)]
    rest = [sock.recv(4096) for _ in range(5)]
    equal(sorted(struct.unpack_from("!H", m)[0] for m in first + rest), [*range(8)], "the ids")
    equal({m[3] & 15 for m in first + rest}, {2}, "codes (SERVFAIL)")


def test_silent_name_delays_nobody(lab):
    """While one question waits, others are answered."""
    lab.name_server()
    lab.start()
    waiting = lab.guest.spawn("dig", "+time=15", "+tries=1", "mute.lab.example", log="mute.log")
    with within(5, "another answer"):
        equal(answers(lab, "www.lab.example"), [SERVER_ADDR], "the answer")
    waiting.wait(30)


def test_resolv_conf_changes(lab):
    """A new resolv.conf counts for the next question, without a restart."""
    lab.name_server()
    lab.name_server(DNS2_ADDR, zone="moved.lab.example. 60 A 198.51.100.7\n")
    lab.start()
    equal(answers(lab, "www.lab.example"), [SERVER_ADDR], "the answer before")
    lab.host.resolv_conf(f"nameserver {DNS2_ADDR}\n")
    attempt = iter(range(1000))
    # Each try asks a new name first, so that a negative answer in the cache is not the reason.
    eventually(lambda: (answers(lab, f"new{next(attempt)}.lab.example"),
                        answers(lab, "moved.lab.example") == ["198.51.100.7"])[1],
               20, "the new name server answers", interval=0.5)


def test_loopback_resolver(lab):
    """A resolver on the host's loopback is reached through the gateway's address."""
    lab.host.resolv_conf("nameserver 127.0.0.53\n")
    upstream = lab.name_server("127.0.0.53", node=lab.host)
    lab.start()
    equal(answers(lab, "www.lab.example", server=ROUTER_ADDR), [SERVER_ADDR], "the answer")
    equal(answers(lab, "+tcp", "mail.lab.example", "MX", server=ROUTER_ADDR),
          ["10 www.lab.example."], "the answer by TCP")
    check(upstream.count("www.lab.example."), "the resolver on the loopback was not asked")


def test_private_resolver(lab):
    """With --private, the name server's address of that network answers."""
    lab.name_server()
    lab.start("--private")
    equal(answers(lab, "www.lab.example"), [SERVER_ADDR], "the answer")


def test_filter_aaaa(lab):
    """With --dns-filter-aaaa=auto, names have no IPv6 address for a guest without IPv6."""
    lab.name_server()
    daemon = lab.start("--dns-filter-aaaa=auto")
    equal(answers(lab, "www.lab.example", "AAAA"), [], "AAAA")
    equal(answers(lab, "www.lab.example", "A"), [SERVER_ADDR], "A")
    equal(daemon.stat("dns.aaaa-filtered"), 1, "queries filtered")


# The cache.

def test_cache_hit(lab):
    """A second question is answered without the name server, with its own id and case."""
    upstream = lab.name_server()
    lab.start()
    for name in ("www.lab.example", "www.lab.example", "WWW.lab.example"):
        equal(answers(lab, name), [SERVER_ADDR], "the answer")
    equal(upstream.count("www.lab.example."), 1, "questions to the name server")


def test_cache_type(lab):
    """The cache does not answer one type with another."""
    lab.name_server()
    lab.start()
    equal(answers(lab, "www.lab.example", "A"), [SERVER_ADDR], "A")
    equal(answers(lab, "www.lab.example", "AAAA"), [SERVER_ADDR6], "AAAA")


def test_cache_expires(lab):
    """A record is asked for again when its TTL is over."""
    upstream = lab.name_server()
    lab.start()
    eventually(lambda: (answers(lab, "short.lab.example"),
                        upstream.count("short.lab.example.") >= 2)[1],
               10, "the name server is asked again", interval=0.3)


def test_cache_negative(lab):
    """NXDOMAIN is cached for the zone's negative TTL."""
    upstream = lab.name_server()
    lab.start()
    for _ in range(2):
        equal(status_of(dig(lab, "nothing.lab.example")), "NXDOMAIN", "status")
    equal(upstream.count("nothing.lab.example."), 1, "questions to the name server")


def test_cache_limit(lab):
    """--max-dns-cache N keeps the N answers used last."""
    upstream = lab.name_server()
    lab.start("--max-dns-cache", "2")
    for name in ("www", "alias", "evil", "www", "evil"):
        dig(lab, f"{name}.lab.example")
    equal([upstream.count(f"{name}.lab.example.") for name in ("www", "alias", "evil")], [2, 1, 1],
          "questions to the name server")


def test_failure_not_cached(lab):
    """SERVFAIL is not kept: the next question goes out again."""
    upstream = lab.name_server()
    lab.start()
    for _ in range(2):
        dig(lab, "fail.lab.example")
    check(upstream.count("fail.lab.example.") >= 2, "the failure was answered from the cache")


# Lies and hostile input.

def test_forged_answers(lab):
    """Answers with a wrong id, question or source are not taken, nor kept."""
    lab.name_server()
    lab.start()
    for _ in range(2):
        equal(answers(lab, "evil.lab.example"), ["198.51.100.4"], "the answer")


def test_random_upstream(lab):
    """Ports and ids of the questions to the name server cannot be guessed from those before."""
    upstream = lab.name_server()
    lab.start()
    for number in range(20):
        dig(lab, f"n{number}.lab.example")
    ports = [client[1] for _, client, _ in upstream.asked]
    ids = [q.id for _, _, q in upstream.asked]
    check(len(set(ports)) >= 15, f"source ports repeat: {ports}")
    check(len(set(ids)) >= 19, f"ids repeat: {ids}")
    steps = {(b - a) % 65536 for a, b in zip(ids, ids[1:])}
    check(len(steps) > 15, f"ids follow a rule: {ids}")


def test_garbage(lab):
    """Messages that are no questions do no harm."""
    lab.name_server()
    lab.start()
    sock = lab.guest.udp_socket()
    whole = query("www.lab.example")
    messages = [whole[:cut] for cut in range(len(whole))]
    messages += [os.urandom(size) for size in (1, 11, 12, 13, 40, 512, 4096)]
    messages += [whole[:12] + b"\xc0\x0c" + whole[-4:],          # a name that points at itself
                 whole[:4] + b"\0\2" + whole[6:],                # two questions announced
                 whole[:12] + b"\x3f" * 300,                      # labels without an end
                 b"\0\0\x80" + whole[3:]]                        # a response
    for message in messages:
        sock.sendto(message, (DNS_ADDR, 53))
    for message in messages:
        with lab.guest.tcp_connect(DNS_ADDR, 53) as stream:
            stream.sendall(struct.pack("!H", len(message)) + message)
    equal(answers(lab, "www.lab.example"), [SERVER_ADDR], "the answer after it all")


@deadline(90)
def test_many_questions(lab):
    """300 questions at once are all answered, each with its own name."""
    zone = "".join(f"n{i}.lab.example. 60 A 198.51.100.{i % 200}\n" for i in range(300))
    lab.name_server(zone=zone)
    lab.start()
    sock = lab.guest.udp_socket(buffer=4 << 20, timeout=30)
    for number in range(300):
        sock.sendto(query(f"n{number}.lab.example", qid=number), (DNS_ADDR, 53))
    seen = {}
    while len(seen) < 300:
        reply = sock.recv(4096)
        qid, flags = struct.unpack_from("!2H", reply)
        seen[qid] = (flags & 15, reply[-4:], query(f"n{qid}.lab.example", qid=qid)[12:] in reply)
    expected = {i: (NOERROR, socket.inet_aton(f"198.51.100.{i % 200}"), True) for i in range(300)}
    wrong = {i: got for i, got in seen.items() if got != expected[i]}
    check(not wrong, f"{len(wrong)} wrong answers: {dict(list(wrong.items())[:5])}")


def test_equal_questions(lab):
    """Equal questions at the same time go to the name server once, and all get their answer."""
    upstream = lab.name_server()
    lab.start()
    sock = lab.guest.udp_socket(timeout=10)
    for number in range(20):
        sock.sendto(query("www.lab.example", qid=number), (DNS_ADDR, 53))
    ids = {struct.unpack_from("!H", sock.recv(4096))[0] for _ in range(20)}
    equal(ids, set(range(20)), "ids of the answers")
    equal(upstream.count("www.lab.example."), 1, "questions to the name server")


# Names without a name server.

def test_built_in_names(lab):
    """host.internal and gateway.internal are the gateway's address, and no business of others."""
    upstream = lab.name_server()
    lab.start()
    for name in ("host.internal", "gateway.internal"):
        equal(answers(lab, name), [ROUTER_ADDR], name)
        empty = dig(lab, name, "AAAA")
        equal(status_of(empty), "NOERROR", f"status of AAAA of {name}")
        equal(upstream.count(f"{name}."), 0, f"questions for {name} to the name server")


def test_dns_record(lab):
    """--dns-record NAME=ADDR answers without the name server."""
    upstream = lab.name_server()
    lab.start("--dns-record", "www.lab.example=203.0.113.5", "--dns-record", "x.test=192.0.2.77")
    equal(answers(lab, "www.lab.example"), ["203.0.113.5"], "the answer")
    equal(answers(lab, "X.test"), ["192.0.2.77"], "the answer")
    equal(len(upstream.asked), 0, "questions to the name server")


# What is relayed, and what is ordinary traffic.

def client_ports(upstream, name):
    return [client[1] for _, client, q in upstream.asked if q.name == name]


def test_other_address_is_ordinary(lab):
    """Port 53 of an address that was not handed out is ordinary traffic."""
    lab.name_server()
    other = lab.name_server(DNS2_ADDR)
    lab.start()
    equal(answers(lab, "-b", f"{HOST_ADDR}#5300", "www.lab.example", server=DNS2_ADDR),
          [SERVER_ADDR], "the answer")
    equal(client_ports(other, "www.lab.example."), [5300], "the client's port")


def test_no_dns_relay(lab):
    """--no-dns-relay makes all of port 53 ordinary traffic."""
    upstream = lab.name_server()
    lab.start("--no-dns-relay")
    for _ in range(2):
        equal(answers(lab, "-b", f"{HOST_ADDR}#5301", "www.lab.example"), [SERVER_ADDR], "answer")
    equal(client_ports(upstream, "www.lab.example."), [5301, 5301], "the client's ports")


def test_dns_forward(lab):
    """--dns-forward ADDR relays what is sent to that address."""
    upstream = lab.name_server()
    lab.start("--dns-forward", "192.0.2.53")
    equal(answers(lab, "www.lab.example", server="192.0.2.53"), [SERVER_ADDR], "the answer")
    equal(answers(lab, "+tcp", "mail.lab.example", "MX", server="192.0.2.53"),
          ["10 www.lab.example."], "the answer by TCP")
    check(upstream.count("www.lab.example."), "the name server was not asked")
