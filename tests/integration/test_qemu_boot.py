"""A real guest: a Debian kernel in QEMU."""

import pathlib
import sys

from lab.checks import Skip, check, deadline
from lab.node import need

TESTS = pathlib.Path(__file__).resolve().parents[1]
IMAGE = TESTS.parent / "build/guest"
sys.path.append(str(TESTS / "guest"))
from tour import Tour   # noqa: E402


@deadline(400)
def test_tour(lab):
    """The guest takes the tour of scripts/quickstart."""
    need("qemu-system-x86_64")
    if not (IMAGE / "initramfs").exists():
        raise Skip(f"no kernel for a guest: tests/guest/fetch has not filled {IMAGE}")
    tour = Tour(lab, IMAGE)
    tour.take()
    failed = tour.finish()
    check(not failed, "; ".join(failed))
