"""The measurements: medians of what succeeded, counts of what failed, and the JSON file."""

import json
import statistics
import typing

from bench import terms

FORMAT = 1


class Series(typing.NamedTuple):
    """One figure of one candidate: the values of the runs that succeeded."""

    values: list

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def low(self):
        return min(self.values)

    @property
    def high(self):
        return max(self.values)


class Runs:
    """The runs of one test by one candidate under one condition."""

    def __init__(self):
        self.figures = {}       # name: list of values
        self.files = {}         # name: for each value, which file it came from
        self.failures = []      # reasons

    def add(self, outcome):
        if "failure" in outcome:
            self.failures.append(outcome["failure"])
        for name, value in outcome.get("figures", {}).items():
            self.add_values(name, [value])

    def add_values(self, name, values, file=0):
        self.figures.setdefault(name, []).extend(values)
        self.files.setdefault(name, []).extend([file] * len(values))

    def series_of(self, name, files):
        """The figure as far as it came from these files, or None."""
        values = [value for value, file in zip(self.figures.get(name, []),
                                               self.files.get(name, [])) if file in files]
        return Series(values) if values else None

    @property
    def succeeded(self):
        return max(map(len, self.figures.values()), default=0)

    @property
    def total(self):
        return self.succeeded + len(self.failures)


class Results:
    """The first candidate is the one that the others are compared with."""

    def __init__(self, candidates, about):
        self.candidates = candidates    # dicts of name, command and version
        self.about = about              # how, when and where: for the reader
        self.runs = {}                  # (condition, test, candidate): Runs
        self.n_files = 0                # that were loaded

    @property
    def names(self):
        return [candidate["name"] for candidate in self.candidates]

    @property
    def conditions(self):
        return sorted({condition for condition, _, _ in self.runs},
                      key=lambda condition: condition.order)

    def conditions_by_mtu(self):
        """Lists of conditions that differ in the MTU alone."""
        found = {}
        for condition in self.conditions:
            found.setdefault(condition._replace(mtu=0), []).append(condition)
        return list(found.values())

    def add(self, outcome):
        """Takes an outcome as measure prints it."""
        self.runs_of(terms.Condition(*outcome["condition"]), outcome["test"],
                     outcome["candidate"], create=True).add(outcome)

    def runs_of(self, condition, test, candidate, create=False):
        key = condition, test, candidate
        return self.runs.setdefault(key, Runs()) if create else self.runs.get(key, Runs())

    def tests(self, condition):
        """Names of the tests under the condition, in their order."""
        measured = {test for c, test, _ in self.runs if c == condition}
        return [test for test in (*terms.TESTS, terms.IDLE) if test in measured]

    def series(self, condition, test, candidate, figure):
        """The figure, or None if no run succeeded."""
        values = self.runs_of(condition, test, candidate).figures.get(figure)
        return Series(values) if values else None

    def ratio(self, condition, test, figure, over):
        """The first candidate's median over that of another; None where there is none."""
        return self._ratio(figure, (condition, test, self.names[0]), (condition, test, over))

    def ratio_own(self, condition, test, figure, other_condition):
        """The first candidate's median over its own under another condition."""
        return self._ratio(figure, (condition, test, self.names[0]),
                           (other_condition, test, self.names[0]))

    def _ratio(self, figure, one, other):
        """Of two medians. Only what was measured in one run is compared: what both have values
        for in the same file."""
        one, other = self.runs_of(*one), self.runs_of(*other)
        files = {*one.files.get(figure, [])} & {*other.files.get(figure, [])}
        mine, theirs = one.series_of(figure, files), other.series_of(figure, files)
        return mine.median / theirs.median if mine and theirs.median else None

    def select(self, names, chosen):
        """Only the candidates of these names, in their order, or all if there are none; and only
        conditions and tests for which chosen(condition, test) is true."""
        unknown = set(names) - set(self.names)
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: not measured")
        names = names or self.names
        self.candidates = sorted((one for one in self.candidates if one["name"] in names),
                                 key=lambda one: names.index(one["name"]))
        self.runs = {key: runs for key, runs in self.runs.items()
                     if key[2] in names and chosen(*key[:2])}

    def failures(self):
        """(condition, test, candidate, Runs) of every test that failed at least once."""
        return [(*key, runs) for key, runs in self.runs.items() if runs.failures]

    # The file.

    def save(self, path):
        content = {"format": FORMAT, "about": self.about, "candidates": self.candidates,
                   "rows": [self._row(*key) for key in self.runs]}
        with open(path, "w") as file:
            json.dump(content, file, indent=1)
            file.write("\n")

    def _row(self, condition, test, candidate):
        runs = self.runs[condition, test, candidate]
        figures = {}
        for name, values in runs.figures.items():
            series = Series(values)
            figures[name] = {"median": series.median, "min": series.low, "max": series.high,
                             "values": values}
            ratio = self.ratio(condition, test, name, candidate)
            if candidate != self.names[0] and ratio is not None:
                figures[name]["ratio"] = ratio
        return condition._asdict() | {
            "test": test, "candidate": candidate, "n": runs.succeeded,
            "failed": len(runs.failures), "failures": runs.failures, "figures": figures}

    @classmethod
    def load(cls, paths):
        """The measurements of several files together."""
        results = cls([], {})
        for path in paths:
            try:
                with open(path) as file:
                    results._add_file(json.load(file))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ValueError(f"{path}: not a file of this benchmark") from None
        return results

    def _add_file(self, content):
        if content["format"] != FORMAT or not content["candidates"]:
            raise ValueError
        self.about = self.about or content["about"]
        self.candidates += [candidate for candidate in content["candidates"]
                            if candidate["name"] not in self.names]
        for row in content["rows"]:
            self._add_row(row, self.n_files)
        self.n_files += 1

    def _add_row(self, row, file):
        condition = terms.Condition(**{name: row[name] for name in terms.Condition._fields
                                       if name in row})
        runs = self.runs_of(condition, row["test"], row["candidate"], create=True)
        runs.failures += row["failures"]
        for name, figure in row["figures"].items():
            runs.add_values(name, figure["values"], file)
