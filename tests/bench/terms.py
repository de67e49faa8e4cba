"""What is measured, by name: conditions, tests and their figures."""

import typing


SLIRP4NETNS = "slirp4netns"     # the one candidate that makes the guest's TAP itself
HOST = "host"                   # the one without daemon and guest: clients run on the host
PPM = 1000000


class Condition(typing.NamedTuple):
    """What surrounds a test."""

    mtu: int
    delay_us: int = 0       # one way, of the wire between host and server; 0 is a veth pair
    loss_ppm: int = 0       # of the frames on that wire, either way
    idle: int = 0           # TCP flows held open beside

    @property
    def order(self):
        """The key by which conditions are sorted."""
        return self.idle, self.loss_ppm, self.delay_us, -self.mtu

    @property
    def veth(self):
        """Whether a veth pair is enough of a wire."""
        return not (self.delay_us or self.loss_ppm)

    def __str__(self):
        parts = [f"MTU {self.mtu}", "veth" if self.veth else f"wire of {self.delay_us} us"]
        parts += [f"{self.loss_ppm * 100 / PPM:g} % loss"] * (self.loss_ppm > 0)
        return ", ".join(parts + [f"{self.idle} idle flows"] * (self.idle > 0))


class Figure(typing.NamedTuple):
    """A column of results."""

    title: str
    unit: str
    more_is_better: bool


FIGURES = {
    "gbps": Figure("throughput", "Gbit/s", True),
    "cpu_s_per_gb": Figure("daemon CPU", "s/GB", False),
    "per_s": Figure("rate", "1/s", True),
    "p50_us": Figure("latency p50", "us", False),
    "p99_us": Figure("latency p99", "us", False),
    "loss_percent": Figure("loss", "%", False),
    "cpu_us": Figure("daemon CPU", "us each", False),
    "bytes_per_flow": Figure("memory", "B/flow", False),
}

DETAILS = {"p99_us"}            # in no picture and no summary

STREAM = ("gbps", "cpu_s_per_gb")
EXCHANGE = ("per_s", "p50_us", "p99_us", "cpu_us")
DATAGRAM = ("per_s", "loss_percent", "cpu_us")

# Datagrams per second at which loss is measured, by size; the 60,000 bytes are 1 Gbit/s.
UDP_RATES = {64: 20000, 1400: 20000, 60000: 2000}


class Test(typing.NamedTuple):
    title: str
    label: str      # a few words, for pictures
    figures: tuple


TESTS = {
    "g2h": Test("guest to host, 1 TCP stream", "guest to host", STREAM),
    "h2g": Test("host to guest, 1 TCP stream", "host to guest", STREAM),
    "g2h4": Test("guest to host, 4 TCP streams", "guest to host, 4 streams", STREAM),
    "h2g4": Test("host to guest, 4 TCP streams", "host to guest, 4 streams", STREAM),
    "rr": Test("request/response of 64 bytes, one TCP connection", "TCP exchange",
               EXCHANGE),
    "crr": Test("connect, request, response, close", "connect and exchange", EXCHANGE),
    "urr": Test("request/response of 64 bytes, UDP", "UDP exchange", EXCHANGE),
} | {
    f"udp_{way}_{size}": Test(f"UDP datagrams of {size} bytes, {title}",
                                  f"{title}, {size} bytes", DATAGRAM)
    for way, title in (("g2h", "guest to host"), ("h2g", "host to guest")) for size in UDP_RATES
}

# What comes of holding the idle flows of a condition. It is not chosen, so it is no test above.
IDLE = "idle"
IDLE_TEST = Test("idle TCP flows, each after one exchange", "idle TCP flow", ("bytes_per_flow",))


def test_of(name):
    return IDLE_TEST if name == IDLE else TESTS[name]
