"""Annotations on a line of time: where each is drawn, so that no two cover each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils import timezone

from annotations.models import Annotation

#: In percent of the line: two that are closer to each other are drawn one above the other.
_WIDTH: Final = 5.0
_LANES: Final = 6
_TICKS: Final = 5
_LONGEST: Final = 120


@dataclass(frozen=True)
class Point:
    """An annotation: its place in percent of the line, its row from below, its text and link."""

    left: float
    lane: int
    text: str
    link: str
    is_deleted: bool


@dataclass(frozen=True)
class Timeline:
    """The annotations of a page on one line, with dates below it."""

    points: list[Point]
    ticks: list[tuple[float, str]]
    sentence: str

    @property
    def lanes(self) -> int:
        return max(point.lane for point in self.points) + 1


def timeline(annotations: Iterable[Annotation]) -> Timeline | None:
    """Return the line of the annotations that have a date marker; None without any."""
    marked = [(each.date_marker, each) for each in annotations if each.date_marker]
    if not marked:
        return None
    marked.sort(key=lambda pair: (pair[0], pair[1].pk))
    first, last = marked[0][0], marked[-1][0]
    span = max(last - first, timedelta(seconds=1))
    points: list[Point] = []
    ends = [-_WIDTH] * _LANES  # the place of the last one of each lane
    for moment, each in marked:
        left = 100 * ((moment - first) / span) if last > first else 50.0
        lane = next((lane for lane, end in enumerate(ends) if left - end >= _WIDTH), _LANES - 1)
        ends[lane] = left
        points.append(_point(each, moment, left, lane))
    steps = range(_TICKS) if last > first else [_TICKS // 2]
    ticks = [(25.0 * step, _date(first + span * step / (_TICKS - 1), span)) for step in steps]
    sentence = f"{len(points)} of this page's annotations, from {first:%Y-%m-%d} to {last:%Y-%m-%d}."
    return Timeline(points, ticks, sentence)


def _point(annotation: Annotation, moment: datetime, left: float, lane: int) -> Point:
    content = annotation.content or "(empty)"
    shown = content if len(content) <= _LONGEST else f"{content[:_LONGEST]}…"
    text = f"{timezone.localtime(moment):%Y-%m-%d %H:%M}: {shown}"
    link = reverse("admin:annotations_annotation_change", args=(annotation.pk,))
    return Point(round(left, 2), lane, text, link, annotation.deleted)


def _date(moment: datetime, span: timedelta) -> str:
    return f"{moment:%m-%d %H:%M}" if span < timedelta(days=4) else f"{moment:%Y-%m-%d}"
