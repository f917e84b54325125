"""Annotations on a line of time, above their list."""

import html
import re
from datetime import UTC, datetime

from django.test import Client

from annotations.models import Annotation
from tests.conftest import Cast
from tests.console.conftest import Console, address, place


def note(cast: Cast, content: str, day: int | None, **fields: object) -> Annotation:
    marker = datetime(2026, 3, day, 12, tzinfo=UTC) if day else None
    return Annotation.objects.create(
        organization=cast.acme, project=cast.web, content=content, date_marker=marker, **fields
    )


def places(page: str) -> dict[str, tuple[float, int]]:
    """Return where each annotation is drawn: percent from the left, and lane."""
    found = re.findall(r'<li style="left: ([\d.]+)%; --lane: (\d)"><a href="[^"]+" title="([^"]+)"', page)
    return {html.unescape(text).split(": ", 1)[1]: (float(left), int(lane)) for left, lane, text in found}


def test_annotations_stand_where_their_dates_are(console: Console, cast: Cast):
    first, _, last = note(cast, "First", 1), note(cast, "Undated", None), note(cast, "Last", 21)
    note(cast, "Middle", 11)
    note(cast, "Also in the middle", 11)
    page = console.read(place(Annotation))
    assert places(page) == {"First": (0, 0), "Middle": (50, 0), "Also in the middle": (50, 1), "Last": (100, 0)}
    assert f'<a href="{address(first)}" title="2026-03-01 12:00: First" aria-label=' in page
    assert address(last) in page
    assert "4 of this page&#x27;s annotations, from 2026-03-01 to 2026-03-21." in page


def test_the_line_obeys_search_and_filters(console: Console, cast: Cast):
    note(cast, "Shown", 1)
    note(cast, "Gone", 9, deleted=True)
    assert places(console.read(place(Annotation), deleted__exact="0")) == {"Shown": (50, 0)}
    assert places(console.read(place(Annotation), q="Gone")) == {"Gone": (50, 0)}


def test_without_dates_there_is_no_line(console: Console, cast: Cast):
    note(cast, "Undated", None)
    assert "timeline-title" not in console.read(place(Annotation))


def test_markup_in_an_annotation_is_text(console: Console, cast: Cast):
    note(cast, '"><img src=x>', 1)
    assert "<img src=x" not in console.read(place(Annotation))


def test_dave_who_has_no_right_sees_no_annotation(cast: Cast):
    note(cast, "Secret", 1)
    browser = Client()
    browser.force_login(cast.dave)
    answer = browser.get(place(Annotation))
    assert (answer.status_code, answer.content) == (302, b"")
