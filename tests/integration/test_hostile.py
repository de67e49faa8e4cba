"""What a hostile guest, peer, local user or control client cannot do: postern-security(7)."""

import array
import os
import pathlib
import socket
import struct
import subprocess

from lab import frames
from lab.checks import check, contains, deadline, equal, eventually, raises
from lab.daemon import program
from lab.frames import ETH_ARP, ICMP, TCP, UDP, Link
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all, udp_echo

STRANGER = "203.0.113.77"


def linked(lab, *args):
    """(daemon, link) with nobody but the test behind the link."""
    daemon = lab.daemon().start(*args)
    return daemon, Link(daemon)


# A hostile guest.

def test_log_flood(lab):
    """A guest of 2,000 MAC addresses, in links that come and go, costs a few lines of the log."""
    daemon, link = linked(lab)
    for i in range(2000):
        link.send(frames.arp_request(ROUTER_ADDR, src=f"52:54:00:00:{i >> 8:02x}:{i & 255:02x}"))
    link.alive()
    link.sock.close()

    def come_and_go():
        with Link(daemon) as link:
            link.alive()
        return "like it before" in daemon.log()
    for _ in range(200):
        come_and_go()
    before = daemon.log()
    check(before.count("MAC address") < 20 and before.count("connected") < 60,
          f"the log has {len(before.splitlines())} lines")
    eventually(come_and_go, 10, "it is told how often it happened")
