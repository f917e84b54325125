"""Reading the persons that a CSV file lists (D44)."""

import csv
import io
from itertools import islice
from typing import Final, NamedTuple

from cohorts.members.store import MOST_PERSONS, TOO_MANY_PERSONS

_PERSON_ID: Final = ("person_id", "person-id", "person .id", "person.id")
_DISTINCT_ID: Final = ("distinct_id", "distinct-id")
_EMAIL: Final = ("email", "e-mail")
_HEADERS: Final = (("person_id", _PERSON_ID), ("distinct_id", _DISTINCT_ID), ("email", _EMAIL))
_EMPTY: Final = "CSV file is empty. Please upload a CSV file with at least one row of data."
_NO_HEADER: Final = (
    "Multi-column CSV must contain at least one column with a supported ID header: 'person_id', 'Person .id'"
    " (PostHog export format), 'distinct_id', 'distinct-id', or 'email'. Found columns: {found}"
)
_NO_VALUE: Final = (
    "CSV file contains no valid person IDs, distinct IDs, or email addresses. Please ensure your file has data rows"
    " with person IDs, distinct IDs, or email addresses."
)
_ENCODING: Final = "CSV file encoding is not supported. Please save your file as UTF-8 and try again."
_FORMAT: Final = "CSV file format is invalid. Please check your file format and try again."


class CSVError(ValueError):
    """The file cannot be used; the message is shown in the API."""


class Identifiers(NamedTuple):
    """Identifiers of persons, and their kind: `person_id`, `distinct_id` or `email`."""

    by: str
    values: list[str]


def read(content: bytes) -> Identifiers:
    """Return the persons that the file lists; raises CSVError."""
    lines = _rows(content)
    rows = [row for row in lines if any(cell.strip() for cell in row)]
    if not rows:
        # A line of one comma has two cells, though both are empty.
        raise CSVError(_NO_VALUE if any(len(row) > 1 for row in lines) else _EMPTY)
    first = [cell.strip() for cell in rows[0]]
    filled = [cell for cell in first if cell]
    by, column, rest = ("distinct_id", 0, rows) if len(filled) <= 1 else ("", 0, rows[1:])
    names = [cell.lower() for cell in first]
    if len(filled) <= 1:
        lone = filled[0].lower()
        for kind, headers in _HEADERS:
            # A single column headed distinct_id is treated as an id, like any other first row.
            if kind != "distinct_id" and lone in headers:
                by, rest = kind, rows[1:]
    else:
        by, column = _column(names, first)
    cells = (row[column].strip() for row in rest if len(row) > column)
    values = list(dict.fromkeys(cell for cell in cells if cell))
    if not values:
        raise CSVError(_NO_VALUE)
    return Identifiers(by, values)


def _column(names: list[str], shown: list[str]) -> tuple[str, int]:
    for kind, headers in _HEADERS:
        for index, name in enumerate(names):
            if name in headers:
                return kind, index
    raise CSVError(_NO_HEADER.format(found=", ".join(shown)))


def _rows(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CSVError(_ENCODING) from error
    try:
        rows = list(islice(csv.reader(io.StringIO(text, newline=""), strict=True), MOST_PERSONS + 2))  # a header
    except csv.Error as error:
        raise CSVError(_FORMAT) from error
    if len(rows) > MOST_PERSONS + 1:
        raise CSVError(TOO_MANY_PERSONS)
    return rows
