"""QEMU's `-netdev stream`: daemon, QEMU and guest go and come in turn."""

import signal

from lab.checks import deadline, equal, eventually
from lab.machine import (EVENT_DEADLINE, Machine, Network, ask_guest, expect_end, installed,
                         newest, qemu, wait_guest)

FORWARD = "-t", "2222:22"


def restart(daemon, signum):
    """Ends the daemon and starts it again with the same command line."""
    daemon.process.send_signal(signum)
    daemon.process.wait(EVENT_DEADLINE)
    daemon.judge(0 if signum == signal.SIGTERM else -signum)
    daemon.start(*FORWARD)


@deadline(900)
def test_installed(lab):
    """QEMU restarts under the daemon, then both: a new guest, and one restored, are online."""
    network, state = Network(lab), lab.folder / "state"
    daemon = lab.daemon().start(*FORWARD)
    netdev = qemu.stream(daemon.socket)
    guest = Machine(lab, installed(), netdev)
    guest.boot()
    lease = guest.lease()
    client = ask_guest(lab, 2222)

    guest.close()
    expect_end(client)
    guest = Machine(lab, installed(), netdev)
    guest.boot()
    equal(guest.lease(), lease, "the next guest's lease")
    guest.wait_ip6()
    address = guest.address()
    network.check_online(guest, address)

    guest.open_flow(network.echo)
    guest.save(state)
    guest.close()
    restart(daemon, signal.SIGKILL)
    guest = guest.restored(state)
    guest.expect_flow_reset()
    network.check_online(guest, address)


@deadline(900)
def test_reconnect(lab):
    """The daemon restarts under QEMU, which connects again; later the guest is restored."""
    network, state = Network(lab), lab.folder / "state"
    daemon = lab.daemon().start(*FORWARD)
    guest = Machine(lab, newest(), qemu.stream(daemon.socket, **{"reconnect-ms": 200}))
    guest.boot()
    lease = guest.lease()
    guest.wait_ip6()
    address = guest.address()
    network.check_online(guest, address)

    for signum in signal.SIGKILL, signal.SIGTERM:
        guest.open_flow(network.echo)
        client = ask_guest(lab, 2222)
        restart(daemon, signum)
        expect_end(client)
        wait_guest(daemon)
        guest.expect_flow_reset()
        network.check_online(guest, address)
    equal(guest.lease(), lease, "the lease, asked for again")

    guest.open_flow(network.echo)
    guest.save(state)
    guest.close()
    guest = guest.restored(state)
    wait_guest(daemon)
    guest.expect_flow_reset()
    network.check_online(guest, address)
    eventually(lambda: not daemon.ctl_json("flows"), 20, "no flow is left", interval=0.2)
