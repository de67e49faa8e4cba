"""What tests say: skip, compare, wait for a condition, measure."""

import contextlib
import time


class Skip(Exception):
    """The test cannot run here; the text says why."""


def check(condition, message):
    """Fails the test with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def equal(actual, expected, what="value"):
    if actual != expected:
        raise AssertionError(f"{what} is {actual!r}, expected {expected!r}")


def contains(text, part, what="output"):
    if part not in text:
        raise AssertionError(f"no {part!r} in {what}: {text!r}"[:800])


def eventually(condition, timeout=10, what="the condition holds", interval=0.02):
    """Waits until condition() is true and returns its value; fails after `timeout` seconds.

    For states that cannot be waited for as an event."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still not true: {what}")
        time.sleep(interval)


@contextlib.contextmanager
def raises(kind, what="the call"):
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{what} did not raise {getattr(kind, '__name__', kind)}")


@contextlib.contextmanager
def within(seconds, what="this"):
    """Fails when the block takes longer: a generous limit that tells "at once" from a timeout."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    check(took <= seconds, f"{what} took {took:.1f} s, more than {seconds} s")


def deadline(seconds):
    """Decorator: how long the runner lets this test run."""
    def mark(function):
        function.deadline = seconds
        return function
    return mark


def own_cgroup(function):
    """Decorator: this test makes control groups, below that in the environment variable CGROUP."""
    function.cgroup = True
    return function
