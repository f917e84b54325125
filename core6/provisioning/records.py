"""The records of persons and events, for the JSON Schema. They are validated while loading, by core6.analytics."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core6.analytics.records import LONGEST_NAME

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
#: How a time is written.
TIME = "in ISO 8601, or so long before now as `-12h` or `-3d` (units `h`, `d`, `w`, `m`, `y`)"


class Record(BaseModel):
    """A record of a list or of an NDJSON file."""

    model_config = ConfigDict(extra="forbid")


class PersonRecord(Record):
    """A person, found by distinct id or by `uuid`."""

    distinct_ids: list[Name] = Field(min_length=1, description="The ids of the person in events.")
    properties: dict[str, Any] = Field({}, description="Replaces the properties of a stored person, if given.")
    created_at: str = Field(
        default_factory=str,
        description=f"When the person was first seen, {TIME}; the latter counts for a new person only. If absent, now.",
    )
    uuid: str = Field(default_factory=str, description="The id of the person in the API. Generated if absent.")
    is_identified: bool = Field(False, description="Whether the person is identified.")


class EventRecord(Record):
    """An event, found by `uuid`; a `distinct_id` without a person becomes one."""

    distinct_id: Name = Field(description="A distinct id of the person who did it.")
    event: Name = Field(description="The name of the event.")
    timestamp: str = Field(description=f"When it happened, {TIME}.")
    properties: dict[str, Any] = Field({}, description="The properties of the event.")
    uuid: str = Field(
        default_factory=str,
        description="The id of the event. If absent, it is derived from its content and its position.",
    )


#: By the property of a project that has the records.
RECORDS: Final[dict[str, type[Record]]] = {"persons": PersonRecord, "events": EventRecord}


def _is_a_list_or_a_path(value: Any) -> Any:
    if not isinstance(value, list | str):
        raise ValueError("expected a list, or the path of an NDJSON file")  # noqa: TRY004  # as pydantic requires
    return value


#: Records, or the path of a file of records.
Records = Annotated[list[Any] | str, BeforeValidator(_is_a_list_or_a_path)]
