"""Requests that are wrong, made of the schema: bodies, values of fields, ids, query parameters, criteria, keys.

Nothing here reads the database: everything is named by the ids of the world of test_bad_requests.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import islice, product
from typing import Any, Final
from urllib.parse import quote

from tests.support.api.schema import SCHEMA
from tests.support.routes import METHODS, Route

KEY: Final = "phx_" + "b" * 48
ACME, ROLE, MEMBERSHIP = (f"01a20e5b-7a93-7462-a49f-0000000000b{number}" for number in range(3))
BOB, CAROL, PERSON = (f"0195a0c0-0000-7000-8000-0000000000b{number}" for number in range(3))
PROJECT, NOTE, COHORT, OTHER, STATIC, DASHBOARD, FOREIGN_PROJECT, FOREIGN_COHORT = range(2_000_001, 2_000_009)
#: What `{id}` is in a path, by the part before it.
_IDS: Final = {
    "organizations": ACME,
    "projects": PROJECT,
    "environments": PROJECT,
    "annotations": NOTE,
    "cohorts": COHORT,
    "roles": ROLE,
    "role_memberships": MEMBERSHIP,
}
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data; boundary=edge"
SQL: Final = "'; DROP TABLE x; --"


@dataclass(frozen=True)
class BadRequest:
    """One request, and what is wrong with it."""

    wrong: str
    method: str
    path: str
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether it carries the key of the world in its header.
    has_key: bool = True
    #: Whether it must be refused as a call without a key.
    is_nobody: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path[:120]}: {self.wrong}"


@dataclass(frozen=True)
class Operation:
    """An operation of the schema."""

    name: str
    method: str
    template: str
    #: The fields of its body, each with its schema; none where there is no body.
    fields: Mapping[str, Any]
    queries: Sequence[str]

    @property
    def is_writing(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")

    @property
    def is_about_a_project(self) -> bool:
        """Return whether its body is that of a project, as it is of many."""
        return "app_urls" in self.fields

    @cached_property
    def path(self) -> str:
        return self.at({})

    def at(self, named: Mapping[str, str]) -> str:
        """Return the path with these ids, by their names, in place of the right ones."""
        resource = self.template.partition("{id}")[0].strip("/").split("/")[-1]
        is_static = "static_cohort" in self.template
        right = {
            "organization_id": ACME,
            "project_id": str(PROJECT),
            "role_id": ROLE,
            "id": str(STATIC if is_static else _IDS.get(resource, "")),
        }
        path = self.template
        for name, text in {**right, **named}.items():
            path = path.replace(f"{{{name}}}", text)
        return path

    @property
    def right_body(self) -> dict[str, Any]:
        """Return a body that is accepted."""
        right = {"user_uuid": CAROL, "person_ids": [PERSON], "person_id": PERSON}
        if "roles_" in self.name:
            right["name"] = "Sales"
        return {name: value for name, value in right.items() if name in self.fields}

    @property
    def text_field(self) -> str:
        """Return a field that is a text, if there is one."""
        texts = (name for name, schema in self.fields.items() if schema.get("type") == "string")
        return next(texts, next(iter(self.fields)))


@cache
def operations() -> dict[str, Operation]:
    """Return every operation of the schema by its operationId."""
    found = {}
    for path, methods in SCHEMA["paths"].items():
        for method, described in methods.items():
            fields = {}
            if "requestBody" in described:
                component = described["requestBody"]["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
                fields = SCHEMA["components"]["schemas"][component]["properties"]
            queries = [each["name"] for each in described.get("parameters", ()) if each["in"] == "query"]
            found[described["operationId"]] = Operation(described["operationId"], method.upper(), path, fields, queries)
    return found


def nested(depth: int) -> str:
    return '{"a": ' * depth + "1" + "}" * depth


def part(name: str, content: bytes, file: str = "") -> bytes:
    """Return a multipart body of one field, or of one file."""
    named = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return b"--edge\r\n" + named.encode() + b"\r\n\r\n" + content + b"\r\n--edge--\r\n"


def bodies(operation: Operation) -> Iterator[BadRequest]:
    """Yield bodies that are no JSON, no object, or no text."""
    name = operation.text_field
    start = f'{{"{name}": '.encode()

    def value(text: str | bytes) -> bytes:
        return start + (text.encode() if isinstance(text, str) else text) + b"}"

    of_json: dict[str, bytes] = {
        "nothing": b"",
        "blanks": b" \r\n\t ",
        "null": b"null",
        "a list": b"[]",
        "a list of an object": b"[{}]",
        "a text": b'"text"',
        "a number": b"12",
        "true": b"true",
        "cut off": start,
        "cut off in a text": value('"x')[:-1],
        "a trailing comma": value('"x",'),
        "two objects": b"{}{}",
        "single quotes": b"{'a': 'b'}",
        "a comment": b"{} // nothing",
        "NaN": value("NaN"),
        "Infinity": value("Infinity"),
        "-Infinity": value("-Infinity"),
        "1e999": value("1e999"),
        "a number of 400 digits": value("1" + "0" * 400),
        "a number of 5000 digits": value("9" * 5000),
        "a number with a leading nought": value("01"),
        "a key twice": start + b'"x", "' + name.encode() + b'": []}',
        "a key of NUL": b'{"\\u0000": 1}',
        "a key with NUL in it": b'{"' + name.encode() + b'\\u0000": "x"}',
        "a value with NUL": value('"a\\u0000b"'),
        "a raw NUL": value(b'"a\0b"'),
        "a raw NUL alone": b"\0",
        "a lone high surrogate": value('"\\ud800"'),
        "a lone low surrogate": value('"\\udc00"'),
        "a surrogate as key": b'{"\\ud800": 1}',
        "invalid UTF-8": value(b'"\xff\xfe"'),
        "overlong UTF-8": value(b'"\xc0\xaf"'),
        "a surrogate in UTF-8": value(b'"\xed\xa0\x80"'),
        "UTF-16": '{"a": "b"}'.encode("utf-16"),
        "UTF-32": '{"a": "b"}'.encode("utf-32"),
        "a byte order mark": b"\xef\xbb\xbf{}",
        "an object 100 deep": value(nested(100)),
        "lists 100 deep": value("[" * 100 + "]" * 100),
        "an object 100,000 deep": nested(100_000).encode(),
        "lists 100,000 deep, never closed": b"[" * 100_000,
        "a text of a megabyte": value(f'"{"x" * 2**20}"'),
        "a key of 100,000 characters": b'{"' + b"k" * 100_000 + b'": 1}',
        "10,000 keys": json.dumps(dict.fromkeys(map(str, range(10_000)))).encode(),
        "keys of Python": b'{"__class__": "x", "__proto__": {}, "constructor": {}, "pk": 1, "self": 2}',
        "a form of nothing but a name": b"name=",
        "a form that breaks off": b"a=%",
    }
    of_others: dict[str, tuple[bytes, str]] = {
        "JSON as Latin-1": (value('"é"'.encode("latin-1")), f"{JSON}; charset=latin-1"),
        "an unknown charset": (b"{}", f"{JSON}; charset=klingon"),
        "a charset that is none of text": (b"{}", f"{JSON}; charset=hex"),
        "a charset that refuses all": (f"{name}=x".encode(), f"{FORM}; charset=undefined"),
        "text/plain": (b"{}", "text/plain"),
        "application/xml": (b"<a/>", "application/xml"),
        "no content type that is one": (b"{}", "nonsense"),
        "an empty content type": (b"{}", ""),
        "multipart without a boundary": (b"x", "multipart/form-data"),
        "multipart without a part": (b"", MULTIPART),
        "multipart that is none": (b"nonsense", MULTIPART),
        "multipart that breaks off": (part(name, b"x")[:-12], MULTIPART),
        "multipart with a boundary of 300": (b"x", f"multipart/form-data; boundary={'b' * 300}"),
        "multipart with NUL": (part(name, b"a\0b"), MULTIPART),
        "multipart of invalid UTF-8": (part(name, b"\xff"), MULTIPART),
        "multipart with a file for a text": (part(name, b"x", "file.txt"), MULTIPART),
        "multipart without a name": (b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n", MULTIPART),
        "multipart with a name in no encoding": (
            b"--edge\r\nContent-Disposition: form-data; name*=klingon''a\r\n\r\nx\r\n--edge--\r\n",
            MULTIPART,
        ),
        "multipart in an unknown encoding": (
            part("a", b"?").replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
            MULTIPART,
        ),
        "a form of broken escapes": (f"{name}=%zz%&%=%".encode(), FORM),
        "a form of invalid UTF-8": (f"{name}=%ff".encode(), FORM),
        "a form with NUL": (f"{name}=%00".encode(), FORM),
        "a form of only separators": (b"&&&===&&", FORM),
        "a form of 1001 fields": (b"&".join([b"a=1"] * 1001), FORM),
        "JSON that is a form of 1001 fields": (b"&".join([b"a=1"] * 1001), JSON),
        "a form with deep JSON": (f"{list(operation.fields)[-1]}={'[' * 100_000}".encode(), FORM),
    }
    where: dict[str, Any] = {"method": operation.method, "path": operation.path}
    for wrong, body in of_json.items():
        yield BadRequest(wrong, **where, body=body)
    for wrong, (body, content_type) in of_others.items():
        yield BadRequest(wrong, **where, body=body, content_type=content_type)
    for encoding in ("gzip", "br", "nonsense"):
        yield BadRequest(f"encoded as {encoding}", **where, body=b"{}", headers={"Content-Encoding": encoding})


VALUES: Final[Mapping[str, Any]] = {
    "null": None,
    "an empty text": "",
    "10,000 characters": "x" * 10_000,
    "NUL": "a\0b",
    "2**63": 2**63,
    "-1": -1,
    "1.5": 1.5,
    "true": True,
    "an empty list": [],
    "a list of lists": [[None], [{}]],
    "an empty object": {},
    "a deep object": json.loads(nested(50)),
    "a hedgehog": "🦔",
    "__class__": "__class__",
    "SQL": SQL,
}


def with_fields(operation: Operation) -> Iterator[BadRequest]:
    """Yield bodies with one wrong value: all values of all fields, but for the actions that read a project's alike."""
    has_own_error = operation.is_about_a_project and operation.name not in (
        "projects_create",
        "projects_partial_update",
        "projects_complete_product_onboarding_partial_update",
    )
    for number, name in enumerate(operation.fields):
        values = list(VALUES.items())
        if has_own_error:
            # Two of each field, others in each operation.
            first = (2 * number + len(operation.name)) % len(values)
            values = [*values, *values][first : first + 2]
        for wrong, value in values:
            body = json.dumps({**operation.right_body, name: value}).encode()
            yield BadRequest(f"{name} is {wrong}", operation.method, operation.path, body)
        text = f"{name}={quote(SQL)}" if not has_own_error else f"{name}=%ff%00"
        yield BadRequest(f"{name} in a form", operation.method, operation.path, text.encode(), FORM)


