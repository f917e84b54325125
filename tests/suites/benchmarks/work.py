"""The work that is measured: what is sent to whom, and what is aimed at."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core6.api.ids import CURRENT
from tests.suites.benchmarks.data import AFTER, WORDS, World

#: Connections at once; the goals are about the middle one.
ALL, MIDDLE = (1, 16, 64), 16


@dataclass(frozen=True)
class Lane:
    """One side of a comparison: a server and what is sent to it."""

    label: str
    server: str
    #: `{}` in it stands for one of `each`, another one each time.
    path: str
    each: tuple[str, ...] = ()
    method: str = "GET"
    body: str | None = None
    #: With the ETag of the answer before; the server must then answer 304.
    is_conditional: bool = False
    #: Something changes in the organization before each round.
    is_after_change: bool = False

    @property
    def paths(self) -> Sequence[str]:
        """Return every path that is requested by turns."""
        return [self.path.replace("{}", each) for each in self.each] or [self.path]

    @property
    def examples(self) -> Sequence[str]:
        """Return a few of the paths: the first, the one in the middle and the last."""
        paths = self.paths
        return list(dict.fromkeys((paths[0], paths[len(paths) // 2], paths[-1])))


@dataclass(frozen=True)
class Work:
    """Lanes that are measured in turn."""

    name: str
    lanes: tuple[Lane, ...]
    connections: tuple[int, ...] = ALL


@dataclass(frozen=True)
class Aim:
    """Our processor time of a work beside that of another lane; with neither bound it is only shown."""

    work: str
    of: str
    least: float | None = None
    most: float | None = None
    is_later: bool = False
    ours: str = "core6"


AIMS = (
    Aim("list-100", "a", 30),
    Aim("list-100", "f", 3),
    Aim("list-100", "f-best", 1.0, is_later=True),
    Aim("another page", "a", 10),
    Aim("another page", "f", 1.3),
    Aim("another page", "f-best"),
    Aim("list-1", "a", 12),
    Aim("list-1", "f", 2),
    Aim("list-1", "f-best", 1.0, is_later=True),
    Aim("search", "a", 10),
    Aim("search", "f"),
    Aim("search", "f-best"),
    Aim("another search", "a"),
    Aim("another search", "f"),
    Aim("another search", "f-best"),
    Aim("@current", "a", 10),
    Aim("@current", "f"),
    Aim("@current", "f-best"),
    Aim("retrieve", "a", 9),
    Aim("retrieve", "f", 0.55),
    Aim("retrieve", "f", 1.0, is_later=True),
    Aim("retrieve", "f-best", 1.0, is_later=True),
    Aim("retrieve", "hello", most=3, is_later=True),
    Aim("another retrieve", "a"),
    Aim("another retrieve", "f"),
    Aim("another retrieve", "f-best"),
    Aim("create", "a", 4),
    Aim("create", "f", 0.45),
    Aim("create", "f", 1.0, is_later=True),
    Aim("PATCH", "a", 4),
    Aim("PATCH", "f", 0.45),
    Aim("roles", "a", 30),
    Aim("cohorts-list", "a", 30),
    Aim("project", "a", 8),
    Aim("unchanged", "f's 200", 4.5, ours="core6's 304"),
    Aim("offset", "offset 0", most=2, ours="offset 9000"),
)


def works(world: World) -> Sequence[Work]:
    """Return everything that is measured."""
    notes = f"/api/projects/{world.project}/annotations/"
    written = f"/api/projects/{world.writing}/annotations/"
    changed = f"/api/projects/{world.changing}/annotations/{{}}/"
    created = json.dumps({"content": "We launched", "scope": "project", "date_marker": "2026-01-01T00:00:00Z"})
    late = json.dumps({"content": AFTER})
    page = f"{notes}?limit=100"
    page_at, search = f"{page}&offset={{}}", f"{page}&search={{}}"
    # All words before one comes again, and then it is another page.
    searches = tuple(f"{word}&offset={offset}" for offset in range(10) for word in WORDS)
    every, ours_and_a, writers = ("core6", "a", "f", "f-best"), ("core6", "a"), ("core6", "a", "f")
    return (
        Work("list-100", _lanes(every, page)),
        # Never a page that was answered lately, which we keep.
        Work("another page", _lanes(every, page_at, each=numbers(0, 9799))),
        Work("list-1", _lanes(every, f"{notes}?limit=1")),
        # Ten words by turns.
        Work("search", _lanes(every, search, each=WORDS[::41])),
        Work("another search", _lanes(every, search, each=searches, is_after_change=True)),
        Work("@current", _lanes(every, f"/api/projects/{CURRENT}/annotations/?limit=100")),
        Work("retrieve", (*_lanes(every, f"{notes}{world.annotation}/"), Lane("hello", "hello", "/"))),
        # Never one that was read since the change.
        Work(
            "another retrieve",
            _lanes(every, f"{notes}{{}}/", each=tuple(map(str, world.annotations)), is_after_change=True),
        ),
        Work("create", _lanes(writers, written, method="POST", body=created)),
        # So many that none is changed twice in a round.
        Work("PATCH", _lanes(writers, changed, each=tuple(map(str, world.changed)), method="PATCH", body=late)),
        Work("roles", _lanes(ours_and_a, f"/api/organizations/{world.organization}/roles/")),
        Work("cohorts-list", _lanes(ours_and_a, f"/api/projects/{world.project}/cohorts/")),
        Work("project", _lanes(ours_and_a, f"/api/projects/{world.project}/")),
        Work("unchanged", (Lane("core6's 304", "core6", page, is_conditional=True), Lane("f's 200", "f", page))),
        Work(
            "offset",
            (
                Lane("offset 0", "core6", page_at, numbers(0, 499)),
                Lane("offset 9000", "core6", page_at, numbers(9000, 9499)),
            ),
            (MIDDLE,),
        ),
    )


def numbers(first: int, last: int) -> tuple[str, ...]:
    """Return the numbers from `first` to `last` as they are in paths."""
    return tuple(map(str, range(first, last + 1)))


def _lanes(servers: Sequence[str], path: str, **more: Any) -> tuple[Lane, ...]:
    return tuple(Lane(server, server, path, **more) for server in servers)
