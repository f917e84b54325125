"""Validation of records of persons and events, and their conversion to rows for COPY.

This runs for every line of large files, so a valid record takes few steps; only for an invalid one the reason is
determined afterwards.
"""

import re
import uuid
from datetime import UTC, date, datetime
from hashlib import sha1
from typing import Any, Final

import orjson

from core6.analytics.record_values import UNKNOWN_PROPERTY, BadRecord, flaw
from core6.analytics.relative_times import relative_time

LONGEST_NAME: Final = 400
PERSON_KEYS: Final = frozenset({"distinct_ids", "properties", "created_at", "uuid", "is_identified"})
EVENT_KEYS: Final = frozenset({"distinct_id", "event", "timestamp", "properties", "uuid"})
_EVENTS = uuid.UUID("0b2f2c3a-6a0e-5d55-9c53-0d3c5f1c8b7e").bytes  # the namespace of derived ids
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: The relative times of records; criteria of cohorts may have more.
_RELATIVE = re.compile(r"-[0-9]{1,4}[hdwmy]")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NO_TIME = "is no ISO 8601 time, and not so long ago as -12h or -3d (units h, d, w, m, y)"
_ABSENT = object()
_NULL: Final = r"\N"


def event_row(record: Any, position: int, project_id: int, now: datetime) -> str:
    """Return the row of an event: uuid, event, distinct id, timestamp, properties.

    An event without a uuid gets a UUID version 5 from its project, its position (from 0) and its unparsed content, so
    that an event with a relative time has the same id later. Raises BadRecord.
    """
    _check_keys(record, EVENT_KEYS)
    event, distinct_id = _name(record, "event"), _name(record, "distinct_id")
    timestamp, text = moment(record.get("timestamp", _ABSENT), "timestamp", now)
    properties = _json(record.get("properties", {}), "properties")
    if "uuid" in record:
        identity = _uuid(record)
    else:
        content = f"{project_id}\0{position}\0{event}\0{distinct_id}\0{text}\0".encode() + properties
        digits = sha1(_EVENTS + content, usedforsecurity=False).hexdigest()
        identity = f"{digits[:12]}5{digits[13:16]}{_VARIANT[digits[16]]}{digits[17:32]}"
    return f"{identity}\t{_escaped(event)}\t{_escaped(distinct_id)}\t{timestamp}\t{_escaped_json(properties)}\n"


def person_row(record: Any, position: int, now: datetime) -> str:
    r"""Return the row of a person: position, uuid, distinct ids, properties, created at, is relative, is identified.

    Absent fields are null; a time such as `-3d` is relative. Raises BadRecord.
    """
    _check_keys(record, PERSON_KEYS)
    names = record.get("distinct_ids", _ABSENT)
    if type(names) is not list or not names:
        raise BadRecord("distinct_ids", _mismatch(names, "a list of at least one distinct id"))
    for i, name in enumerate(names):
        _check_name(name, f"distinct_ids[{i}]")
    identity = _uuid(record) if "uuid" in record else _NULL
    properties = _escaped_json(_json(record["properties"], "properties")) if "properties" in record else _NULL
    created_at, is_relative = _NULL, False
    if "created_at" in record:
        created_at, text = moment(record["created_at"], "created_at", now)
        is_relative = text.startswith("-")
    is_identified: bool | str = _NULL
    if "is_identified" in record:
        is_identified = record["is_identified"]
        if type(is_identified) is not bool:
            raise BadRecord("is_identified", _mismatch(is_identified, "true or false"))
    distinct_ids = _escaped_json(orjson.dumps(names))
    return f"{position}\t{identity}\t{distinct_ids}\t{properties}\t{created_at}\t{is_relative}\t{is_identified}\n"


def _check_keys(record: Any, known: frozenset[str]) -> None:
    if type(record) is not dict:
        raise BadRecord("", _mismatch(record, "an object"))
    if not record.keys() <= known:
        raise BadRecord(str(next(key for key in record if key not in known)), UNKNOWN_PROPERTY)


def _name(record: dict[str, Any], field: str) -> str:
    return _check_name(record.get(field, _ABSENT), field)


def _check_name(value: Any, field: str) -> str:
    if type(value) is str and 0 < len(value) <= LONGEST_NAME and "\0" not in value:
        if value.isascii() or not flaw(value):
            return value
        raise BadRecord(field, "holds half a surrogate pair, which is no text")
    if type(value) is not str:
        raise BadRecord(field, _mismatch(value, "a text"))
    if "\0" in value:
        raise BadRecord(field, "holds a NUL character")
    raise BadRecord(field, f"has {len(value)} characters, expected 1 to {LONGEST_NAME}")


def _uuid(record: dict[str, Any]) -> str:
    value = record["uuid"]
    if type(value) is str and _UUID.fullmatch(value):
        return value
    raise BadRecord("uuid", _mismatch(value, "a uuid"))


def moment(value: Any, field: str, now: datetime) -> tuple[str, str]:
    """Return a time in ISO 8601, and its text in the record, which begins with `-` if it is relative to `now`.

    YAML parses unquoted times to dates. Raises BadRecord.
    """
    text = value.isoformat() if isinstance(value, date) else value
    if type(text) is not str:
        raise BadRecord(field, _mismatch(value, "a time"))
    try:
        if text[:1] == "-" and _RELATIVE.fullmatch(text) and (relative := relative_time(text, now)):
            return relative.isoformat(), text
        # The standard library also accepts plain digits as some date.
        if text[4:5] == text[7:8] == "-":
            found = datetime.fromisoformat(text)
            return (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)).isoformat(), text
    except (ValueError, OverflowError):
        pass
    raise BadRecord(field, f"{text[:40]!r} {_NO_TIME}")


def _json(value: Any, field: str) -> bytes:
    if type(value) is not dict:
        raise BadRecord(field, _mismatch(value, "an object"))
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        where, why = flaw(value) or ("", str(error))
        raise BadRecord(field + where, why) from error
    # orjson accepts NUL, and writes non-finite numbers as null: the database cannot store either.
    if (b"\\u0000" in text and _NUL.search(text)) or (b"null" in text and flaw(value)):
        where, why = flaw(value) or ("", "holds a NUL character")
        raise BadRecord(field + where, why)
    return text


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


def _escaped_json(text: bytes) -> str:
    return text.replace(b"\\", rb"\\").decode()


def _mismatch(value: Any, expected: str) -> str:
    """Return the error message about a missing value, or a value of another type."""
    if value is _ABSENT:
        return "this property is required"
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    found = repr(value)[:40] if isinstance(value, str | int | float) else kinds.get(type(value), type(value).__name__)
    return f"expected {expected}, got {found}"
