#!/usr/bin/env python3
"""measure PLAN: takes the measurements of a plan, a JSON object.

To be run by tests/lib/isolated. Prints one JSON object a line: a test's figures, or its failure.
"""

import contextlib
import json
import pathlib
import shutil
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("lib", "")]

from bench import load, terms                                   # noqa: E402
from bench.lab import Failed, Lab                               # noqa: E402
from bench.session import Session                               # noqa: E402

FOLDER = pathlib.Path("/run/bench")


class Stage:
    """A candidate under one condition, in a lab of its own."""

    def __init__(self, plan, candidate, entry, seed, folder):
        self.plan, self.candidate, self.tests = plan, candidate, entry["tests"]
        self.condition = terms.Condition(*entry["condition"])
        self.seed, self.folder, self.problem = seed, folder, None

    def report(self, test, **outcome):
        print(json.dumps({"condition": self.condition, "test": test,
                          "candidate": self.candidate["name"]} | outcome), flush=True)

    def attempt(self, test, function, *arguments):
        """Reports what the function returns, or why it did not. True if it did."""
        try:
            figures = function(*arguments)
            self.report(test, figures={name: value for name, value in figures.items()
                                       if value is not None})
            return True
        except Failed as failed:
            self.report(test, failure=str(failed))
            return False

    def open(self):
        self.folder.mkdir()
        self.folder.chmod(0o777)    # for a daemon that gives up root before it binds its socket
        self.lab = Lab(self.plan["tools"], self.folder, self.condition, self.seed)
        try:
            self.session = Session(self.lab, self.candidate["command"], self.condition.mtu)
            self.prepare()
        except Failed as failed:
            self.problem = str(failed)
        return self.lab

    def prepare(self):
        if self.plan["congestion"]:
            for place in (self.lab.guest, self.lab.host, self.lab.server):
                place.control_congestion(self.plan["congestion"])
        if self.condition.idle and not self.attempt(terms.IDLE, load.hold, self.session,
                                                    self.condition.idle):
            raise Failed("not without all its idle flows")
        with contextlib.suppress(Failed):       # the tests will tell
            load.warm_up(self.session)

    def run(self, test):
        if self.problem:
            self.report(test, failure=self.problem)
        else:
            self.attempt(test, load.run, test, self.session, self.tests[test]["seconds"])


def take_turn(plan, candidate, group, turn):
    """The candidate's tests under all conditions of a group, each test under one after the other."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    FOLDER.chmod(0o755)
    stages = [Stage(plan, candidate, entry, turn, FOLDER / str(number))
              for number, entry in enumerate(group) if candidate["name"] in entry["candidates"]]
    with contextlib.ExitStack() as undo:
        for stage in stages:
            undo.callback(stage.open().close)
        for test in terms.TESTS:
            concerned = [stage for stage in stages if test in stage.tests]
            for run in range(max((stage.tests[test]["repeat"] for stage in concerned), default=0)):
                for stage in rotated(concerned, turn + run):
                    if run < stage.tests[test]["repeat"]:
                        stage.run(test)


def rotated(things, by):
    """Whoever comes first in one round does not in the next."""
    first = by % max(1, len(things))
    return things[first:] + things[:first]


def main():
    plan = json.loads(sys.argv[1])
    for turn in range(plan["rounds"]):
        for group in plan["groups"]:
            names = {name for entry in group for name in entry["candidates"]}
            concerned = [one for one in plan["candidates"] if one["name"] in names]
            for candidate in rotated(concerned, turn):
                take_turn(plan, candidate, group, turn)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:       # of the lab itself: no candidate can be measured
        sys.exit(f"bench: {failure}")