#: Settings of a project that hold more: their known keys, where the rules know some.
_INSIDE: Final[Mapping[str, Sequence[str]]] = {
    "session_recording_linked_flag": ("id", "key", "variant"),
    "session_recording_network_payload_capture_config": ("recordHeaders", "recordBody"),
    "session_recording_masking_config": ("maskAllInputs", "maskTextSelector", "blockSelector"),
    "session_replay_config": ("record_canvas", "ai_config"),
    "survey_config": ("appearance",),
    "modifiers": ("personsOnEventsMode", "inCohortVia", "bounceRateDurationSeconds", "unknown"),
    "conversations_settings": ("widget_domains", "widget_public_token"),
    "logs_settings": ("retention_days", "retention_last_updated"),
    "extra_settings": ("recorder_script",),
    "correlation_config": ("excluded_person_property_names",),
    "has_completed_onboarding_for": ("surveys",),
}
_LISTS: Final = (
    "app_urls",
    "recording_domains",
    "test_account_filters",
    "path_cleaning_filters",
    "data_attributes",
    "person_display_name_properties",
    "live_events_columns",
    "autocapture_web_vitals_allowed_metrics",
    "autocapture_exceptions_errors_to_ignore",
)
_WEBHOOKS: Final = (
    "https://[::1",
    "https://[]/",
    "https://[fe80::1%25eth0]/",
    "https://1.2.3.4:99999/",
    "https://a:b@example.com/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://example.com:x/",
    "https://\u2100.com/",
    "https://" + "a" * 300 + ".com/",
    "https://xn--\xff.com/",
    "https://..com/",
    "http://example.com",
    "https:///x",
    "javascript:alert(1)",
    "https://example.com/ x",
    "https://1.1.1.1\\@evil.example",
)


