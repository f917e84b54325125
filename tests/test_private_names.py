"""Tests use the server's modules, and each other's, by public names alone: what is private may change freely."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core6.settings import BASE_DIR

PACKAGES = ("annotations", "cohorts", "core6", "projects", "roles", "tests")
#: Attributes of Django and Python: models' and managers' documented ones, and what has no public name.
FOREIGN = {
    *("_meta", "_default_manager", "_base_manager"),
    *("_registry", "_connections", "_alias", "_option_string_actions"),
}
#: Functions whose arguments name an attribute, such as `monkeypatch.setattr(module, "name", value)`.
BY_NAME = {"setattr", "delattr", "getattr", "hasattr", "object"}
_PACKAGE = rf"\b(?:{'|'.join(PACKAGES)})\b[\w.]*"
#: Private names in texts: `monkeypatch.setattr("core6.jobs._x", …)`, and code that another process runs.
IN_TEXT = re.compile(rf"{_PACKAGE}[.:](_(?!_)\w+)|from {_PACKAGE} import [\w, ]*\b(_(?!_)\w+)")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in FOREIGN


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each private name of our packages that a module uses and does not own."""
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in PACKAGES):
            found = [*(node.module or "").split("."), *(each.name for each in node.names)]
        elif isinstance(node, ast.Import):
            found = [
                part for each in node.names if each.name.split(".")[0] in PACKAGES for part in each.name.split(".")
            ]
        elif isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            found = [] if is_own else [node.attr]
        elif isinstance(node, ast.Call) and called(node) in BY_NAME:
            found = [str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = [name for groups in IN_TEXT.findall(node.value) for name in groups]
        for name in filter(is_private, found):
            yield getattr(node, "lineno", 0), name


def test_no_test_uses_a_private_name():
    found = [
        f"{file.relative_to(BASE_DIR)}:{line}: {name}"
        for file in sorted((BASE_DIR / "tests").rglob("*.py"))
        if file != Path(__file__)
        for line, name in names(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "from core6.jobs import _x",
        "from core6._jobs import x",
        "from .support import _x",
        "from tests.conftest import x, _x",
        "import core6._x",
        "jobs._x",
        "Command()._x(1)",
        "jobs._x = 1",
        "monkeypatch.setattr(jobs, '_x', 1)",
        "mock.patch.object(jobs, '_x')",
        "getattr(jobs, '_x')",
        "monkeypatch.setattr('core6.jobs._x', 1)",
        "run('from core6.jobs import enqueue, _x')",
        "run(f'import core6.jobs; core6.jobs._x({1})')",
    ],
)
def test_the_search_finds_each_way_to_use_a_private_name(code: str):
    assert [name.strip("_") for _, name in names(ast.parse(code))] in (["x"], ["jobs"])


@pytest.mark.parametrize(
    "code",
    [
        "from core6.jobs import enqueue",
        "from django.db import _x",
        "class A:\n    def a(self):\n        return self._x",
        "Cohort._meta.pk",
        "post({'_create_in_folder': 'x'})",
        "getattr(row, name)",
        "import_module('core6.jobs').__name__",
        "_x = 1",
    ],
)
def test_the_search_leaves_other_names_alone(code: str):
    assert list(names(ast.parse(code))) == []
