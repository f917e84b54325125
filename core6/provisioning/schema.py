"""The JSON Schema of a provisioning file, by which editors complete and check it."""

from copy import deepcopy
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from core6.api.openapi.api_schema import api_schema
from core6.provisioning.entries import World
from core6.provisioning.records import RECORDS
from projects.models import Project

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PROJECT: Final = "PatchedProjectBackwardCompatRequest"


def json_schema() -> dict[str, Any]:
    """Return the schema, made from the types of the file and, for the fields of projects, from the serializer."""
    schema = World.model_json_schema(schema_generator=_WithoutTitles)
    parts = schema["$defs"]
    project = parts["ProjectEntry"]
    project["properties"] |= {name: each for name, each in project_fields().items() if name != "name"}
    project["additionalProperties"] = False
    for name, record in RECORDS.items():
        records, path = project["properties"][name]["anyOf"]
        records["items"] = {"$ref": f"#/$defs/{record.__name__}"}
        path["description"] = "The path of an NDJSON file, relative to this file."
        parts[record.__name__] = record.model_json_schema(schema_generator=_WithoutTitles)
    # In a file, the name of a cohort is as good as its id.
    parts["CohortFilter"]["properties"]["value"] = {"type": ["integer", "string"]}
    for part in parts.values():
        del part["title"]
        if "const" in part["properties"].get("type", {}):
            part["required"] = ["type", *(name for name in part["required"] if name != "type")]
    return {**schema, "$schema": _DIALECT, "title": "Core6 provisioning file"}


def project_fields() -> dict[str, Any]:
    """Return the schemas of the writable fields of a project, by their names."""
    components = deepcopy(api_schema()["components"]["schemas"])
    fields = {name: _as_json_schema(each, components) for name, each in components[_PROJECT]["properties"].items()}
    fields["primary_dashboard"] = {
        "type": ["string", "integer", "null"],
        "description": "Name or ID of the primary dashboard. If absent, a new one is made.",
    }
    fields["test_account_filters"]["description"] += " If absent, they are made for the domain of the members."
    new = Project()
    for name in fields.keys() - {"name", "primary_dashboard", "test_account_filters"}:
        fields[name]["default"] = getattr(new, name)
    return fields


def _as_json_schema(part: Any, components: dict[str, Any]) -> Any:
    """Return a part of an OpenAPI 3.0 schema as JSON Schema: without references, and with null as a type or a value."""
    if isinstance(part, list):
        return [_as_json_schema(each, components) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _as_json_schema(components[part["$ref"].rpartition("/")[2]], components)
    made = {key: _as_json_schema(value, components) for key, value in part.items()}
    is_nullable = made.pop("nullable", False)
    # Spectacular writes a field with choices so.
    if enums := [*made.pop("allOf", []), *made.pop("oneOf", [])]:
        values = [value for enum in enums for value in enum["enum"]]
        return {"enum": [*values, *([None] if is_nullable else [])], "description": made["description"]}
    if is_nullable and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out titles, which only repeat the names of properties."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