def inside_of_settings() -> Iterator[BadRequest]:
    """Yield changes of a project with something wrong inside an object or a list."""
    at: dict[str, Any] = {"method": "PATCH", "path": f"/api/projects/{PROJECT}/"}
    for name, keys in _INSIDE.items():
        for key in keys:
            for wrong, value in VALUES.items():
                yield BadRequest(f"{name}.{key} is {wrong}", **at, body=json.dumps({name: {key: value}}).encode())
        for key in ("", "\0", "__class__", "k" * 10_000, SQL):
            yield BadRequest(f"{name} has the key {key[:20]!r}", **at, body=json.dumps({name: {key: 1}}).encode())
    for name in _LISTS:
        for wrong, value in VALUES.items():
            yield BadRequest(f"{name} holds {wrong}", **at, body=json.dumps({name: [value]}).encode())
    for url in _WEBHOOKS:
        yield BadRequest(f"webhook {url[:40]}", **at, body=json.dumps({"slack_incoming_webhook": url}).encode())


IDS: Final[Mapping[str, str]] = {
    "0": "0",
    "-1": "-1",
    "00": "00",
    "1.5": "1.5",
    "10**18": str(10**18),
    "10**18 - 1": str(10**18 - 1),
    "10**30": str(10**30),
    "a text": "nonsense",
    "NUL": "%00",
    "NUL in digits": f"{PROJECT}%00",
    "an escaped slash": "%2F",
    "..": "..",
    "escaped dots": "%2e%2e%2f%2e%2e",
    "a hedgehog": quote("🦔"),
    "digits that are not ASCII": quote("٣"),
    "a superscript": quote("²"),
    "a UUID in braces": quote(f"{{{ACME}}}"),
    "a UUID as URN": f"urn:uuid:{ACME}",
    "a UUID of other letters": "0" * 31 + "g",
    "@current": "@current",
    "@other": "@other",
    "5,000 characters": "9" * 5000,
    "nothing": "",
    "a blank": "%20",
    "a line": f"{PROJECT}%0A",
    "SQL": quote(SQL),
    "an invalid byte": "%ff",
    "a broken escape": "%zz",
    "a plus": f"+{PROJECT}",
    "an underscore": "2_000_001",
}


