"""Orders of faults: what they say, what they refuse, and which requests meet them."""

from collections.abc import Iterator
from typing import Any

import pytest

from core6.lab.faults import Faults
from core6.lab.refusals import Refused

CUT = {"cut": True}
PATH = "/api/projects/"


def meets(fault: dict[str, Any], method: str = "GET", path: str = PATH, key: str | None = None) -> bool:
    faults = Faults()
    faults.add({**CUT, **fault})
    return faults.take(method, path, key) is not None


@pytest.mark.parametrize(
    ("glob", "path", "is_met"),
    [
        ("*", "/anything", True),
        ("/api/projects/", "/api/projects/", True),
        ("/api/projects", "/api/projects/", True),
        ("/api/projects/", "/api/projects", True),
        ("/api/projects/", "/api/projects/1/", False),
        ("/api/projects/*", "/api/projects/1/cohorts/2/", True),
        ("/api/projects/*/cohorts/", "/api/projects/1/cohorts/", True),
        ("/api/projects/*/cohorts/", "/api/projects/1/cohorts/2/", False),
        ("*/cohorts/?/", "/api/projects/1/cohorts/2/", True),
        ("*/cohorts/?/", "/api/projects/1/cohorts/22/", False),
        ("*/cohorts/[12]/", "/api/projects/1/cohorts/3/", False),
        ("/API/*", "/api/projects/", False),
        ("/api/projects/@current/", "/api/projects/%40current/", True),
        ("/api/projects/%40current/", "/api/projects/%40current", True),
    ],
)
def test_a_path_is_a_glob_with_or_without_the_final_slash(glob: str, path: str, is_met: bool):
    assert meets({"path": glob}, path=path) is is_met


def test_a_fault_is_for_one_method_and_one_key_or_for_all():
    assert meets({}, "DELETE", key="ci")
    assert meets({"method": "get"}, "GET")
    assert not meets({"method": "GET"}, "HEAD")
    assert meets({"key": "ci"}, key="ci")
    assert not meets({"key": "ci"}, key="other")
    assert not meets({"key": "ci"})


def test_the_first_fault_that_a_request_meets_is_taken_until_it_is_spent():
    faults = Faults()
    faults.add({"path": "/a", "times": 2, **CUT})
    faults.add({"path": "/*", **CUT})
    faults.add({"path": "*", "times": None, **CUT})
    assert [getattr(faults.take("GET", path, None), "id", None) for path in ("/b", "/a", "/a", "/a")] == [2, 1, 1, 3]
    assert faults.all() == [{"id": 3, "path": "*", "times": None, "cut": True}]
    faults.clear()
    assert faults.take("GET", "/a", None) is None


def wrong(name: str, *values: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield faults with each of these values."""
    for value in values:
        yield ({name: value} if name in KINDS else {**CUT, name: value}), name


def answers(name: str, *values: Any) -> Iterator[tuple[dict[str, Any], str]]:
    for value in values:
        yield {"answer": {"status": 200, name: value}}, f"answer.{name}"


KINDS = ("answer", "cut", "delay_ms", "truncate_bytes")
WRONG: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"path": "/a"}, None),
    ({**CUT, "delay_ms": 1}, "cut"),
    *wrong("nonsense", 1),
    *wrong("cut", False, 1, "true"),
    *wrong("delay_ms", 0, -1, 600_001, "1", 1.5, True),
    *wrong("truncate_bytes", -1, "1", 2**40, False),
    *wrong("times", 0, -1, "2", 1.0, 10**9, True),
    *wrong("method", "NONSENSE", "", 1, ["GET"]),
    *wrong("path", "", 1, []),
    *wrong("key", "", 1),
    *wrong("answer", "x", [], 503, {"nonsense": 1}),
    *answers("status", None, 100, 199, 600, "200", True),
    *answers("headers", [], {"a": 1}, {"a": None}, {1: "a"}, {"": "a"}, {"a b": "c"}, {"a:": "c"}, {"ä": "a"}),
    *answers("headers", {"a": "b\r\nSet-Cookie: c"}, {"a\r\nb": "c"}, {"a": "\udcff"}),
    ({"answer": {"status": 200, "headers": {"content-length": "1"}}}, "answer.headers.content-length"),
    ({"answer": {"status": 200, "headers": {"Transfer-Encoding": "x"}}}, "answer.headers.Transfer-Encoding"),
    *answers("body", b"x", "\ud800", float("nan"), {1, 2}),
]


@pytest.mark.parametrize(("fault", "attr"), WRONG, ids=str)
def test_a_fault_that_is_none_is_refused_by_the_name_of_what_is_wrong(fault: dict[str, Any], attr: str | None):
    faults = Faults()
    with pytest.raises(Refused) as caught:
        faults.add(fault)
    assert (caught.value.status, caught.value.attr) == (400, attr)
    assert faults.all() == []


def test_there_is_a_limit_of_faults():
    faults = Faults()
    for _ in range(1000):
        faults.add(CUT)
    with pytest.raises(Refused) as caught:
        faults.add(CUT)
    assert caught.value.status == 409
