"""Multicast and broadcast: what leaves, who may answer, and what the guest is told of groups."""

import socket
import struct

import netns
from lab.checks import check, equal, eventually
from lab.lab import HOST_ADDR, ROUTER_ADDR, ROUTER_LINK_ADDR6

MDNS, MDNS6, MDNS_PORT = "224.0.0.251", "ff02::fb", 5353


def listen(node, interface, group, port):
    """A socket on a node that has joined a group and shares its port."""
    ip6 = ":" in group
    sock = node.socket(socket.SOCK_DGRAM, family=socket.AF_INET6 if ip6 else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    with node.space.entered():
        index = socket.if_nametoindex(interface)
    packed = socket.inet_pton(sock.family, group)
    if ip6:
        sock.bind(("::", port))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed + struct.pack("@I", index))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        sock.bind(("", port))
        sock.setsockopt(socket.SOL_IP, socket.IP_ADD_MEMBERSHIP, packed + struct.pack("@4si", bytes(4), index))
        sock.setsockopt(socket.SOL_IP, socket.IP_MULTICAST_IF, struct.pack("@4s4si", bytes(4), bytes(4), index))
    return sock


def to_group(lab, group):
    """Where the guest sends to reach the group."""
    if ":" not in group:
        return group, MDNS_PORT
    with lab.guest.space.entered():
        return group, MDNS_PORT, 0, socket.if_nametoindex("eth0")


def nothing_comes(sock, seconds=0.5):
    sock.settimeout(seconds)
    try:
        data = sock.recv(1000)
    except TimeoutError:
        return
    raise AssertionError(f"{data} came")


def one_shot(lab, group, responder_addr):
    """The guest asks a group from any port; who answers is seen as who it is."""
    responder = listen(lab.router, "near", group, MDNS_PORT)
    sock = lab.guest.udp_socket("::" if ":" in group else "0.0.0.0")
    sock.sendto(b"who?", to_group(lab, group))
    data, client = responder.recvfrom(100)
    equal(data, b"who?", "the question")
    equal(client[1], sock.getsockname()[1], "the source port")
    responder.sendto(b"I", client)
    data, sender = sock.recvfrom(100)
    equal((data, sender[0].split("%")[0], sender[1]), (b"I", responder_addr, MDNS_PORT), "the answer")
    return client[0].split("%")[0]


def test_one_shot_question(lab):
    """A question to 224.0.0.251 from any port is answered, by whom is seen."""
    lab.start()
    equal(one_shot(lab, MDNS, ROUTER_ADDR), HOST_ADDR, "who asks")


def test_one_shot_question_private(lab):
    """So it is in a network of the guest's own."""
    lab.start("--private")
    equal(one_shot(lab, MDNS, ROUTER_ADDR), HOST_ADDR, "who asks")


def test_ttl(lab):
    """The TTL that the guest gave is that on the host's network."""
    lab.start()
    responder = listen(lab.router, "near", "239.1.2.3", MDNS_PORT)
    responder.setsockopt(socket.SOL_IP, 12, 1)  # IP_RECVTTL
    sock = lab.guest.udp_socket()
    for ttl in 1, 7, 255:
        sock.setsockopt(socket.SOL_IP, socket.IP_MULTICAST_TTL, ttl)
        sock.sendto(b"x", ("239.1.2.3", MDNS_PORT))
        _, control, _, _ = responder.recvmsg(100, 100)
        equal(struct.unpack("@i", control[0][2])[0], ttl, "the TTL")


def test_broadcast(lab):
    """Broadcasts reach the host's network, and their answers the guest."""
    lab.start()
    server = lab.router.udp_socket(port=7000)
    sock = lab.guest.udp_socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for addr in "255.255.255.255", "192.0.2.255":
        sock.sendto(b"anybody?", (addr, 7000))
        data, client = server.recvfrom(100)
        equal((data, client[0]), (b"anybody?", HOST_ADDR), "the question")
        server.sendto(b"I", client)
        equal(sock.recvfrom(100), (b"I", (ROUTER_ADDR, 7000)), "the answer")


