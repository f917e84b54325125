"""The schema that the code declares, made once for all tests that only read it."""

from typing import Any, Final

from drf_spectacular.generators import SchemaGenerator

SCHEMA: Final[dict[str, Any]] = SchemaGenerator().get_schema(request=None, public=True)
