"""What 10 MB of anything cost: processor seconds and memory of the one web process, for each request (a table)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.serving import LIGHT, Serve, serving, started_place

MB: Final = 2**20
SIZE: Final = 10 * 1000 * 1000
MULTIPART = "multipart/form-data; boundary=edge"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
#: Seconds and MB that a request may cost: without a valid key, and with one.
TO_STRANGERS, TO_CALLERS = (0.5, 60), (1.0, 200)


def repeated(start: str, part: str, end: str) -> bytes:
    count = (SIZE - len(start) - len(end)) // len(part)
    return (start + part * count + end).encode()


def numbered(start: str, part: Callable[[int], str], end: str, most: int = SIZE) -> bytes:
    pieces, size, number = [start], 0, 0
    while size < SIZE - 100 and number < most:
        pieces.append(part(number))
        size += len(pieces[-1])
        number += 1
    return ("".join(pieces)[:-1] + end).encode()


CRITERIA: Final = '{"filters": {"properties": {"type": "OR", "values": ['
LEAF: Final = '{"type":"person","key":"a",'
PERSON: Final = "0195a0c0-0000-7000-8000-000000000001"


def filters(leaf: str) -> bytes:
    return repeated(CRITERIA, leaf + ",", leaf + "]}}}")


def filled(body: bytes) -> bytes:
    return body + b" " * (SIZE - len(body))


def conditions(count: int) -> bytes:
    leaf = LEAF + '"value":"' + "x" * 120 + '","operator":"exact"}'
    return (CRITERIA + (leaf + ",") * (count - 1) + leaf + "]}}}").encode()


VALUES: Final = b'"abcdefgh",' * 90_000 + b'"a"]}]}}}'
#: Of each kind what makes the body, and its content type.
BODIES: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "lists": (lambda: repeated("[", "[],", "[]]"), JSON),
    "objects": (lambda: repeated("[", "{},", "{}]"), JSON),
    "lists in a known field": (lambda: repeated('{"app_urls": [', "[],", "[]]}"), JSON),
    "200,000 lists and a text": (lambda: b"[" + b"[]," * 199_998 + b'"' + b"x" * (SIZE - 700_000) + b'"]', JSON),
    "depth": (lambda: b"[" * (SIZE // 2) + b"]" * (SIZE // 2), JSON),
    "numbers": (lambda: repeated("[", "1,", "1]"), JSON),
    "fractions": (lambda: repeated("[", "1.5,", "1.5]"), JSON),
    "one number": (lambda: b"[" + b"9" * (SIZE - 2) + b"]", JSON),
    "one fraction": (lambda: b"[1." + b"9" * (SIZE - 4) + b"]", JSON),
    "texts": (lambda: repeated("[", '"ab",', '"ab"]'), JSON),
    "texts in a known field": (lambda: repeated('{"app_urls": [', '"ab",', '"ab"]}'), JSON),
    "one text": (lambda: b'{"content": "' + b"x" * (SIZE - 20) + b'"}', JSON),
    "escapes": (lambda: repeated('{"content": "', "\\u20ac", '"}'), JSON),
    "many keys": (lambda: numbered("{", lambda number: f'"k{number}":1,', "}"), JSON),
    "one key many times": (lambda: repeated("{", '"a":1,', '"a":1}'), JSON),
    "blanks": (lambda: b" " * SIZE, JSON),
    "no JSON": (lambda: b"x" * SIZE, JSON),
    "leaves without anything": (lambda: filters("{}"), JSON),
    "numbers for leaves": (lambda: repeated(CRITERIA, "1,", "1]}}}"), JSON),
    "as many numbers for leaves": (lambda: filled(CRITERIA.encode() + b"1," * 499_000 + b"1]}}}"), JSON),
    "leaves": (lambda: filters(LEAF + '"value":"b","operator":"exact"}'), JSON),
    "one long value": (lambda: filters(LEAF + '"operator":"exact","value":"' + "x" * 9_000_000 + '"}'), JSON),
    "one long operator": (lambda: filters(LEAF + '"value":1,"operator":"' + "x" * 4_900_000 + '"}'), JSON),
    "a list of values": (lambda: repeated(CRITERIA + LEAF + '"value":[', '"ab",', '"ab"]}]}}}'), JSON),
    "person ids": (lambda: repeated('{"_create_static_person_ids": [', f'"{PERSON}",', '"x"]}'), JSON),
    "a setting of lists": (lambda: repeated('{"session_recording_linked_flag": {"a": [', "[],", "[]]}}"), JSON),
    "a setting of numbers": (lambda: repeated('{"session_recording_linked_flag": {"a": [', "1,", "1]}}"), JSON),
    "fields of a form": (lambda: repeated("", "a=1&", "a=1"), FORM),
    "one field of a form": (lambda: b"content=" + b"x" * (SIZE - 8), FORM),
    "escapes of a form": (lambda: repeated("content=", "%20", ""), FORM),
    "a form without a name": (lambda: b"&" * SIZE, FORM),
    "fields of a multipart form": (
        lambda: repeated("", '--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n', "--edge--\r\n"),
        MULTIPART,
    ),
    "ends of a multipart form": (
        lambda: repeated("", "--edge\r\n", "--edge--\r\n"),
        MULTIPART,
    ),
    "a file": (
        lambda: (
            b'--edge\r\nContent-Disposition: form-data; name="csv"; filename="a.csv"\r\n\r\n'
            + repeated("distinct_id\n", "abcdefgh\n", "x\r\n--edge--\r\n")
        ),
        MULTIPART,
    ),
    "a file of one line": (
        lambda: (
            b'--edge\r\nContent-Disposition: form-data; name="csv"; filename="a.csv"\r\n\r\n'
            + b"x" * (SIZE - 200)
            + b"\r\n--edge--\r\n"
        ),
        MULTIPART,
    ),
    "another type": (lambda: b"x" * SIZE, "text/plain"),
    # As much as the limits let through.
    "as many fractions": (lambda: filled(b"[" + b"1.5," * 499_000 + b"1]"), JSON),
    "as many texts": (lambda: filled(b"[" + b'"abcdefghijkl",' * 499_000 + b"1]"), JSON),
    "as many keys": (lambda: filled(numbered("{", lambda number: f'"key number {number}":1,', "}", 499_000)), JSON),
    "as many lists": (lambda: filled(b'{"a":[' + b"[1]," * 199_000 + b"1]}"), JSON),
    "as many leaves": (lambda: filled(conditions(5000)), JSON),
    "as long a list of values": (
        lambda: filled(f'{CRITERIA}{LEAF}"operator":"exact","value":['.encode() + VALUES),
        JSON,
    ),
    "as large settings": (lambda: filled(b'{"survey_config": {"a": [' + b"[]," * 80_000 + b"1]}}"), JSON),
    "as many escapes of a form": (lambda: b"content=" + b"%20" * 499_000 + b"x" * (SIZE - 1_500_000), FORM),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with started_place() as directory, serving(directory, *LIGHT) as server:
        yield server


def worker(server: Serve) -> psutil.Process:
    """Return the one process that answers."""
    return next(process for process in server.web_processes() if not process.children())


class Cost:
    """The processor seconds and the additional memory that a process takes while something happens."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._is_over = process, threading.Event()
        # The kernel's own note of the most; "5" makes it begin anew.
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        self._memory, self._cpu = self._status("VmRSS"), self._seconds()

    def _seconds(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name)) // 1024

    def read(self) -> tuple[float, int]:
        return self._seconds() - self._cpu, self._status("VmHWM") - self._memory


