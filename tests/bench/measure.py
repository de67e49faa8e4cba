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


class Turn:
    """One candidate under one condition, in a lab of its own."""

    def __init__(self, plan, candidate, entry):
        self.plan, self.candidate = plan, candidate
        self.condition = terms.Condition(*entry["condition"])
        self.runs = [test for test in entry["tests"]
                     for _ in range(plan["repeat"].get(test, 1))]

    def report(self, test, **outcome):
        print(json.dumps({"condition": self.condition, "test": test,
                          "candidate": self.candidate["name"]} | outcome), flush=True)

    def attempt(self, test, function, *arguments):
        """Reports what the function returns, or why it did not. True if it did."""
        try:
            self.report(test, figures=function(*arguments))
            return True
        except Failed as failed:
            self.report(test, failure=str(failed))
            return False

    def take(self):
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        FOLDER.chmod(0o777)     # for a daemon that gives up root before it binds its socket
        lab = Lab(self.plan["tools"], FOLDER, self.condition.delay_us)
        try:
            session = Session(lab, self.candidate["command"], self.condition.mtu)
            self.prepare(session)
        except Failed as failed:
            for test in self.runs:
                self.report(test, failure=str(failed))
        else:
            for test in self.runs:
                self.attempt(test, load.run, test, session, self.plan["seconds"])
        finally:
            lab.close()

    def prepare(self, session):
        if self.condition.idle and not self.attempt(terms.IDLE, load.hold, session,
                                                    self.condition.idle):
            raise Failed("not without all its idle flows")
        with contextlib.suppress(Failed):       # the tests will tell
            load.warm_up(session)


def main():
    plan = json.loads(sys.argv[1])
    candidates = plan["candidates"]
    for turn in range(plan["rounds"]):
        for entry in plan["entries"]:
            # Whoever comes first in a round does not in the next.
            first = turn % len(candidates)
            for candidate in candidates[first:] + candidates[:first]:
                Turn(plan, candidate, entry).take()


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:       # of the lab itself: no candidate can be measured
        sys.exit(f"bench: {failure}")