def ids(operation: Operation) -> Iterator[BadRequest]:
    """Yield paths with one wrong id."""
    body = json.dumps(operation.right_body).encode() if operation.is_writing else b""
    for name in ("organization_id", "project_id", "role_id", "id"):
        if f"{{{name}}}" in operation.template:
            for wrong, text in IDS.items():
                yield BadRequest(f"{name} is {wrong}", operation.method, operation.at({name: text}), body)


def methods(route: Route) -> Iterator[BadRequest]:
    """Yield what is wrong with a request of any method: its ids, its query, its body, its key."""
    address = Operation("", "", route.template, {}, ())
    for method in METHODS:
        for name in ("organization_id", "project_id", "role_id", "id"):
            if f"{{{name}}}" in route.template:
                for wrong in ("a text", "NUL", "10**18", "an invalid byte", "5,000 characters", "@current", "nothing"):
                    yield BadRequest(f"{name} is {wrong}", method, address.at({name: IDS[wrong]}))
        for query in (
            "limit=-1",
            "limit=1&limit=x",
            "offset=99999999999999999999",
            "%00=%ff",
            "search=%00",
            "a" * 5000,
        ):
            yield BadRequest(f"the query is {query[:30]}", method, f"{address.path}?{query}")
        for body in (b"{", b"\xff", b"[]", b"null", b'{"id": ' * 100, b"a=\x00"):
            yield BadRequest(f"the body is {body[:10]!r}", method, address.path, body)
        yield BadRequest("the body is of another type", method, address.path, b"x", "text/plain")
        yield BadRequest("no key", method, address.path, b"{", has_key=False, is_nobody=True)
        wrong_key = {"Authorization": "Bearer phx_unknown"}
        yield BadRequest("a wrong key", method, address.path, headers=wrong_key, has_key=False, is_nobody=True)


TEXTS: Final[Mapping[str, str]] = {
    "nothing": "",
    "a text": "nonsense",
    "-1": "-1",
    "0": "0",
    "1.5": "1.5",
    "1e3": "1e3",
    "2**63": str(2**63),
    "10**30": str(10**30),
    "5,000 digits": "9" * 5000,
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "digits that are not ASCII": quote("٣"),
    "NUL": "a%00b",
    "an invalid byte": "%ff",
    "a surrogate": "%ed%a0%80",
    "5,000 characters": "x" * 5000,
    "a hedgehog": quote("🦔"),
    "SQL": quote(SQL),
    "a quote that does not end": "%22a",
    "a list": "[]",
    "an object": quote('{"a": [1]}'),
    "a date that is none": "2024-13-45",
    "the last date": "9999-12-31T23:59:59-23:59",
    "the first date": "0001-01-01T00:00:00%2B23:59",
}
#: For parameters that no GET has, these are enough.
_FEW: Final = ("nothing", "a text", "NUL", "an invalid byte", "5,000 characters", "SQL")
_UNKNOWN: Final = ("cursor", "format", "personal_api_key", "unknown", "ordering", "limit[]", "offset[0]", "__class__")


def queries(operation: Operation) -> Iterator[BadRequest]:
    """Yield query strings with one wrong parameter, or that are no query string."""
    at, path = operation.method, operation.path
    for name in operation.queries:
        for wrong, text in TEXTS.items():
            yield BadRequest(f"{name} is {wrong}", at, f"{path}?{name}={text}")
        yield BadRequest(f"{name} is there twice", at, f"{path}?{name}=1&{name}=nonsense")
        yield BadRequest(f"{name} has no value", at, f"{path}?{name}")
    for name in _UNKNOWN:
        for wrong in _FEW:
            yield BadRequest(f"{name} is {wrong}", at, f"{path}?{name}={TEXTS[wrong]}")
    for query in (
        "&&==&",
        "%",
        "%zz=%zz",
        "=",
        "a=1&" * 2000,
        "?",
        ";;",
        "%00",
        "limit=1;offset=1",
        "limit=1&offset=%00",
    ):
        yield BadRequest(f"the query {query[:10]!r}", at, f"{path}?{query}")


