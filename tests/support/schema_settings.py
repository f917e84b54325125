"""How `make schema` writes tests/openapi.yml: without environments, which are projects by another name (D73)."""

from typing import Any

from core6.api.openapi.schema import ENVIRONMENTS


def without_environments(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    return [each for each in endpoints if not each[0].startswith(ENVIRONMENTS)]


SETTINGS = {"PREPROCESSING_HOOKS": ["tests.support.schema_settings.without_environments"]}