def test_interface(lab):
    """They leave through the interface that the guest's network is made after."""
    netns.connect(lab.host.space, "second", "192.0.3.2/24", lab.router.space, "near2", "192.0.3.1/24")
    lab.guest.addr, lab.guest.gateway = "192.0.3.2", "192.0.3.1"
    lab.start("-i", "second", "-g", "192.0.3.1")
    server = lab.router.udp_socket(port=7000)
    listener = listen(lab.router, "near2", "239.1.2.3", 7001)
    sock = lab.guest.udp_socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.sendto(b"anybody?", ("255.255.255.255", 7000))
    equal(server.recvfrom(100)[1][0], "192.0.3.2", "who sent the broadcast")
    sock.sendto(b"anybody?", ("239.1.2.3", 7001))
    equal(listener.recvfrom(100)[1][0], "192.0.3.2", "who sent the multicast")


def test_broadcast_answered_by_broadcast(lab):
    """An answer to all reaches the guest as such; its own question does not."""
    lab.start()
    server = lab.router.udp_socket(port=7000)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock = lab.guest.udp_socket(port=7000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.sendto(b"anybody?", ("255.255.255.255", 7000))
    equal(sock.recv(100), b"anybody?", "the guest's own loop")
    equal(server.recv(100), b"anybody?", "the question")
    server.sendto(b"I", ("192.0.2.255", 7000))
    equal(sock.recvfrom(100), (b"I", (ROUTER_ADDR, 7000)), "the answer")
    nothing_comes(sock)


def test_service_of_the_host(lab):
    """The guest's questions reach a responder on the host, which keeps what is sent to it."""
    daemon = lab.start()
    responder = listen(lab.host, "uplink", MDNS, MDNS_PORT)
    responder.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"")  # it is on all of them
    sock = lab.guest.udp_socket(port=MDNS_PORT)
    sock.sendto(b"who?", (MDNS, MDNS_PORT))
    equal(responder.recvfrom(100), (b"who?", (HOST_ADDR, MDNS_PORT)), "the question")
    sock.sendto(b"who?", ("239.1.2.3", MDNS_PORT))
    eventually(lambda: len(daemon.ctl_json("flows")) == 2, 10, "there is a flow for each group")
    lab.router.udp_socket().sendto(b"yours", (HOST_ADDR, MDNS_PORT))
    equal(responder.recv(100), b"yours", "what is sent to the host")


def joined(node, interface, group):
    """Whether a node is in the group there."""
    return group in node.run("ip", "maddr", "show", "dev", interface)


def hears(lab, group, responder_addr):
    """A guest in a group hears what others send to it, but not itself twice."""
    responder = listen(lab.router, "near", group, MDNS_PORT)
    sock = listen(lab.guest, "eth0", group, MDNS_PORT)
    eventually(lambda: joined(lab.host, "uplink", group), 10, "the host is in the group")
    sock.sendto(b"who?", to_group(lab, group))
    equal(responder.recv(100), b"who?", "the question")
    equal(sock.recv(100), b"who?", "the guest's own loop")
    with lab.router.space.entered():
        index = socket.if_nametoindex("near")
    responder.sendto(b"I", (group, MDNS_PORT, 0, index) if ":" in group else (group, MDNS_PORT))
    data, sender = sock.recvfrom(100)
    equal((data, sender[0].split("%")[0]), (b"I", responder_addr), "the answer")
    nothing_comes(sock)
    sock.close()
    eventually(lambda: not joined(lab.host, "uplink", group), 10, "the host has left the group")


def test_group(lab):
    """The guest hears the groups that it has joined, and the host leaves them with it."""
    daemon = lab.start("--multicast")
    hears(lab, MDNS, ROUTER_ADDR)
    check(daemon.stat("multicast.reports") >= 2, "no report was counted")


