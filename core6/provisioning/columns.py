"""Types of values in the file that are validated by a field of a model, with the messages and limits of that."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core6.provisioning.errors import Flaw, with_suggestion

#: The type of an error that stands for several; see `several`.
SEVERAL = "several"


def several(flaws: Iterable[Flaw]) -> PydanticCustomError:
    """Return one error for several, whose locations are relative to the validated value."""
    return PydanticCustomError(SEVERAL, "several errors", {"flaws": tuple(flaws)})


class Column:
    """Annotates a type: its values are those of a field of a model. The database is not used."""

    def __init__(self, model: type[models.Model], name: str) -> None:
        self._field: Any = model._meta.get_field(name)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        texts = [part for part in described.get("anyOf", [described]) if part.get("type") == "string"]
        for text in texts:
            if self._field.choices:
                text["enum"] = self._choices
                continue
            if self._field.max_length:
                text["maxLength"] = self._field.max_length
            if not self._field.blank:
                text["minLength"] = 1
        return described

    @property
    def _choices(self) -> list[str]:
        return [str(value) for value, _ in self._field.choices or ()]

    def _check(self, value: Any) -> Any:
        if self._field.blank and value in self._field.empty_values:
            return value
        try:
            self._field.clean(value, None)
        except ValidationError as error:
            messages = [with_suggestion(message, value, self._choices) for message in error.messages]
            raise several(Flaw((), message) for message in messages) from error
        except RecursionError as error:
            raise several([Flaw((), "is nested too deeply")]) from error
        return value
