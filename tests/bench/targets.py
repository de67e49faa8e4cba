"""What is wanted of the first candidate (targets.json), and whether it is reached.

A target names tests, figures and conditions; each combination is a case. What counts of a case is
the median, or, with "over", its ratio to another candidate's; with "over_own" its ratio to the
first candidate's own under a condition that differs so; with "spread_of" N the minimum over the
median of at least N runs. "seconds" says how long each run takes at least, where a short one tells
nothing. The limit is "at_least", "at_most", or "worse_at_most", a part of one in whichever direction
is worse for the figure. A case in which a run of the first candidate failed is not reached. A row
is reached if all its cases are.
"""

import itertools
import json
import pathlib
import typing

from bench import terms
from bench.report import number

REACHED, NOT_REACHED, NOT_MEASURED = "reached", "not reached", "not measured"


class Case(typing.NamedTuple):
    condition: terms.Condition
    test: str
    figure: str


class Verdict(typing.NamedTuple):
    outcome: str
    text: str


def load(path=pathlib.Path(__file__).with_name("targets.json")):
    with open(path) as file:
        return json.load(file)


class Need(typing.NamedTuple):
    """What must be known of one test under one condition."""

    over: set       # names of candidates that the first is compared with
    runs: int       # at least
    seconds: float  # of each run, at least


def cases(target):
    conditions = itertools.product(target["mtu"], target.get("delay_us", [0]),
                                   target.get("loss_ppm", [0]), target.get("idle", [0]))
    for condition, test, figure in itertools.product(
            itertools.starmap(terms.Condition, conditions), target["tests"], target["figures"]):
        if figure in terms.test_of(test).figures:
            yield Case(condition, test, figure)


def needed(targets, selected):
    """What must be measured to judge the cases for which `selected` is true:
    {condition: {test: Need}}."""
    plan = {}
    for target in targets:
        for case in filter(selected, cases(target)):
            own = case.condition._replace(**target.get("over_own", {}))
            for condition in (case.condition, own):
                need = plan.setdefault(condition, {}).get(case.test, Need(set(), 1, 0))
                plan[condition][case.test] = Need(
                    need.over | {target["over"]} if "over" in target else need.over,
                    max(need.runs, target.get("spread_of", 1)),
                    max(need.seconds, target.get("seconds", 0)))
    return plan


def value(target, case, results):
    """What counts of the case; None where something for it was not measured."""
    first = results.names[0]
    series = results.series(case.condition, case.test, first, case.figure)
    if not series:
        return None
    if "spread_of" in target:
        enough = len(series.values) >= target["spread_of"]
        return series.low / series.median if enough else None
    if "over" in target:
        return results.ratio(*case, target["over"])
    if "over_own" in target:
        return results.ratio_own(*case, case.condition._replace(**target["over_own"]))
    return series.median


def limit(target, figure):
    """("at least" or "at most", number)."""
    if "at_least" in target:
        return "at least", target["at_least"]
    if "at_most" in target:
        return "at most", target["at_most"]
    part = target["worse_at_most"]
    return ("at least", 1 - part) if terms.FIGURES[figure].more_is_better else ("at most", 1 + part)


def judge_case(target, case, results):
    where = f"{case.test} {terms.FIGURES[case.figure].title}, {case.condition}"
    runs = results.runs_of(case.condition, case.test, results.names[0])
    if runs.failures:
        return Verdict(NOT_REACHED, f"{where}: {len(runs.failures)} of {runs.total} failed")
    found = value(target, case, results)
    if found is None:
        return Verdict(NOT_MEASURED, where)
    side, wanted = limit(target, case.figure)
    reached = found >= wanted if side == "at least" else found <= wanted
    return Verdict(REACHED if reached else NOT_REACHED,
                   f"{where}: {number(found)}, {side} {number(wanted)} wanted")


def judge(target, results):
    """The row's verdict, and those of its cases."""
    verdicts = [judge_case(target, case, results) for case in cases(target)]
    outcomes = {verdict.outcome for verdict in verdicts}
    for outcome in (NOT_REACHED, NOT_MEASURED, REACHED):
        if outcome in outcomes:
            return Verdict(outcome, target["row"]), verdicts
    raise ValueError(f"no such test and figure: {target['row']}")


def check(results, targets):
    """(text, exit status): 0 if all is reached, 1 if something is not, 2 if only unmeasured."""
    lines, outcomes = [], []
    for target in targets:
        row, verdicts = judge(target, results)
        outcomes.append(row.outcome)
        lines.append(f"{row.outcome:12}  {row.text}")
        lines += [f"    {verdict.outcome:12}  {verdict.text}" for verdict in verdicts
                  if verdict.outcome != NOT_MEASURED]
        missing = [verdict.outcome for verdict in verdicts].count(NOT_MEASURED)
        if 0 < missing < len(verdicts):
            lines.append(f"    {NOT_MEASURED:12}  {missing} of its {len(verdicts)} cases")
    counts = [outcomes.count(outcome) for outcome in (REACHED, NOT_REACHED, NOT_MEASURED)]
    lines.append("{} reached, {} not reached, {} not measured".format(*counts))
    return "\n".join(lines), 1 if counts[1] else 2 if counts[2] else 0
