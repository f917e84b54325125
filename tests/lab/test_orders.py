"""Orders of faults: what they say, what they refuse, and which requests meet them."""

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
    for fault in ({"path": "/a", "times": 2}, {"path": "/*"}, {"path": "*", "times": None}):
        faults.add({**fault, **CUT})
    assert [getattr(faults.take("GET", path, None), "id", None) for path in ("/b", "/a", "/a", "/a")] == [2, 1, 1, 3]
    assert faults.all() == [{"id": 3, "path": "*", "times": None, "cut": True}]
    faults.clear()
    assert faults.take("GET", "/a", None) is None


WRONG: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"path": "/a"}, None),
    ({**CUT, "delay_ms": 1}, "cut"),
    ({**CUT, "nonsense": 1}, "nonsense"),
    *(({"cut": value}, "cut") for value in (False, 1, "true")),
    *(({"delay_ms": value}, "delay_ms") for value in (0, -1, 600_001, "1", 1.5, True)),
    *(({"truncate_bytes": value}, "truncate_bytes") for value in (-1, "1", 2**40, False)),
    *(({**CUT, "times": value}, "times") for value in (0, -1, "2", 1.0, 10**9, True)),
    *(({**CUT, "method": value}, "method") for value in ("NONSENSE", "", 1, ["GET"])),
    *(({**CUT, "path": value}, "path") for value in ("", 1, [])),
    *(({**CUT, "key": value}, "key") for value in ("", 1)),
    *(({"answer": value}, "answer") for value in ("x", [], 503, {"nonsense": 1})),
    *(({"answer": {"status": value}}, "answer.status") for value in (None, 100, 199, 600, "200", True)),
    *(
        ({"answer": {"status": 200, "headers": value}}, "answer.headers")
        for value in ([], {"a": 1}, {"a": None}, {1: "a"}, {"": "a"}, {"a b": "c"}, {"a:": "c"}, {"ä": "a"})
    ),
    ({"answer": {"status": 200, "headers": {"a": "b\r\nSet-Cookie: c"}}}, "answer.headers"),
    ({"answer": {"status": 200, "headers": {"a\r\nb": "c"}}}, "answer.headers"),
    ({"answer": {"status": 200, "headers": {"a": "\udcff"}}}, "answer.headers"),
    ({"answer": {"status": 200, "headers": {"content-length": "1"}}}, "answer.headers.content-length"),
    ({"answer": {"status": 200, "headers": {"Transfer-Encoding": "x"}}}, "answer.headers.Transfer-Encoding"),
    *(({"answer": {"status": 200, "body": value}}, "answer.body") for value in (b"x", "\ud800", float("nan"), {1, 2})),
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
