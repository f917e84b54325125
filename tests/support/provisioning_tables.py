"""The tables of core6/docs/provisioning.md, made from the schema: `python -m tests.support.provisioning_tables`."""

import json
from collections.abc import Iterator
from typing import Any, Final

from core6.settings import BASE_DIR

SCHEMA: Final[dict[str, Any]] = json.loads((BASE_DIR / "core6" / "provisioning" / "schema.json").read_text())
PARTS: Final[dict[str, Any]] = SCHEMA["$defs"]
_KINDS: Final = {"string": "text", "boolean": "true or false", "integer": "a number", "object": "a mapping"}
#: Lists of values that are too long for a table.
_LONG: Final = {"timezone": "a name of the IANA time zones", "scopes": "list of scopes"}


def keys() -> str:
    """Return a section for each mapping in the file: its heading, a sentence, and a table of its keys."""
    return "\n\n".join(_sections())


def _sections() -> Iterator[str]:
    yield _section("The file", SCHEMA)
    for name, part in _parts(SCHEMA):
        if part == "ProjectEntry":
            own, api = _fields_of_projects()
            yield _section(f"`{name}`", {**PARTS[part], "properties": own})
            heading = "### Fields of projects\n\nAs in the API, which describes and checks them."
            yield f"{heading}\n\n{_table({'properties': api})}"
        else:
            yield _section(f"`{name}`", PARTS[part])


def _parts(part: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of lists of mappings, with the names of what they hold, as deep as they go."""
    for name, each in part["properties"].items():
        for kind in (each, *each.get("anyOf", [])):
            held = kind.get("items", {}).get("$ref", "").rpartition("/")[2]
            if held.endswith(("Entry", "Record")):
                yield name, held
                yield from _parts(PARTS[held])


def _fields_of_projects() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keys that only the file has, and after them the fields of the API."""
    everything = list(PARTS["ProjectEntry"]["properties"].items())
    own = [name for name, _ in everything].index("annotations") + 1
    return dict(everything[:own]), dict(everything[own:])


def _section(title: str, part: dict[str, Any]) -> str:
    return f"### {title}\n\n{part['description']}\n\n{_table(part)}"


def _table(part: dict[str, Any]) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, each in part["properties"].items():
        default = "required" if name in part.get("required", ()) else "none"
        if "default" in each:
            default = f"`{json.dumps(each['default'])}`"
        meaning = " ".join(each["description"].split())
        rows.append(f"| `{name}` | {_LONG.get(name) or _kind(each)} | {default} | {meaning} |")
    return "\n".join(rows)


def _kind(each: dict[str, Any]) -> str:
    if "enum" in each:
        return ", ".join("null" if value is None else f"`{value}`" for value in each["enum"] if value != "")
    if "$ref" in each:
        return "a mapping"
    if "anyOf" in each:
        return " or ".join(_kind(kind) for kind in each["anyOf"])
    kinds = each.get("type", "any JSON")
    return " or ".join(_simple_kind(kind, each) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _simple_kind(kind: str, each: dict[str, Any]) -> str:
    if kind == "string" and "maxLength" in each:
        return f"text of at most {each['maxLength']} characters"
    if kind == "array":
        item = _kind(each["items"]).replace("a mapping", "mappings")
        return f"list of ({item})" if " or " in item else f"list of {item}"
    if kind == "object" and isinstance(each.get("additionalProperties"), dict) and each["additionalProperties"]:
        return f"a mapping to {_kind(each['additionalProperties'])}"
    return _KINDS.get(kind, kind)


if __name__ == "__main__":
    print(keys())  # noqa: T201  # for the page
