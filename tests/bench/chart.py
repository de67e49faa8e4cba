"""Results as an SVG: a row of panels for each figure, one panel for each MTU, and in it bars for each
test.

A bar ends at the median; its whisker goes from minimum to maximum. The panels of a row share one
scale, and those of the same figure under other conditions do too. The picture has a ground of its
own and follows the reader's choice of light or dark.
"""

from xml.sax.saxutils import escape

from bench import terms
from bench.report import number

# Told apart by readers with any colour vision (Okabe and Ito), ours first.
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"]
STYLE = """
.ground { fill: #ffffff; stroke: #d0d7de }
text { fill: #1f2328 }
.faint { fill: #59636e }
.failed { fill: #d1242f }
.axis { stroke: #d0d7de }
.whisker { stroke: #1f2328; stroke-opacity: .75 }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; stroke: #3d444d }
  text { fill: #f0f6fc }
  .faint { fill: #9198a1 }
  .failed { fill: #ff7b72 }
  .axis { stroke: #3d444d }
  .whisker { stroke: #f0f6fc }
}
"""
FONT = "-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif"

MARGIN, GUTTER = 18, 26
LABEL_WIDTH, BAR_ROOM, VALUE_WIDTH = 172, 236, 62
PANEL_WIDTH = BAR_ROOM + VALUE_WIDTH
BAR_HEIGHT, GROUP_GAP, ROW_GAP = 11, 9, 16
TITLE_HEIGHT, LEGEND_HEIGHT = 24, 22
CAP = 2.5               # half the height of a whisker's ends
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 13, 12, 10.5

# Rates of datagrams and of exchanges do not share a scale.
KINDS = [("gbps", terms.STREAM), ("cpu_s_per_gb", terms.STREAM), ("per_s", terms.EXCHANGE),
         ("p50_us", terms.EXCHANGE), ("cpu_us", terms.EXCHANGE), ("per_s", terms.DATAGRAM),
         ("loss_percent", terms.DATAGRAM), ("cpu_us", terms.DATAGRAM),
         ("bytes_per_flow", terms.IDLE_TEST.figures)]


def element(name, content=None, **attributes):
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{value}"'
                    for key, value in attributes.items())
    return f"<{name}{shown}/>" if content is None else f"<{name}{shown}>{content}</{name}>"


def label(x, y, content, size=TEXT_SIZE, **attributes):
    return element("text", escape(content), x=f"{x:.1f}", y=f"{y:.1f}", font_size=size,
                   **attributes)


def line(x1, y1, x2, y2, class_):
    return element("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}",
                   class_=class_)


