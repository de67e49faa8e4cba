"""A real guest: a Debian kernel in QEMU."""

from lab.checks import check, deadline
from lab.machine import image, installed

from tour import Tour


@deadline(400)
def test_tour(lab):
    """The guest takes the tour of scripts/quickstart."""
    installed()
    tour = Tour(lab, image())
    tour.take()
    failed = tour.finish()
    check(not failed, "; ".join(failed))
