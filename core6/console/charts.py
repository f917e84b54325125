"""Charts of the console: data for the component that draws them, and the same numbers as a table and a sentence."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.html import format_html
from django.utils.safestring import SafeString

#: The colours of charts, which differ clearly on light and on dark ground.
BLUE: Final = "#3b82f6"
RED: Final = "#dc2626"
ORANGE: Final = "#f59e0b"
GREEN: Final = "#16a34a"
_TICKS: Final = 8


@dataclass(frozen=True)
class Series:
    """Numbers of one kind, one for each label of the chart; None where there is none."""

    name: str
    values: Sequence[float | None]
    color: str
    #: Draw crosses instead of a line.
    is_mark: bool = False
    #: A colour for each value, where they differ.
    colors: Sequence[str] = ()


@dataclass(frozen=True)
class Chart:
    """A chart; `sentence` says in words what it shows."""

    kind: Literal["bar", "line"]
    title: str
    sentence: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = ""

    @property
    def template(self) -> str:
        return f"unfold/components/chart/{self.kind}.html"

    @property
    def data(self) -> str:
        """The data as the component reads it."""
        return json.dumps({"labels": list(self.labels), "datasets": [self._dataset(each) for each in self.series]})

    def _dataset(self, series: Series) -> dict[str, Any]:
        found: dict[str, Any] = {
            "label": series.name,
            "data": list(series.values),
            "backgroundColor": list(series.colors) or series.color,
            "borderColor": series.color,
            "displayYAxis": True,
            "maxTicksXLimit": _TICKS,
        }
        if self.unit:
            found["suffixYAxis"] = self.unit
        if self.kind == "line":
            found |= {"spanGaps": True, "pointStyle": "circle", "pointRadius": 2}
        if series.is_mark:
            found |= {"showLine": False, "pointStyle": "crossRot", "pointRadius": 6, "pointBorderWidth": 2}
        return found

    @property
    def rows(self) -> list[tuple[str, list[float | None]]]:
        """The numbers as rows of a table: a label, and a value of each series; without rows of zeros."""
        lines = zip(self.labels, *(each.values for each in self.series), strict=True)
        return [(label, list(values)) for label, *values in lines if any(values)]


def sparkline(values: Sequence[int | None], failures: Sequence[int] = ()) -> SafeString | str:
    """Return a small line of the values, oldest first, with crosses at the indexes of `failures`; "" without any."""
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    if not known and not failures:
        return ""
    width, height, edge = 96, 24, 3
    low, high = min((value for _, value in known), default=0), max((value for _, value in known), default=0)
    step = (width - 2 * edge) / max(len(values) - 1, 1)

    def place(index: int, value: int) -> tuple[float, float]:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(edge + index * step, 1), round(height - edge - share * (height - 2 * edge), 1)

    points = [place(index, value) for index, value in known]
    path = " ".join(f"{x},{y}" for x, y in points)
    # Of one point no line is drawn.
    dot = format_html('<circle cx="{}" cy="{}" r="2.5" />', *points[0]) if len(points) == 1 else ""
    crosses = "".join(
        f"M{round(edge + index * step - 3, 1)} 9l6 6m0-6l-6 6" for index in failures if index < len(values)
    )
    range_ = f"{low} to {high} members" if low != high else f"{low} member{'' if low == 1 else 's'}"
    runs = f"{len(known)} calculation{'' if len(known) == 1 else 's'}"
    said = f"{range_} in {runs}" if known else "never calculated"
    failed = f", {len(failures)} failed" if failures else ""
    return format_html(
        '<svg class="core6-sparkline" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<polyline points="{}" />{}<path d="{}" /></svg>',
        *(f"{said}{failed}", width, height, width, height, path, dot, crosses),
    )
