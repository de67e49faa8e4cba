"""The tests: each loads a session for some seconds and returns its figures by name."""

import math

from bench import terms
from bench.lab import RR_PORT, SERVER_ADDR, UDPLOAD_PORT, Failed

REQUEST_SIZE = 64


def each(amount, count):
    """None where there was no daemon to use the amount."""
    return None if amount is None else amount / count


def stream(session, seconds, to_guest, streams):
    """TCP streams, by iperf3, which counts in whole seconds."""
    server = session.lab.server.spawn("iperf3", "-s", "-1", "--forceflush")
    overflows = session.lab.wire_overflows()
    try:
        server.expect("listening")
        seconds = max(1, math.ceil(seconds))
        answer, cpu = session.ask("iperf3", "-J", "-c", SERVER_ADDR, "-t", seconds,
                                  "-P", streams, *["-R"] * to_guest, seconds=seconds)
    finally:
        server.end()
    if "error" in answer:
        raise Failed(f"iperf3: {answer['error']}")
    received = answer["end"]["sum_received"]
    if not received["bytes"]:
        raise Failed("iperf3: not a byte arrived")
    overflows = session.lab.wire_overflows() - overflows
    if overflows:
        raise Failed(f"the wire had no room for {overflows} frames")
    return {"gbps": received["bits_per_second"] / 1e9,
            "cpu_s_per_gb": each(cpu, received["bytes"] / 1e9)}


def exchange(session, seconds, mode):
    """Request and response, one after the other."""
    answer, cpu = session.ask(session.lab.tool("rr"), mode, SERVER_ADDR, RR_PORT, seconds,
                              REQUEST_SIZE, seconds=seconds)
    if answer["errors"] or not answer["n"]:
        raise Failed(f"rr: {answer['errors']} errors beside {answer['n']} exchanges")
    return {"per_s": answer["per_s"], "p50_us": answer["p50_us"], "p99_us": answer["p99_us"],
            "cpu_us": each(cpu, answer["n"] / 1e6)}


def datagrams(session, seconds, way, size):
    """Loss at a fixed rate; then how many arrive of as many as go, and the CPU for each."""
    def run(*rate):
        answer, cpu = session.ask(
            session.lab.tool("udpload"), "send" if way == "g2h" else "receive", SERVER_ADDR,
            UDPLOAD_PORT, seconds / 2, size, *rate, seconds=seconds)
        if not answer["received"]:
            raise Failed("udpload: not a datagram arrived")
        return answer, cpu

    paced, _ = run(terms.UDP_RATES[size])
    flood, cpu = run()
    return {"per_s": flood["per_s"],
            "loss_percent": (1 - paced["received"] / paced["sent"]) * 100,
            "cpu_us": each(cpu, flood["received"] / 1e6)}


def run(test, session, seconds):
    """The figures of the test of that name."""
    if test.startswith("udp_"):
        _, way, size = test.split("_")
        return datagrams(session, seconds, way, int(size))
    if test.endswith("rr"):
        return exchange(session, seconds, test)
    return stream(session, seconds, test.startswith("h2g"), 4 if test.endswith("4") else 1)


def warm_up(session):
    """A second of traffic that nobody counts."""
    stream(session, 1, False, 1)


def hold(session, count):
    """Holds idle flows beside what follows; what one costs."""
    before = session.resident_bytes()
    session.hold(count)
    after = session.resident_bytes()
    return {"bytes_per_flow": each(None if after is None else after - before, count)}