def send(server: Serve, method: str, path: str, body: bytes, content_type: str, key: str | None) -> int:
    headers = {"Content-Type": content_type, **({"Authorization": f"Bearer {key}"} if key else {})}
    with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def addresses(server: Serve) -> list[tuple[str, str]]:
    project = server.path()
    return [("POST", server.annotations), ("POST", f"{project}cohorts/"), ("PATCH", project)]


def excess(server: Serve, kind: str, key: str | None, allowed: tuple[float, int]) -> list[str]:
    make, content_type = BODIES[kind]
    body, found = make(), []
    # What a stranger sends is parsed nowhere.
    for method, path in addresses(server)[: None if allowed == TO_CALLERS else 1]:
        cost = Cost(worker(server))
        status = send(server, method, path, body, content_type, key)
        seconds, megabytes = cost.read()
        row = f"{kind:28} {method:5} {path:32} {status}  {seconds:5.2f} s {megabytes:5} MB"
        print(row)
        if status >= 500 or seconds > allowed[0] or megabytes > allowed[1]:
            found.append(row)
        if not key or "unknown" in key:
            assert status == 401, row
    return found


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_of_a_stranger_costs_no_more_than_its_limits(server: Serve, kind: str):
    assert excess(server, kind, None, TO_STRANGERS) == []
    assert excess(server, kind, "phx_unknown", TO_STRANGERS) == []


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.whole
def test_a_body_of_a_caller_costs_no_more_than_its_limits(server: Serve, kind: str):
    assert excess(server, kind, server.printed("API key"), TO_CALLERS) == []


def test_the_bodies_are_what_they_are_called():
    for kind, (make, _) in BODIES.items():
        assert 0.45 * SIZE < len(make()) <= SIZE * 1.05, kind


@pytest.mark.parametrize("kind", ["one text", "as many texts"])
@pytest.mark.parametrize("key", ["unknown", "valid"])
@pytest.mark.whole
def test_what_was_answered_leaves_no_memory(server: Serve, kind: str, key: str):
    make, content_type = BODIES[kind]
    body, given = make(), server.printed("API key") if key == "valid" else "phx_unknown"
    send(server, "POST", server.annotations, body, content_type, given)
    before = worker(server).memory_info().rss
    for _ in range(20):
        send(server, "POST", server.annotations, body, content_type, given)
    assert worker(server).memory_info().rss - before < 60 * MB