PERSON_LEAF: Final[Mapping[str, Any]] = {
    "type": "person",
    "key": "email",
    "operator": "exact",
    "value": "x",
    "negation": False,
}
COHORT_LEAF: Final[Mapping[str, Any]] = {"type": "cohort", "key": "id", "value": OTHER, "negation": False}
BEHAVIORAL_LEAF: Final[Mapping[str, Any]] = {
    "type": "behavioral",
    "key": "$pageview",
    "value": "performed_event",
    "event_type": "events",
    "time_value": 7,
    "time_interval": "day",
    "explicit_datetime": "-7d",
    "negation": False,
    "operator": "gte",
    "operator_value": 1,
    "seq_event": "signed up",
    "seq_event_type": "events",
    "seq_time_value": 1,
    "seq_time_interval": "day",
    "total_periods": 3,
    "min_periods": 1,
    "event_filters": [{"type": "event", "key": "$browser", "operator": "exact", "value": "x"}],
    "explicit_datetime_to": "-1d",
}
_KINDS: Final = (
    "performed_event",
    "performed_event_multiple",
    "performed_event_first_time",
    "performed_event_sequence",
    "performed_event_regularly",
    "stopped_performing_event",
    "restarted_performing_event",
    "unknown",
)
_OPERATORS: Final = (
    *("is_not", "icontains", "not_icontains", "regex", "not_regex", "gt", "lt", "gte", "lte", "is_set", "is_not_set"),
    *("is_date_exact", "is_date_after", "is_date_before", "in", "not_in", "between", "not_between", "min", "max"),
    *("semver_eq", "semver_gt", "semver_tilde", "semver_caret", "semver_wildcard", "unknown", "__class__", SQL),
)
#: Keys of properties that mean something elsewhere.
KEYS: Final = (
    *("email__regex", "email__contains", "a'b", 'a"b', "\0", "a\\b", "a,b", "{a}", "a->b", "%s", "%(a)s", "$", ""),
    *("__class__", SQL, "k" * 10_000, "🦔", "properties", "a.b", "0", "-1"),
)
_DATES: Final = (
    *("", "nonsense", "2024-13-45", "-99999999999999d", "9999-12-31T23:59:59-23:59", "0000-00-00", "-1x", "٣d"),
)
_CONDITIONS: Final[Sequence[Any]] = (
    *({}, {"type": "event"}, {"type": "hogql", "key": "1 = 1"}, {"type": "element", "key": "tag", "value": 1}),
    *({"type": "unknown", "key": "a", "value": 1}, {"type": "event", "key": {}, "value": 1}, None, [], "x", 1),
    *({"type": "event", "key": "\0", "operator": "regex", "value": "("}, {"type": [], "key": "a", "value": 1}),
)
PATTERNS: Final = ("(", "[", "*", "a{9999999}", "(a+)+$", "(?<x>a)", "\\", "a" * 10_000, "(" * 1000 + ")" * 1000)


