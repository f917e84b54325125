"""The grammar of a cohort's filters: one type for each part of the JSON."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from cohorts.criteria.dates import Clock, moment
from core6.api.numbers import has_plain_digits

#: The validation context of stored JSON: missing keys are left to the calculation, which reports them itself.
STORED: Final = {"is_stored": True}
#: The validation context of filters made from the older `groups`: a condition without an operator means `exact`.
GROUPS: Final = {"is_of_groups": True}
#: The type of error whose message is already the complete API message.
MISSING_KEYS: Final = "missing_keys"
_WITHOUT_VALUE: Final = ("is_set", "is_not_set")
#: The operators that compare dates.
DATED: Final = ("is_date_before", "is_date_after")
# Keys that responses add to leaves, and that clients may send back.
_ANSWERED_KEYS: Final = frozenset({"bytecode", "conditionHash", "bytecode_error"})


def _plain(value: Any) -> Any:
    """Refuse the underscores that pydantic accepts in numbers, with its own error for text that is not a number."""
    if isinstance(value, str) and not has_plain_digits(value):
        raise PydanticKnownError("int_parsing")
    return value


Whole: TypeAlias = Annotated[int, BeforeValidator(_plain)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Leaf(_Strict):
    @model_validator(mode="before")
    @classmethod
    def _drop_answered_keys(cls, data: Any) -> Any:
        if isinstance(data, dict) and not _ANSWERED_KEYS.isdisjoint(data):
            return {key: value for key, value in data.items() if key not in _ANSWERED_KEYS}
        return data


class PersonFilter(_Leaf):
    """A condition on a person's property; no operator, as in filters made from `groups`, means `exact`."""

    type: Literal["person"] = "person"
    key: str
    operator: str | None = None
    value: Any = None
    negation: bool = False

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> "PersonFilter":
        if info.context == STORED:
            return self
        no_value = self.value is None and self.operator not in _WITHOUT_VALUE
        no_operator = self.operator is None and info.context != GROUPS
        missing = ["value"] * no_value + ["operator"] * no_operator
        if missing:
            message = f"Missing required keys for person filter: {', '.join(missing)}"
            raise PydanticCustomError(MISSING_KEYS, "{message}", {"message": message})
        if self.operator in DATED:
            self._check_dates()
        return self

    def _check_dates(self) -> None:
        for value in self.value if isinstance(self.value, list) else [self.value]:
            text = _text(value)
            try:
                moment(text, Clock(datetime.now(UTC)))
            except ValueError as error:
                raise ValueError(
                    f"Invalid date value '{text[:100]}' for operator '{self.operator}'. Expected a relative date"
                    " (e.g., '-7d', '30d') or an ISO 8601 date (e.g., '2024-01-15')."
                ) from error


def _text(value: Any) -> str:
    """Return the value as text for an error: pydantic does not accept lone surrogates."""
    try:
        return str(value).encode(errors="replace").decode()
    except ValueError:  # an integer of thousands of digits
        return type(value).__name__


class EventFilter(_Strict):
    """A condition on a property of the event, or of the clicked element."""

    type: Literal["event", "element"]
    key: str
    operator: str | None = None
    value: Any


class HogQLFilter(_Strict):
    """A condition on the event as a HogQL expression, in `key`."""

    type: Literal["hogql"]
    key: str
    value: Any = None


def _event_filter_tag(data: Any) -> str:
    kind = data.get("type") if isinstance(data, dict) else getattr(data, "type", None)
    return "hogql" if kind == "hogql" else "event"


class BehavioralFilter(_Leaf):
    """What a person did; `value` is the kind of behaviour, which determines the fields in use."""

    type: Literal["behavioral"] = "behavioral"
    key: str | int
    value: str
    event_type: str
    time_value: Whole | None = None
    time_interval: str | None = None
    explicit_datetime: str | None = None
    negation: bool = False
    operator: str | None = None
    operator_value: Whole | None = None
    seq_event: str | int | None = None
    seq_event_type: str | None = None
    seq_time_value: Whole | None = None
    seq_time_interval: str | None = None
    total_periods: Whole | None = None
    min_periods: Whole | None = None
    event_filters: (
        list[
            Annotated[
                Annotated[EventFilter, Tag("event")] | Annotated[HogQLFilter, Tag("hogql")],
                Discriminator(_event_filter_tag),
            ]
        ]
        | None
    ) = None
    explicit_datetime_to: str | None = None


class CohortFilter(_Leaf):
    """Membership of another cohort, whose id is `value`."""

    type: Literal["cohort"] = "cohort"
    key: Literal["id"]
    value: Whole
    negation: bool = False


Leaf: TypeAlias = PersonFilter | BehavioralFilter | CohortFilter


class Group(_Strict):
    """Criteria of which all or any must be met; there may be none."""

    type: Literal["AND", "OR"]
    # The error message lists the types in this order.
    values: "list[Annotated[BehavioralFilter | CohortFilter | PersonFilter | Group, Field(discriminator='type')]]"


Node: TypeAlias = Group | Leaf


class Criteria(_Strict):
    """The complete filters of a cohort."""

    properties: Group
