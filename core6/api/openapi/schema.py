"""The OpenAPI schema: the real service's operationIds (D21), and our texts, scopes, errors and samples."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from core6.api.errors import ErrorSerializer
from core6.api.openapi.samples import HOST, samples
from core6.api.viewsets import ScopedViewSet
from core6.api.writes import HardDeleteForbidden
from core6.terminal.sizes import limit

_ORDINARY = ("list", "create", "retrieve", "update", "partial_update", "destroy")
_VERBS = {
    "GET": "retrieve",
    "POST": "create",
    "PUT": "update",
    "PATCH": "partial_update",
    "DELETE": "destroy",
}
#: Resources below an organization also have its tag.
_TAGS = {
    "organizations_projects": ["organizations", "projects"],
    "roles": ["organizations", "roles"],
    "role_memberships": ["organizations", "role_memberships"],
    "members": ["organizations", "members"],
}
_INTEGER, _NUMBER, _UUID, _STRING = (
    {"type": "integer"},
    {"type": "integer", "format": "int64"},
    {"type": "string", "format": "uuid"},
    {"type": "string"},
)
_PARAMETERS: Final[Mapping[str, tuple[dict[str, str], str]]] = {
    "organization_id": (_UUID, "ID of the organization. Use `@current` for your current organization."),
    "project_id": (
        _STRING,
        "Project ID of the project you're trying to access. To find the ID, make a call to /api/projects/.",
    ),
    "role_id": (_UUID, "ID of the role."),
}
_IDS: Final = {
    "projects": (_NUMBER, "ID of the project. Use `@current` for your current project."),
    "organizations_projects": (_NUMBER, "ID of the project. Use `@current` for your current project."),
    "annotations": (_INTEGER, "ID of the annotation."),
    "cohorts": (_INTEGER, "ID of the cohort."),
    "roles": (_UUID, "ID of the role."),
    "role_memberships": (_UUID, "ID of the role membership."),
    "organizations": (_UUID, "ID of the organization. Use `@current` for your current organization."),
}
#: An alias of `/api/projects/`, with its own tag (D73).
ENVIRONMENTS: Final = "/api/environments/"
_ERRORS: Final = {
    400: "The request is malformed or a value is invalid. `attr` is the name of the field.",
    401: "The API key is missing or invalid.",
    403: "The API key or the access level of its owner is not sufficient. `detail` names what is missing.",
    404: "The object does not exist or is not visible to the caller.",
    409: "A request with the same `Idempotency-Key` is still being processed.",
    412: "The object has changed since it was read: it does not match `If-Match`.",
    413: f"The body is larger than {limit(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)}.",
    415: "The content type of the body is not supported. Send JSON or a form.",
    422: "The `Idempotency-Key` was already used for a different request.",
    429: "Too many requests. `Retry-After` is the number of seconds to wait.",
    503: "The database is not available. `Retry-After` is the number of seconds to wait.",
}
#: An enum value in a description whose text repeats the value, such as "* `b2b` - B2B".
_NAMES_ITSELF: Final = re.compile(r"^\* `([^`]*)` - \1\n?", re.MULTILINE | re.IGNORECASE)


class OperationSchema(AutoSchema):
    """Generates operationIds such as `annotations_list` with tag `annotations`, whatever the parent path is.

    Below environments it is `environments_annotations_list` with tag `environments`.
    """

    def get_operation_id(self) -> str:
        view = self._viewset
        prefix = "" if view.action in view.unprefixed_operations else f"{view.basename}_"
        if self._is_of_environments:
            prefix = f"environments_{prefix.removeprefix('projects_')}"
        return f"{prefix}{view.action}" if view.action in _ORDINARY else f"{prefix}{view.action}_{_VERBS[self.method]}"

    def get_tags(self) -> list[str]:
        basename = "environments" if self._is_of_environments else str(self._viewset.basename)
        return _TAGS.get(basename, [basename])

    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        """Return the operation; what all descriptions have is added here, after `extend_schema`."""
        operation: dict[str, Any] | None = super().get_operation(*args)
        if operation is not None:
            operation["description"] = self._described(operation["description"])
        return operation

    def _described(self, text: str) -> str:
        needed = " and ".join(f"`{scope}`" for scope in self._viewset.required_scopes())
        if self._is_of_environments:
            text += " The same as the operation under `/api/projects/`."
        return f"{text}\n\nRequires the API key scope {needed}." if needed else text

    def get_auth(self) -> list[dict[str, list[str]]]:
        needed = list(self._viewset.required_scopes())
        return [{name: needed for name in scheme} for scheme in super().get_auth()]  # noqa: C420  # a list each

    def get_extensions(self) -> dict[str, Any]:
        return {"x-codeSamples": samples(self.method, self._sample_path, self._sample_body)}

    @property
    def _sample_body(self) -> Any:
        """The example of the operation, an empty body if it has none, None if it takes no body."""
        if self.method not in ("POST", "PUT", "PATCH") or self.get_request_serializer() is None:
            return None
        examples = self.get_examples()
        return examples[0].value if examples else {}

    def map_parsers(self) -> list[Any]:
        """Return only JSON, although forms are accepted, too.

        With several content types of one component, clients made by openapi-python-client send the last or are invalid.
        """
        return ["application/json"]

    def get_response_serializers(self) -> Any:
        if self._viewset.action == "destroy" and isinstance(self._viewset, HardDeleteForbidden):
            return {405: OpenApiResponse(description="No response body")}
        return super().get_response_serializers()

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        declared = self.get_response_serializers()
        own = declared if isinstance(declared, dict) else {}
        for status in self._possible_errors:
            response = OpenApiResponse(own.get(status, ErrorSerializer), description=_ERRORS[status])
            # Errors are always JSON (D17).
            bodies[str(status)] = self._get_response_for_code(response, str(status), ["application/json"])  # type: ignore[no-untyped-call]
        return bodies

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        known = {**_PARAMETERS, "id": _IDS.get(str(self._viewset.basename), (_STRING, "ID of the object."))}
        return [
            {"in": "path", "name": name, "schema": known[name][0], "required": True, "description": known[name][1]}
            for name in variables
        ]

    @property
    def _possible_errors(self) -> list[int]:
        refuses_delete = self.method == "DELETE" and isinstance(self._viewset, HardDeleteForbidden)
        can_happen = {
            404: "{" in self.path,
            409: self.method == "POST",
            412: self.method in ("PUT", "PATCH", "DELETE") and not refuses_delete,
            413: self.method in ("POST", "PUT", "PATCH"),
            415: self.method in ("POST", "PUT", "PATCH"),
            422: self.method == "POST",
        }
        return [status for status in _ERRORS if can_happen.get(status, True)]

    @property
    def _sample_path(self) -> str:
        path = self.path.replace("{organization_id}", "@current").replace("{project_id}", "@current")
        if "projects" in str(self._viewset.basename):
            path = path.replace("{id}", "@current")
        return path.replace("{role_id}", "<ROLE_ID>").replace("{id}", "<ID>")

    @property
    def _is_of_environments(self) -> bool:
        return bool(self.path.startswith(ENVIRONMENTS))

    @property
    def _viewset(self) -> ScopedViewSet[Any]:
        return cast("ScopedViewSet[Any]", self.view)


def without_gaps(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Replace NullEnum by `nullable`, since client generators fail on it, and describe successful responses."""
    for path in result["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                response["description"] = response["description"] or "Success."
    schemas = result["components"]["schemas"]
    _files_by_forms(result["paths"], schemas)
    _describe_plainly(schemas)
    null = {"$ref": "#/components/schemas/NullEnum"}
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if null in field.get("oneOf", []):
                field["nullable"] = True
                field["oneOf"].remove(null)
    schemas.pop("NullEnum", None)
    return result


def with_host(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the host of the samples to `servers`; `/api/schema/` replaces it by that of the request."""
    return {**result, "servers": [{"url": HOST}]}


def _describe_plainly(schemas: dict[str, Any]) -> None:
    """Remove enum values that only repeat themselves from descriptions, and all titles, which repeat field names."""
    for schema in schemas.values():
        for described in (schema, *schema.get("properties", {}).values()):
            described.pop("title", None)
            text = _NAMES_ITSELF.sub("", described.pop("description", "")).rstrip()
            if text:
                described["description"] = text


def _files_by_forms(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Remove files from the components of JSON bodies, and add a form body to each operation that has them."""
    contents = [
        each["requestBody"]["content"] for path in paths.values() for each in path.values() if "requestBody" in each
    ]
    for name, component in schemas.items():
        fields = component.get("properties", {})
        plain = {field: schema for field, schema in fields.items() if schema.get("format") != "binary"}
        if plain != fields:
            component["properties"] = plain
            for content in contents:
                if content["application/json"]["schema"].get("$ref") == f"#/components/schemas/{name}":
                    content["multipart/form-data"] = {"schema": {"type": "object", "properties": fields}}
