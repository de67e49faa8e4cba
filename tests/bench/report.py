"""Results as tables: text for the terminal, Markdown."""

from bench import terms


def number(value):
    """Three digits that count."""
    if value == 0:
        return "0"
    if value >= 1000:
        return f"{value:,.0f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def cell(results, condition, test, candidate, figure):
    """Median, range, and how many runs stand behind it where some failed."""
    runs = results.runs_of(condition, test, candidate)
    series = results.series(condition, test, candidate, figure)
    if not series:
        return f"{len(runs.failures)} failed" if runs.failures else "-"
    text = number(series.median)
    if len(series.values) > 1:
        text += f" ({number(series.low)}..{number(series.high)})"
    if runs.failures:
        text += f" {len(runs.failures)} of {runs.total} failed"
    return text


def table(results, condition):
    """Header and rows of one condition, as cells."""
    first, *others = results.names
    header = ["test", "figure", first, *others, *(f"{first}/{other}" for other in others)]
    rows = []
    for test in results.tests(condition):
        for figure in terms.test_of(test).figures:
            what = terms.FIGURES[figure]
            row = [test, f"{what.title}, {what.unit}"]
            row += [cell(results, condition, test, name, figure) for name in results.names]
            for other in others:
                ratio = results.ratio(condition, test, figure, other)
                row.append("-" if ratio is None else f"{ratio:.2f}")
            rows.append(row)
    return header, rows


def about_lines(results):
    """Who was measured, where and how."""
    lines = [f"{candidate['name']}: {candidate['version']}" for candidate in results.candidates]
    return lines + [f"{name}: {value}" for name, value in results.about.items()]


def failure_lines(results):
    """Each reason once a test."""
    lines = []
    for condition, test, candidate, runs in results.failures():
        for reason in dict.fromkeys(runs.failures):
            lines.append(f"{candidate}, {test}, {condition}: {runs.failures.count(reason)} of "
                         f"{runs.total} failed: {reason}")
    return lines


def aligned(header, rows):
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    for row in (header, *rows):
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()


def text(results):
    lines = about_lines(results)
    for condition in results.conditions:
        lines += ["", str(condition), *aligned(*table(results, condition))]
    failures = failure_lines(results)
    if failures:
        lines += ["", "failed", *failures]
    return "\n".join(lines)


def markdown(results):
    lines = [f"- {line}" for line in about_lines(results)]
    for condition in results.conditions:
        header, rows = table(results, condition)
        lines += ["", f"**{condition}**", ""]
        lines += ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
    failures = failure_lines(results)
    if failures:
        lines += ["", "Failed:", *(f"- {line}" for line in failures)]
    lines += ["", "Median (minimum..maximum). " + "; ".join(
        f"`{test}`: {terms.test_of(test).title}" for test in measured_tests(results)) + "."]
    return "\n".join(lines) + "\n"


def median_cell(results, conditions, test, candidate, figure):
    """The medians under the conditions."""
    words = []
    for condition in conditions:
        series = results.series(condition, test, candidate, figure)
        failed = results.runs_of(condition, test, candidate).failures
        words.append(number(series.median) if series else "failed" if failed else "-")
    return " / ".join(words) if set(words) != {"-"} else "-"


def summary(results):
    """Markdown that fits into a README: medians alone, the MTUs of a test in one cell."""
    lines = []
    for conditions in results.conditions_by_mtu():
        mtus = " / ".join(str(condition.mtu) for condition in conditions)
        lines += [f"**{conditions[0]._replace(mtu=mtus)}**", "",
                  "| " + " | ".join(["", "", *results.names]) + " |",
                  "|---|---|" + "---:|" * len(results.names)]
        for test in results.tests(conditions[0]):
            for figure in terms.test_of(test).figures:
                if figure not in terms.DETAILS:
                    what = terms.FIGURES[figure]
                    row = [terms.test_of(test).label, f"{what.title}, {what.unit}"]
                    row += [median_cell(results, conditions, test, name, figure)
                            for name in results.names]
                    lines.append("| " + " | ".join(row) + " |")
        lines.append("")
    return "\n".join(lines + ["; ".join(about_lines(results)) + "."]) + "\n"


def measured_tests(results):
    return list(dict.fromkeys(test for condition in results.conditions
                              for test in results.tests(condition)))
