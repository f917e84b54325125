"""Django and REST framework are used by the names that they document, so that a new release breaks nothing silently."""

import ast
from collections.abc import Iterator
from pathlib import Path

from core6.settings import BASE_DIR

LIBRARIES = ("django", "rest_framework", "django_filters", "drf_spectacular")
PACKAGES = ("annotations", "cohorts", "core6", "projects", "roles")
#: What Django has for itself: how querysets become SQL, and SQL becomes objects.
UNDOCUMENTED = {
    *("annotation_col_map", "get_compiler", "get_converters", "apply_converters", "get_related_populators"),
    *("klass_info", "sql_with_params", "where", "WhereNode", "_cached_user", "_prefetch_related_lookups"),
    *("_declared_fields", "_paginator", "_fields", "_result_cache", "_hints", "_db"),
}


def sources() -> list[Path]:
    return [file for name in PACKAGES for file in (BASE_DIR / name).rglob("*.py") if "migrations" not in file.parts]


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the lines and names that a module imports from the libraries, and the attributes that it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            for part in (*(node.module or "").split("."), *(each.name for each in node.names)):
                if part.startswith("_") or part in UNDOCUMENTED:
                    yield node.lineno, part
        elif isinstance(node, ast.Attribute) and node.attr in UNDOCUMENTED:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and node.value in UNDOCUMENTED and str(node.value).startswith("_"):
            yield node.lineno, str(node.value)


def test_nothing_undocumented_is_used():
    found = [
        f"{file.relative_to(BASE_DIR)}:{line}: {name}"
        for file in sources()
        for line, name in names(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_the_search_finds_what_it_is_for():
    text = (
        "from django.db.models.query import get_related_populators\nfrom rest_framework.utils import _x\nq.klass_info"
    )
    assert [line for line, _ in names(ast.parse(text))] == [1, 2, 3]
