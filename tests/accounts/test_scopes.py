import pytest

from core6.accounts import scopes


@pytest.mark.parametrize(
    "scope", ["*", "annotation:read", "annotation:write", "organization:read", "activity_log:read"]
)
def test_a_known_scope_is_valid(scope: str):
    assert scopes.is_valid(scope)


@pytest.mark.parametrize(
    "scope",
    ["", "annotation", "annotation:", ":read", "annotation:admin", "nonsense:read", "*:read", "Annotation:read"],
)
def test_an_unknown_scope_is_not_valid(scope: str):
    assert not scopes.is_valid(scope)


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("GET", "cohort:read"),
        ("HEAD", "cohort:read"),
        ("OPTIONS", "cohort:read"),
        ("POST", "cohort:write"),
        ("PUT", "cohort:write"),
        ("PATCH", "cohort:write"),
        ("DELETE", "cohort:write"),
    ],
)
def test_what_a_method_requires(method: str, scope: str):
    assert scopes.required("cohort", method) == scope


@pytest.mark.parametrize(
    ("held", "scope", "granted"),
    [
        (["cohort:read"], "cohort:read", True),
        (["cohort:write"], "cohort:read", True),
        (["cohort:write"], "cohort:write", True),
        (["*"], "cohort:write", True),
        (["person:read", "*"], "cohort:read", True),
        (["cohort:read"], "cohort:write", False),
        (["person:write"], "cohort:read", False),
        ([], "cohort:read", False),
        (None, "cohort:read", False),
    ],
)
def test_what_a_key_grants(held: list[str] | None, scope: str, granted: bool):
    assert scopes.grants(held, scope) is granted
