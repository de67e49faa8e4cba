"""Results as an SVG: a panel of horizontal bars for each figure and condition.

A bar ends at the median; the thin line through its end goes from minimum to maximum. Panels of the
same figure share one scale, so that conditions can be compared as well.
"""

from xml.sax.saxutils import escape

from bench import terms
from bench.report import number

# Told apart by readers with any colour vision (Okabe and Ito), ours first.
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"]
FAILED_COLOUR, TEXT_COLOUR, FAINT_COLOUR = "#b00020", "#222222", "#888888"

PANEL_WIDTH, MARGIN = 470, 16
LABEL_WIDTH, VALUE_WIDTH = 96, 96
BAR_HEIGHT, GROUP_GAP = 13, 9
TITLE_HEIGHT, PANEL_GAP = 24, 22
COLUMNS = 2     # of panels
BAR_ROOM = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH

# Rates of datagrams and of exchanges do not share a scale.
KINDS = [("gbps", terms.STREAM), ("cpu_s_per_gb", terms.STREAM), ("per_s", terms.EXCHANGE),
         ("p50_us", terms.EXCHANGE), ("cpu_us", terms.EXCHANGE), ("per_s", terms.DATAGRAM),
         ("loss_percent", terms.DATAGRAM), ("cpu_us", terms.DATAGRAM),
         ("bytes_per_flow", terms.IDLE_TEST.figures)]


def element(name, content=None, **attributes):
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{value}"'
                    for key, value in attributes.items())
    return f"<{name}{shown}/>" if content is None else f"<{name}{shown}>{content}</{name}>"


def label(x, y, content, size=11, **attributes):
    return element("text", escape(content), x=f"{x:.1f}", y=f"{y:.1f}", font_size=size,
                   **{"fill": TEXT_COLOUR} | attributes)


class Panel:
    """One figure of the tests of one kind under one condition."""

    def __init__(self, results, condition, figure, kind):
        self.results, self.condition, self.figure = results, condition, figure
        self.tests = [test for test in results.tests(condition)
                      if terms.test_of(test).figures == kind]

    def series(self, test, name):
        return self.results.series(self.condition, test, name, self.figure)

    def highest(self):
        """The longest thing to show, 0 if there is nothing."""
        return max((series.high for test in self.tests for name in self.results.names
                    if (series := self.series(test, name))), default=0)

    def height(self):
        group = BAR_HEIGHT * len(self.results.names) + GROUP_GAP
        return TITLE_HEIGHT + group * len(self.tests)

    def draw(self, left, top, scale):
        """SVG elements; `scale` is pixels for one unit."""
        figure = terms.FIGURES[self.figure]
        better = "more" if figure.more_is_better else "less"
        yield label(left, top + 13, f"{figure.title}, {figure.unit}", 13, font_weight="bold")
        yield label(left + PANEL_WIDTH, top + 13, f"{self.condition}; {better} is better",
                    text_anchor="end", fill=FAINT_COLOUR)
        y = top + TITLE_HEIGHT
        for test in self.tests:
            names = self.results.names
            middle = y + BAR_HEIGHT * len(names) / 2
            yield label(left + LABEL_WIDTH - 8, middle + 4, test, text_anchor="end")
            for colour, name in zip(COLOURS * len(names), names):
                yield from self._draw_bar(left + LABEL_WIDTH, y, test, name, colour, scale)
                y += BAR_HEIGHT
            y += GROUP_GAP

    def _draw_bar(self, left, y, test, name, colour, scale):
        runs = self.results.runs_of(self.condition, test, name)
        series = self.series(test, name)
        middle = y + BAR_HEIGHT / 2
        if not series:
            if runs.failures:
                yield label(left + 3, middle + 4, "failed", 10, fill=FAILED_COLOUR)
            return
        width = series.median * scale
        yield element("rect", x=f"{left:.1f}", y=f"{y + 1:.1f}", width=f"{width:.1f}",
                      height=BAR_HEIGHT - 2, fill=colour)
        if series.high > series.low:
            yield element("line", x1=f"{left + series.low * scale:.1f}", y1=f"{middle:.1f}",
                          x2=f"{left + series.high * scale:.1f}", y2=f"{middle:.1f}",
                          stroke=TEXT_COLOUR)
        value = number(series.median)
        if runs.failures:
            value += f" ({len(runs.failures)}/{runs.total} failed)"
        yield label(left + max(width, series.high * scale) + 4, middle + 4, value, 10)


def legend(names, y):
    x = MARGIN
    for colour, name in zip(COLOURS * len(names), names):
        yield element("rect", x=x, y=y - 10, width=12, height=12, fill=colour)
        yield label(x + 17, y, name, 12)
        x += 17 + 8 * len(name) + 20


def panel_groups(results):
    """Lists of panels that share a scale: one figure under all conditions."""
    for figure, kind in KINDS:
        panels = [Panel(results, condition, figure, kind) for condition in results.conditions]
        panels = [panel for panel in panels if panel.tests]
        if any(panel.highest() for panel in panels):
            yield panels


def svg(results):
    """The whole picture."""
    body, y = list(legend(results.names, 26)), 48
    for panels in panel_groups(results):
        scale = BAR_ROOM / max(panel.highest() for panel in panels)
        for at in range(0, len(panels), COLUMNS):
            row = panels[at:at + COLUMNS]
            for column, panel in enumerate(row):
                body += panel.draw(MARGIN + column * (PANEL_WIDTH + 2 * MARGIN), y, scale)
            y += max(panel.height() for panel in row) + PANEL_GAP
    width = min(len(results.conditions), COLUMNS) * (PANEL_WIDTH + 2 * MARGIN)
    background = element("rect", width=width, height=y, fill="#ffffff")
    return element("svg", "\n".join(["", background, *body, ""]),
                   xmlns="http://www.w3.org/2000/svg", width=width, height=y,
                   viewBox=f"0 0 {width} {y}", font_family="sans-serif") + "\n"
