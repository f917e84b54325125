"""The schema of the answers, closed: a key that it does not name is wrong, and so is one that is missing."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

#: Keys that an answer may lack, by their components.
OPTIONAL: Final = {"OnboardingError": {"error"}}
_FORMATS: Final = {"decimal": lambda text: re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII) is not None}
_COMPONENTS: Final = "#/components/schemas/"


def references(node: Any) -> Iterator[str]:
    """Yield the names of the components that a part of a schema refers to itself."""
    if isinstance(node, dict):
        if str(node.get("$ref", "")).startswith(_COMPONENTS):
            yield node["$ref"].removeprefix(_COMPONENTS)
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def components_of_answers(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the components that answers are made of."""
    schemas = schema["components"]["schemas"]
    waiting = [op["responses"] for path in schema["paths"].values() for op in path.values()]
    found: dict[str, Any] = {}
    while waiting:
        for name in references(waiting.pop()):
            if name not in found:
                found[name] = schemas[name]
                waiting.append(schemas[name])
    return found


def close_answers(schema: Mapping[str, Any]) -> None:
    """Close the components of answers in place; an object without `properties` may hold anything and stays open."""
    for name, component in components_of_answers(schema).items():
        if "properties" in component:
            component["required"] = sorted(component["properties"].keys() - OPTIONAL.get(name, set()))
            component["additionalProperties"] = False


def _plain(node: Any) -> Any:
    """Return a part of an OpenAPI 3.0 schema as JSON schema, where `null` is a type."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _plain(each) for name, each in node.items() if name != "nullable"}
    # Beside a property of this name it would be one.
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


class Answers:
    """The answers of a closed schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        close_answers(schema)
        self._paths = schema["paths"]
        self._components = {"schemas": _plain(schema["components"]["schemas"])}

    def declared(self, path: str, method: str, status: int) -> Mapping[str, Any]:
        """Return what is declared for a status, by the content types; empty where there is no content."""
        content: Mapping[str, Any] = self._paths[path][method.lower()]["responses"][str(status)].get("content", {})
        return {kind: each["schema"] for kind, each in content.items()}

    def problems(self, value: Any, schema: Any) -> list[str]:
        """Return what is wrong with an answer by its schema."""
        validator = Draft202012Validator(
            {**_plain(schema), "components": self._components}, validate_formats=True, formats=_FORMATS
        )
        return [f"{'.'.join(map(str, each.instance_path))}: {each.message}" for each in validator.iter_errors(value)]
