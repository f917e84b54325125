"""Provisions the persons and events of a project, from lists in its file or from NDJSON files beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from django.utils import timezone

from core6.analytics import loading
from core6.analytics.models import Event, Person
from core6.analytics.record_values import BadRecord
from core6.provisioning.world import ProjectEntry, WorldError
from core6.terminal.progress import Work, progress
from core6.terminal.sizes import limit

_LONGEST_LINE: Final = 16 * 2**20


def provision_people(project_id: int, entry: ProjectEntry, path: str, base: Path) -> dict[str, Any]:
    """Load the persons and then the events of an entry; return the ids and counts in the command's output format.

    Paths in the entry are relative to `base`; raises WorldError.
    """
    now = timezone.now()
    for load, given, at in (
        (loading.load_persons, entry.persons, f"{path}.persons"),
        (loading.load_events, entry.events, f"{path}.events"),
    ):
        if given != []:
            with _in_list(given, at) if isinstance(given, list) else _in_file(given, at, base) as records:
                load(project_id, records, now=now)
    inline = entry.persons if isinstance(entry.persons, list) else []
    names = [name for record in inline for name in record["distinct_ids"]]
    uuids = loading.owners(project_id, names)
    return {
        "persons": {name: uuids[name] for name in names},
        "person_count": Person.objects.filter(project_id=project_id).count(),
        "event_count": Event.objects.filter(project_id=project_id).count(),
    }


@contextmanager
def _in_list(given: list[Any], path: str) -> Iterator[loading.Records]:
    try:
        yield enumerate(given)
    except BadRecord as error:
        field = f".{error.field}" if error.field else ""
        raise WorldError(f"{path}[{error.position}]{field}: {error.why}") from error


@contextmanager
def _in_file(name: str, path: str, base: Path) -> Iterator[loading.Records]:
    try:
        given = base / name
        with given.open("rb") as file, progress(name, given.stat().st_size, is_bytes=True) as work:
            yield _records(file, work)
    except BadRecord as error:
        raise WorldError(f"{path}: line {error.position + 1} of {name}: {error}") from error
    except OSError as error:
        raise WorldError(f"{path}: {name} cannot be read: {error.strerror or error}") from error


def _records(file: BinaryIO, work: Work) -> Iterator[tuple[int, Any]]:
    """Yield the index, from 0, and the value of each line that is not blank; raises BadRecord."""
    position = 0
    # Bounded, since a file without line ends, such as a JSON array, must not be read into memory.
    while line := file.readline(_LONGEST_LINE):
        work.done += len(line)
        try:
            yield position, orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                why = f"no JSON: {error.msg}" if len(line) < _LONGEST_LINE else f"longer than {limit(_LONGEST_LINE)}"
                raise BadRecord("", why, position) from error
        position += 1
    work.now = "storing"