def leaves() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield leaves with one thing wrong."""
    for leaf in (PERSON_LEAF, COHORT_LEAF, BEHAVIORAL_LEAF):
        for name in leaf:
            yield f"{leaf['type']}: no {name}", without(leaf, name)
            for wrong, value in VALUES.items():
                yield f"{leaf['type']}: {name} is {wrong}", {**leaf, name: value}
        yield f"{leaf['type']}: an unknown key", {**leaf, "unknown": 1}
    yield from _person_leaves()
    yield from _behavioral_leaves()


def without(leaf: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in leaf.items() if key != name}


def _person_leaves() -> Iterator[tuple[str, dict[str, Any]]]:
    for operator, value in product(_OPERATORS, ("x", 10**30, [], ["x", 1, None], {"a": 1}, "1.2.x", None)):
        yield f"{operator} of {value}", {**PERSON_LEAF, "operator": operator, "value": value}
    for key, operator in product(KEYS, ("exact", "is_set", "gt", "regex")):
        yield f"{operator} of the key {key[:20]!r}", {**PERSON_LEAF, "key": key, "operator": operator}
    for pattern in PATTERNS:
        yield f"the pattern {pattern[:20]!r}", {**PERSON_LEAF, "operator": "regex", "value": pattern}
    for date, operator in product(_DATES, ("is_date_before", "is_date_after", "is_date_exact")):
        yield f"{operator} {date[:20]!r}", {**PERSON_LEAF, "operator": operator, "value": date}


def _behavioral_leaves() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in _KINDS:
        bare = {**BEHAVIORAL_LEAF, "value": kind}
        for name in islice(BEHAVIORAL_LEAF, 3, None):
            yield f"{kind} without {name}", without(bare, name)
        yield f"{kind} and nothing else", {key: bare[key] for key in ("type", "key", "value", "event_type")}
        for name in ("time_value", "operator_value", "seq_time_value", "total_periods", "min_periods"):
            yield f"{kind} with {name} of 10**30", {**bare, name: 10**30}
    for date in _DATES:
        yield f"since {date[:20]!r}", {**BEHAVIORAL_LEAF, "explicit_datetime": date}
    for condition in _CONDITIONS:
        yield f"the event is {condition}", {**BEHAVIORAL_LEAF, "event_filters": [condition]}


def _group(*values: Any, kind: Any = "AND") -> dict[str, Any]:
    return {"type": kind, "values": list(values)}


def _deep(depth: int) -> dict[str, Any]:
    found = _group(PERSON_LEAF)
    for _ in range(depth):
        found = _group(found, kind="OR")
    return found


def trees() -> Iterator[tuple[str, Any]]:
    """Yield filters whose shape is wrong or uncommon."""
    for wrong, value in VALUES.items():
        yield f"filters are {wrong}", value
        yield f"properties are {wrong}", {"properties": value}
        yield f"type is {wrong}", {"properties": _group(PERSON_LEAF, kind=value)}
        yield f"values are {wrong}", {"properties": {"type": "AND", "values": value}}
        yield f"a leaf is {wrong}", {"properties": _group(value)}
        yield f"a leaf below is {wrong}", {"properties": _group(_group(value))}
    of_groups: dict[str, Any] = {
        "no type": {"values": [PERSON_LEAF]},
        "no values": {"type": "AND"},
        "an empty group": _group(),
        "empty groups in a group": _group(_group(), _group(_group())),
        "another key": {**_group(PERSON_LEAF), "unknown": 1},
        "NOT": _group(PERSON_LEAF, kind="NOT"),
        "and": _group(PERSON_LEAF, kind="and"),
        "a leaf without a group": PERSON_LEAF,
        "groups 20 deep": _deep(20),
        "10,000 leaves": _group(*[PERSON_LEAF] * 10_000),
        "10,000 leaves that are wrong": _group(*[{**PERSON_LEAF, "operator": None}] * 10_000),
        "a reference to itself": _group({**COHORT_LEAF, "value": COHORT}),
        "a reference that closes a loop": _group(COHORT_LEAF),
        "a reference to nobody": _group({**COHORT_LEAF, "value": 999_999_999}),
        "a reference to another project's": _group({**COHORT_LEAF, "value": FOREIGN_COHORT}),
        "1,000 references": _group(*[COHORT_LEAF] * 1000),
        "all kinds at once": _group(PERSON_LEAF, COHORT_LEAF, BEHAVIORAL_LEAF, _group(), {"type": "nonsense"}),
    }
    for wrong, group in of_groups.items():
        yield wrong, {"properties": group}
    yield "another key beside properties", {"properties": _group(), "unknown": 1}


def criteria(method: str) -> Iterator[BadRequest]:
    """Yield cohorts with something wrong in what says who belongs to them."""
    base = f"/api/projects/{PROJECT}/cohorts/"
    body: dict[str, Any]
    at: dict[str, Any] = {"method": method, "path": base if method == "POST" else f"{base}{COHORT}/"}
    for wrong, leaf in leaves():
        body = {"filters": {"properties": _group(leaf)}}
        yield BadRequest(wrong, **at, body=json.dumps(body).encode())
    for wrong, filters in trees():
        yield BadRequest(wrong, **at, body=json.dumps({"filters": filters}).encode())
    # As texts: json.dumps itself would not write them so deep.
    for depth in (60, 100, 50_000):
        tree = '{"type": "AND", "values": [' * depth + "]}" * depth
        yield BadRequest(f"groups {depth} deep", **at, body=f'{{"filters": {{"properties": {tree}}}}}'.encode())
    for wrong, value in VALUES.items():
        yield BadRequest(f"a group is {wrong}", **at, body=json.dumps({"groups": [value]}).encode())
        for name in ("properties", "days", "action_id", "event_id", "count", "count_operator", "start_date", "label"):
            body = {"groups": [{"action_id": 1, "days": 7, name: value}]}
            yield BadRequest(f"a group's {name} is {wrong}", **at, body=json.dumps(body).encode())
        for query in (value, {"kind": value}, {"kind": "ActorsQuery", "properties": value}):
            body = {"is_static": True, "query": query}
            yield BadRequest(f"a query of {wrong}", **at, body=json.dumps(body).encode())


def narrowing() -> Iterator[BadRequest]:
    """Yield lists of a cohort's persons that ask for something wrong of them."""
    path = f"/api/projects/{PROJECT}/cohorts/{STATIC}/persons/"
    for wrong, leaf in leaves():
        text = json.dumps([leaf])
        yield BadRequest(f"persons: {wrong}", "GET", f"{path}?properties={quote(text)}")
    for wrong, value in VALUES.items():
        for text in (json.dumps(value), json.dumps([value])):
            yield BadRequest(f"persons: {wrong}", "GET", f"{path}?is_csv_export=1&properties={quote(text)}")
    for text in ("[", "[" * 100_000, "NaN", "[NaN]", '[{"key": "\\ud800", "value": "\\ud800"}]', "9" * 5000):
        yield BadRequest(f"persons: {text[:40]}", "GET", f"{path}?properties={quote(text)}")


