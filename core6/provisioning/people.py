"""Provisions the persons and events of a project, from lists in its file or from NDJSON files beside it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from django.db import transaction

from core6.analytics import loading
from core6.analytics.models import Event, Person
from core6.analytics.record_values import UNKNOWN_PROPERTY, BadRecord
from core6.analytics.records import EVENT_KEYS, PERSON_KEYS
from core6.database import timestamps
from core6.provisioning.errors import WorldError, error_line, with_suggestion
from core6.provisioning.project_entries import ProjectEntry
from core6.provisioning.run import Run
from core6.terminal.progress import Work, progress
from core6.terminal.sizes import limit

_LONGEST_LINE: Final = 16 * 2**20


def provision_people(run: Run, project_id: int, entry: ProjectEntry) -> dict[str, Any]:
    """Load the persons and then the events of an entry; return the ids and counts in the command's output format.

    Errors are collected in the run; then nothing is returned.
    """
    now, before = timestamps.now(), len(run.problems.lines)
    for load, given, known, at in (
        (loading.load_persons, entry.persons, PERSON_KEYS, f"{entry.path}.persons"),
        (loading.load_events, entry.events, EVENT_KEYS, f"{entry.path}.events"),
    ):
        if given != []:
            with run.problems.collect(), _explaining(given, at, known), _records(given, at, run.base) as records:
                load(project_id, records, now=now)
    if len(run.problems.lines) > before:
        return {}
    inline = entry.persons if isinstance(entry.persons, list) else []
    names = [name for record in inline for name in record["distinct_ids"]]
    uuids = loading.owners(project_id, names)
    return {
        "persons": {name: uuids[name] for name in names},
        "person_count": Person.objects.filter(project_id=project_id).count(),
        "event_count": Event.objects.filter(project_id=project_id).count(),
    }


@contextmanager
def _explaining(given: list[Any] | str, path: str, known: Collection[str]) -> Iterator[None]:
    """Raise WorldError for bad records, and undo what the block has done so far."""
    try:
        with transaction.atomic():
            yield
    except BadRecord as error:
        lines = []
        for each in (error, *error.more):
            why = with_suggestion(each.why, each.field, known if each.why == UNKNOWN_PROPERTY else ())
            if isinstance(given, str):
                field = f"{each.field}: " if each.field else ""
                lines.append(error_line(path, f"line {each.position + 1} of {given}: {field}{why}"))
            else:
                field = f".{each.field}" if each.field else ""
                lines.append(error_line(f"{path}[{each.position}]{field}", why))
        raise WorldError(*lines) from error


@contextmanager
def _records(given: list[Any] | str, path: str, base: Path | None) -> Iterator[loading.Records]:
    if isinstance(given, list):
        yield enumerate(given)
        return
    if base is None:
        raise WorldError(error_line(path, "files cannot be read here: give a list"))
    try:
        file_path = base / given
        with file_path.open("rb") as file, progress(given, file_path.stat().st_size, is_bytes=True) as work:
            yield _Lines(file, work)
    except OSError as error:
        raise WorldError(error_line(path, f"{given} cannot be read: {error.strerror or error}")) from error


class _Lines:
    """The records of an NDJSON file, with their indexes, from 0; lines that are blank are none.

    Raises BadRecord for a line that is not JSON, and can go on after it.
    """

    def __init__(self, file: BinaryIO, work: Work) -> None:
        self._file, self._work = file, work
        self._next = 0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return self

    def __next__(self) -> tuple[int, Any]:
        # Bounded, since a file without line ends, such as a JSON array, must not be read into memory.
        while line := self._file.readline(_LONGEST_LINE):
            self._work.done += len(line)
            position, self._next = self._next, self._next + 1
            try:
                return position, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                if len(line) >= _LONGEST_LINE:
                    self._file.seek(0, SEEK_END)
                    raise BadRecord("", f"longer than {limit(_LONGEST_LINE)}", position) from error
                if line.strip():
                    raise BadRecord("", f"no JSON: {error.msg}", position) from error
        self._work.now = "storing"
        raise StopIteration