class Row:
    """One figure of the tests of one kind, under conditions that differ in the MTU alone."""

    def __init__(self, results, conditions, figure, kind):
        self.results, self.conditions, self.figure = results, conditions, figure
        present = {test for condition in conditions for test in results.tests(condition)}
        self.tests = [test for test in (*terms.TESTS, terms.IDLE)
                      if test in present and terms.test_of(test).figures == kind]
        self.names = [name for name in results.names if any(
            results.runs_of(condition, test, name).total
            for condition in conditions for test in self.tests)]

    def series(self, condition, test, name):
        return self.results.series(condition, test, name, self.figure)

    def highest(self):
        """The longest thing to show, 0 if there is nothing."""
        return max((series.high for condition in self.conditions for test in self.tests
                    for name in self.names if (series := self.series(condition, test, name))),
                   default=0)

    def group_height(self):
        return BAR_HEIGHT * len(self.names) + GROUP_GAP

    def height(self):
        return TITLE_HEIGHT + self.group_height() * len(self.tests) + ROW_GAP

    def draw(self, top, scale):
        """SVG elements; `scale` is pixels for one unit."""
        figure = terms.FIGURES[self.figure]
        better = "more is better" if figure.more_is_better else "less is better"
        yield label(MARGIN, top + 14, f"{figure.title}, {figure.unit}", TITLE_SIZE, font_weight=600)
        for column, condition in enumerate(self.conditions):
            x = MARGIN + LABEL_WIDTH + column * (PANEL_WIDTH + GUTTER)
            yield label(x, top + 14, f"{condition}; {better}", SMALL_SIZE, class_="faint")
            bottom = top + self.height() - ROW_GAP - GROUP_GAP + 2
            yield line(x, top + TITLE_HEIGHT - 2, x, bottom, "axis")
            for place, test in enumerate(self.tests):
                y = top + TITLE_HEIGHT + place * self.group_height()
                if column == 0:
                    yield label(x - 8, y + BAR_HEIGHT * len(self.names) / 2 + 4,
                                terms.test_of(test).label, text_anchor="end")
                for name in self.names:
                    yield from self._draw_bar(x, y, condition, test, name, scale)
                    y += BAR_HEIGHT

    def _draw_bar(self, x, y, condition, test, name, scale):
        runs = self.results.runs_of(condition, test, name)
        series = self.series(condition, test, name)
        middle = y + BAR_HEIGHT / 2
        if not series:
            if runs.failures:
                yield label(x + 4, middle + 4, "failed", SMALL_SIZE, class_="failed")
            return
        yield element("rect", x=f"{x:.1f}", y=f"{y + .5:.1f}",
                      width=f"{max(series.median * scale, 1):.1f}", height=BAR_HEIGHT - 1,
                      fill=colour(self.results, name))
        low, high = x + series.low * scale, x + series.high * scale
        if series.high > series.low:
            yield line(low, middle, high, middle, "whisker")
            for end in (low, high):
                yield line(end, middle - CAP, end, middle + CAP, "whisker")
        value = element("tspan", number(series.median),
                        font_weight=600 if name == self.results.names[0] else 400)
        if runs.failures:
            value += element("tspan", f" {len(runs.failures)} of {runs.total} failed",
                             class_="failed")
        yield element("text", value, x=f"{high + 5:.1f}", y=f"{middle + 4:.1f}",
                      font_size=SMALL_SIZE)


def colour(results, name):
    return COLOURS[results.names.index(name) % len(COLOURS)]


def legend(results, top):
    """A line for each candidate."""
    for place, candidate in enumerate(results.candidates):
        y = top + place * LEGEND_HEIGHT
        yield element("rect", x=MARGIN, y=y, width=13, height=13,
                      fill=colour(results, candidate["name"]))
        name = element("tspan", escape(candidate["name"]), font_weight=600)
        version = element("tspan", escape(candidate["version"]), dx=8, class_="faint")
        yield element("text", name + version, x=MARGIN + 21, y=y + 11, font_size=TEXT_SIZE)


def rows_of_figures(results):
    """Lists of rows that share a scale."""
    for figure, kind in KINDS:
        rows = [Row(results, conditions, figure, kind)
                for conditions in results.conditions_by_mtu()]
        rows = [row for row in rows if row.tests and row.highest()]
        if rows:
            yield rows


def svg(results):
    """The whole picture."""
    columns = max(map(len, results.conditions_by_mtu()), default=1)
    width = 2 * MARGIN + LABEL_WIDTH + columns * PANEL_WIDTH + (columns - 1) * GUTTER
    body, y = list(legend(results, MARGIN)), MARGIN + len(results.names) * LEGEND_HEIGHT + 12
    for rows in rows_of_figures(results):
        scale = BAR_ROOM / max(row.highest() for row in rows)
        for row in rows:
            body += row.draw(y, scale)
            y += row.height()
    about = "; ".join(f"{name}: {value}" for name, value in results.about.items())
    body.append(label(MARGIN, y + 8, "Bars: median; whiskers: minimum to maximum.", SMALL_SIZE,
                      class_="faint"))
    body.append(label(MARGIN, y + 24, about, SMALL_SIZE, class_="faint"))
    height = y + 24 + MARGIN
    ground = element("rect", x=.5, y=.5, width=width - 1, height=height - 1, rx=6, class_="ground")
    return element("svg", "\n".join(["", element("style", STYLE), ground, *body, ""]),
                   xmlns="http://www.w3.org/2000/svg", width=width, height=height,
                   viewBox=f"0 0 {width} {height}", font_family=FONT) + "\n"