def files() -> Iterator[BadRequest]:
    """Yield cohorts with a file that is not a list of persons."""
    contents: dict[str, bytes] = {
        "an empty file": b"",
        "blanks": b" \n\n , ,\n",
        "NUL": b"person_id\n\0\n",
        "invalid UTF-8": b"person_id\n\xff\xfe\n",
        "UTF-16": "person_id\nx\n".encode("utf-16"),
        "a quote that does not end": b'person_id\n"abc',
        "a cell of 200,000 characters": b"distinct_id,a\n" + b"x" * 200_000 + b",1\n",
        "5,000 columns": b",".join([b"a"] * 5000) + b"\n",
        "no known column": b"a,b\n1,2\n",
        "a header alone": b"person_id\n",
        "ids that are none": b"person_id\nnonsense\n-1\n",
        "rows of different length": b"person_id,a\nx\n,,,,\n\n",
        "a picture": b"\x89PNG\r\n\x1a\n\0\0\0",
        "carriage returns": b"person_id\rx\ry\r",
        "SQL": f"person_id\n{SQL}\n".encode(),
    }
    base = f"/api/projects/{PROJECT}/cohorts/"
    for wrong, content in contents.items():
        for method, path in (("POST", base), ("PATCH", f"{base}{STATIC}/"), ("PUT", f"{base}{COHORT}/")):
            body = part("csv", content, "persons.csv").removesuffix(b"--edge--\r\n")
            body += part("is_static", b"true")
            yield BadRequest(f"a file: {wrong}", method, path, body, MULTIPART)


#: Headers without a valid key.
_HEADERS: Final[Mapping[str, str]] = {
    "nothing": "",
    "Basic": "Basic YWxpY2U6eA==",
    "Basic of the key": f"Basic {KEY}",
    "Bearer alone": "Bearer",
    "Bearer and blanks": "Bearer   ",
    "Bearer without a blank": f"Bearer{KEY}",
    "lower case": f"bearer {KEY}",
    "upper case": f"BEARER {KEY}",
    "the key alone": KEY,
    "two keys": f"Bearer {KEY} {KEY}",
    "two keys with a comma": f"Bearer {KEY}, Bearer {KEY}",
    "a comma after the key": f"Bearer {KEY},",
    "a colon": f"Bearer: {KEY}",
    "quotes": f'Bearer "{KEY}"',
    "a key of 100,000 characters": "Bearer " + "x" * 100_000,
    "the key and more": f"Bearer {KEY}{'b' * 1000}",
    "a part of the key": f"Bearer {KEY[:-1]}",
    "a key of other case": f"Bearer {KEY.upper()}",
    "a hedgehog": "Bearer 🦔",
    "Latin-1": "Bearer \xe9\xff",
    "a lone surrogate": "Bearer \ud800",
    "NUL": f"Bearer {KEY}\0",
    "NUL alone": "Bearer \0",
    "a line break": f"Bearer {KEY}\r\nX-Other: 1",
    "a line break within": f"Bearer {KEY[:10]}\n{KEY[10:]}",
    "SQL": f"Bearer {SQL}",
    "a digest": "Bearer sha256$" + "0" * 64,
    "another scheme": f'Digest username="{KEY}"',
    "another word": f"Token {KEY}",
    "the word twice": f"Bearer Bearer {KEY}",
}
_CALLS: Final = (
    ("GET", f"/api/projects/{PROJECT}/annotations/"),
    ("POST", f"/api/projects/{PROJECT}/annotations/"),
    ("PATCH", f"/api/projects/{PROJECT}/"),
    ("DELETE", f"/api/organizations/{ACME}/roles/{ROLE}/"),
    ("GET", "/api/users/@me/"),
)


