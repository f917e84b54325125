"""The work that is measured: what is asked of whom, and what is aimed at."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.data import World

#: Connections at once; the goals are about the middle one.
ALL, MIDDLE = (1, 16, 64), 16


@dataclass(frozen=True)
class Lane:
    """One side of a comparison: a server and what is asked of it."""

    label: str
    server: str
    path: str
    body: str | None = None
    #: With the ETag of the answer before; the server must then answer 304.
    is_conditional: bool = False

    @property
    def example(self) -> str:
        """Return the path of one request; `offset=0-499` stands for another offset each time."""
        return re.sub(r"(offset=\d+)-\d+", r"\1", self.path)


@dataclass(frozen=True)
class Work:
    """Lanes that are measured in turn."""

    name: str
    lanes: tuple[Lane, ...]
    connections: tuple[int, ...] = ALL


@dataclass(frozen=True)
class Aim:
    """Our processor time of a work beside that of another lane; with neither bound it is only told."""

    work: str
    of: str
    least: float | None = None
    most: float | None = None
    is_later: bool = False
    ours: str = "core6"


AIMS = (
    Aim("list-100", "a", 12),
    Aim("list-100", "f", 2.0),
    Aim("list-100", "f-best", 1.0, is_later=True),
    Aim("another page", "a"),
    Aim("another page", "f"),
    Aim("another page", "f-best"),
    Aim("list-1", "a", 12),
    Aim("list-1", "f", 2.5),
    Aim("list-1", "f-best", 1.0, is_later=True),
    Aim("retrieve", "a", 10),
    Aim("retrieve", "f", 0.8),
    Aim("retrieve", "f", 1.0, is_later=True),
    Aim("retrieve", "f-best", 1.0, is_later=True),
    Aim("retrieve", "hello", most=3, is_later=True),
    Aim("create", "a", 4),
    Aim("create", "f", 0.6),
    Aim("create", "f", 1.0, is_later=True),
    Aim("roles", "a", 8),
    Aim("cohorts-list", "a", 8),
    Aim("project", "a", 8),
    Aim("unchanged", "f's 200", 6, ours="core6's 304"),
    Aim("offset", "offset 0", most=2, ours="offset 9000"),
)


def works(world: World) -> Sequence[Work]:
    """Return everything that is measured."""
    notes = f"/api/projects/{world.project}/annotations/"
    written = f"/api/projects/{world.writing}/annotations/"
    body = json.dumps({"content": "We launched", "scope": "project", "date_marker": "2026-01-01T00:00:00Z"})
    page, hello = f"{notes}?limit=100", Lane("hello", "hello", "/")
    return (
        Work("list-100", _lanes(page, "core6", "a", "f", "f-best")),
        # Never a page that was told lately, which we keep.
        Work("another page", _lanes(f"{page}&offset=0-9799", "core6", "a", "f", "f-best")),
        Work("list-1", _lanes(f"{notes}?limit=1", "core6", "a", "f", "f-best")),
        Work("retrieve", (*_lanes(f"{notes}{world.annotation}/", "core6", "a", "f", "f-best"), hello)),
        Work("create", _lanes(written, "core6", "a", "f", body=body)),
        Work("roles", _lanes(f"/api/organizations/{world.organization}/roles/", "core6", "a")),
        Work("cohorts-list", _lanes(f"/api/projects/{world.project}/cohorts/", "core6", "a")),
        Work("project", _lanes(f"/api/projects/{world.project}/", "core6", "a")),
        Work("unchanged", (Lane("core6's 304", "core6", page, is_conditional=True), Lane("f's 200", "f", page))),
        Work(
            "offset",
            (
                Lane("offset 0", "core6", f"{page}&offset=0-499"),
                Lane("offset 9000", "core6", f"{page}&offset=9000-9499"),
            ),
            (MIDDLE,),
        ),
    )


def _lanes(path: str, *servers: str, body: str | None = None) -> tuple[Lane, ...]:
    return tuple(Lane(server, server, path, body) for server in servers)