def test_answer_to_a_member(lab):
    """A member of a group that asks from the group's port gets an answer for it alone."""
    lab.start("--multicast")
    responder = listen(lab.router, "near", MDNS, MDNS_PORT)
    sock = listen(lab.guest, "eth0", MDNS, MDNS_PORT)
    eventually(lambda: joined(lab.host, "uplink", MDNS), 10, "the host is in the group")
    sock.sendto(b"who?", (MDNS, MDNS_PORT))
    equal(sock.recv(100), b"who?", "the guest's own loop")
    data, client = responder.recvfrom(100)
    equal((data, client), (b"who?", (HOST_ADDR, MDNS_PORT)), "the question")
    responder.sendto(b"I", client)
    equal(sock.recvfrom(100), (b"I", (ROUTER_ADDR, MDNS_PORT)), "the answer")


def test_group_igmp2(lab):
    """A guest that speaks IGMPv2 is understood."""
    lab.guest.sysctl("ipv4/conf/all/force_igmp_version", 2)
    lab.start("--multicast")
    hears(lab, MDNS, ROUTER_ADDR)


def test_group_of_a_list(lab):
    """A group and port named on the command line is heard, though the guest never sends."""
    lab.start("--multicast=239.1.2.3:4000")
    sock = listen(lab.guest, "eth0", "239.1.2.3", 4000)
    eventually(lambda: joined(lab.host, "uplink", "239.1.2.3"), 10, "the host is in the group")
    sender = listen(lab.router, "near", "239.1.2.3", 4001)
    sender.sendto(b"news", ("239.1.2.3", 4000))
    equal(sock.recvfrom(100), (b"news", (ROUTER_ADDR, 4001)), "what came")


def test_group_beside_a_service(lab):
    """A responder on the host and one of the guest hear each other, at one port."""
    lab.start("--multicast")
    service = listen(lab.host, "uplink", MDNS, MDNS_PORT)
    sock = listen(lab.guest, "eth0", MDNS, MDNS_PORT)
    eventually(lambda: lab.host.run("ss", "-Huln", f"sport = :{MDNS_PORT}").count(MDNS), 10,
               "the host listens to the group")
    sock.sendto(b"who?", (MDNS, MDNS_PORT))
    equal(sock.recv(100), b"who?", "the guest's own loop")
    equal(service.recvfrom(100), (b"who?", (HOST_ADDR, MDNS_PORT)), "the question")
    service.sendto(b"I", (MDNS, MDNS_PORT))
    equal(sock.recvfrom(100), (b"I", (ROUTER_ADDR, MDNS_PORT)), "the answer, from the gateway")
    nothing_comes(sock)


def test_group_on_another_interface(lab):
    """Where the host's interface is another by the same name, the groups are joined there."""
    lab.start("--multicast")
    sock = listen(lab.guest, "eth0", MDNS, MDNS_PORT)
    eventually(lambda: joined(lab.host, "uplink", MDNS), 10, "the host is in the group")
    lab.replace_uplink()
    eventually(lambda: joined(lab.host, "uplink", MDNS), 10, "the host is in the group again")
    sock.close()


def test_no_group_without_option(lab):
    """Without --multicast no group is joined, and the report is a counted drop."""
    daemon = lab.start()
    sock = listen(lab.guest, "eth0", MDNS, MDNS_PORT)
    eventually(lambda: daemon.stat("drop.ip-protocol") > 0, 10, "the report was dropped")
    check(not joined(lab.host, "uplink", MDNS), "the host is in the group")
    sock.close()


def test_one_shot_question6(lab):
    """A question to ff02::fb is answered over IPv6 as over IPv4."""
    lab.add_ip6()
    lab.start()
    lab.guest.wait_ip6()
    one_shot(lab, MDNS6, ROUTER_LINK_ADDR6)


def test_group6(lab):
    """The guest hears groups of IPv6 that it has joined."""
    lab.add_ip6()
    lab.start("--multicast")
    lab.guest.wait_ip6()
    hears(lab, MDNS6, ROUTER_LINK_ADDR6)


def test_group6_mld1(lab):
    """A guest that speaks MLDv1 is understood."""
    lab.guest.sysctl("ipv6/conf/default/force_mld_version", 1)
    lab.add_ip6()
    lab.start("--multicast")
    lab.guest.wait_ip6()
    hears(lab, MDNS6, ROUTER_LINK_ADDR6)