def keys() -> Iterator[BadRequest]:
    """Yield calls whose key is invalid, or is where no key is looked for."""
    for method, path in _CALLS:
        nobody: dict[str, Any] = {"method": method, "has_key": False, "is_nobody": True}
        body = b"{}" if method != "GET" else b""
        for wrong, header in _HEADERS.items():
            headers = {"Authorization": header}
            yield BadRequest(f"key: {wrong}", path=path, body=body, headers=headers, **nobody)
        yield BadRequest("key: none", path=path, body=body, **nobody)
        for header in ("X-API-Key", "Proxy-Authorization", "Cookie", "X-Authorization"):
            yield BadRequest(f"key: in {header}", path=path, headers={header: f"Bearer {KEY}"}, **nobody)
        for text in ("", "%00", "%ff", quote("🦔"), "x" * 5000, "a&personal_api_key=b", f"{KEY}x", f"Bearer%20{KEY}"):
            yield BadRequest(
                f"key: {text[:20]} in the query", path=f"{path}?personal_api_key={text}", body=body, **nobody
            )
        for name in ("personal_api_key[]", "Personal_Api_Key", "token", "api_key"):
            yield BadRequest(f"key: in the query's {name}", path=f"{path}?{name}={KEY}", body=body, **nobody)
        if method == "GET":
            continue
        for wrong, value in {**VALUES, "a list of the key": [KEY], "an object of the key": {"a": KEY}}.items():
            sent = json.dumps({"personal_api_key": value}).encode()
            yield BadRequest(f"key: in the body {wrong}", path=path, body=sent, **nobody)
        for sent in (b"[]", b'"x"', b"1", b"null", b"{", b"\xff", json.dumps([{"personal_api_key": KEY}]).encode()):
            yield BadRequest(f"key: the body is {sent[:10]!r}", path=path, body=sent, has_key=False, method=method)


_HEAD: Final[Mapping[str, Sequence[str]]] = {
    "Accept": (
        *(
            "",
            "nonsense",
            "*",
            "/",
            ";",
            "*/*;q=",
            "*/*;q=x",
            "text/csv",
            "application/json;",
            "\0",
            "\xe9",
            "x/" * 5000,
        ),
        *(
            "application/json; indent=x",
            "application/json; a*=klingon''x",
            "a/b; c*=idna''%ff",
            ", ".join(["a/b"] * 3000),
        ),
    ),
    "Accept-Language": ("\0", "x" * 10_000, "de;q=nonsense"),
    "Accept-Encoding": ("nonsense", "gzip;q=x", "*;q=0"),
    "Content-Type": (
        *(f"{JSON}; charset={name}" for name in ("utf-16", "utf-7", "klingon", "\xe9")),
        *("a", "/", ";", f"{JSON}; {'a=b;' * 2000}"),
    ),
    "If-Match": ('"', "W/", "\0", "*, *", '"a" "b"', "x" * 10_000, "\xe9", '"a", ' * 2000, SQL),
    "If-None-Match": ('"', "W/", "\0", "*, *", '"a" "b"', "x" * 10_000, "\xe9", '"a", ' * 2000, SQL),
    "If-Modified-Since": ("nonsense", "Mon, 99 Nob 99999 00:00:00 GMT"),
    "If-Unmodified-Since": ("nonsense", "0"),
    "Idempotency-Key": ("", " ", "\0", "a\0b", "\xe9", "x" * 10_000, "a\nb", SQL, "%00", "🦔"),
    "Host": (
        "",
        " ",
        "a b",
        "[::1",
        "localhost:x",
        "localhost:99999",
        "x" * 10_000,
        "\xe9",
        "\0",
        "evil.example",
        "a@localhost",
    ),
    "X-Request-Id": ("", "\0", "x" * 10_000, "a\nb", "\xe9"),
    "X-Forwarded-Host": ("evil.example", "\0"),
    "X-Forwarded-Proto": ("nonsense", "\0"),
    "X-HTTP-Method-Override": ("DELETE", "\0"),
    "Origin": ("null", "\0", "https://[", "nonsense"),
    "Range": ("bytes=5-1", "bytes=-", "nonsense"),
    "Cookie": ("=;=;", "\0", "a" * 10_000, "sessionid=\xe9"),
    "Transfer-Encoding": ("nonsense",),
    "Expect": ("nonsense",),
}


def headers() -> Iterator[BadRequest]:
    """Yield calls with a header that is wrong."""
    calls = (
        ("GET", f"/api/projects/{PROJECT}/annotations/?limit=5", b""),
        ("GET", f"/api/projects/{PROJECT}/cohorts/?search=%ff%00&created_by_id=x", b""),
        ("GET", f"/api/organizations/{ACME}/roles/{ROLE}/", b""),
        ("POST", f"/api/projects/{PROJECT}/annotations/", b"content=x"),
        ("PATCH", f"/api/projects/{PROJECT}/annotations/{NOTE}/", b'{"content": "x"}'),
        ("DELETE", f"/api/organizations/{ACME}/roles/{ROLE}/", b""),
        ("NONSENSE", f"/api/projects/{PROJECT}/", b""),
    )
    for method, path, body in calls:
        for name, values in _HEAD.items():
            for value in values:
                yield BadRequest(f"{name}: {value[:40]!r}", method, path, body, headers={name: value})
