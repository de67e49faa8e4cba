"""The plan: what is measured, of whom, how often and how long. scripts/bench makes it, and measure
carries it out.

It is a list of groups of entries, one for each condition. The conditions of a group differ in
their idle flows alone; they stand side by side and take turns test by test, so that a drift of the
machine's speed does not look like a cost of idle flows.
"""

import fnmatch
import math

from bench import targets, terms

MTUS = [65520, 1500]
SPREAD_TEST = "g2h"     # what --runs is for
TURN_SECONDS = 4        # for a candidate's start, warm-up and end
RUN_SECONDS = 0.5       # for a client's


def repeat(runs, rounds):
    """How often a round runs a test of which there shall be so many runs, and at least one."""
    return max(1, math.ceil(runs / rounds))


def entry(condition, names, tests):
    """`tests`: {name: {"repeat": runs in a round, "seconds": of each}} in their order."""
    return {"condition": condition, "candidates": names, "tests": tests}


def tests_chosen(patterns):
    chosen = [test for test in terms.TESTS
              if any(fnmatch.fnmatch(test, pattern) for pattern in patterns.split(","))]
    if not chosen:
        raise ValueError(f"no test matches '{patterns}'")
    return chosen


def as_asked(options, names):
    """Entries for what the options say, of all candidates."""
    runs = {SPREAD_TEST: options.runs or 1}
    tests = {test: {"repeat": repeat(runs.get(test, 1), options.rounds),
                    "seconds": options.seconds} for test in tests_chosen(options.tests or "*")}
    return [entry(terms.Condition(mtu, delay, loss, idle), names, tests)
            for idle in ([0, options.idle] if options.idle else [0])
            for loss in options.loss or [0] for delay in options.delay or [0]
            for mtu in options.mtu or MTUS]


def choice(options):
    """Whether the options choose a condition and a test of those that there are, as a function."""
    tests = tests_chosen(options.tests) if options.tests else [*terms.TESTS, terms.IDLE]
    idle = None if options.idle is None else [options.idle]

    def chosen(condition, test):
        return test in tests and all(
            wanted is None or value in wanted for value, wanted in zip(
                condition, (options.mtu, options.delay, options.loss, idle)))
    return chosen


def for_targets(options, names):
    """Entries for what the targets need, as far as the options choose that."""
    chosen = choice(options)

    def selected(case):
        return chosen(case.condition, case.test)

    return [entry(condition, candidates_for(needs.values(), names), {
                test: {"repeat": repeat(needs[test].runs, options.rounds),
                       "seconds": max(options.seconds, needs[test].seconds)}
                for test in terms.TESTS if test in needs})
            for condition, needs in targets.needed(targets.load(), selected).items()]


def candidates_for(needs, names):
    """The first, all daemons where it is compared with one, and the host where with that."""
    over = set().union(*(need.over for need in needs))
    daemons = bool(over - {terms.HOST})
    return names[:1] + [name for name in names[1:]
                        if (name in over if name == terms.HOST else daemons)]


def grouped(entries):
    groups = {}
    for one in sorted(entries, key=lambda one: one["condition"].order):
        groups.setdefault(one["condition"]._replace(idle=0), []).append(one)
    return list(groups.values())


def runs_of_round(plan):
    """(runs by all candidates together, seconds of each) of each test and condition."""
    for group in plan["groups"]:
        for one in group:
            for test, how in one["tests"].items():
                yield len(one["candidates"]) * how["repeat"], how["seconds"]


def duration(plan):
    """Roughly, in seconds."""
    turns = sum(len(one["candidates"]) for group in plan["groups"] for one in group)
    return plan["rounds"] * (turns * TURN_SECONDS + sum(
        runs * (seconds + RUN_SECONDS) for runs, seconds in runs_of_round(plan)))


def outcomes(plan):
    """How many there will be."""
    idle = sum(len(one["candidates"]) for group in plan["groups"] for one in group
               if one["condition"].idle)
    return plan["rounds"] * (idle + sum(runs for runs, _ in runs_of_round(plan)))
