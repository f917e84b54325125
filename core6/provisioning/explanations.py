"""The errors that pydantic finds, in sentences: where they are, what is wrong, and what was probably meant."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pydantic

from core6.provisioning.columns import SEVERAL
from core6.provisioning.errors import Flaw, with_suggestion

_QUOTED: Final = re.compile("'([^']*)'")
_EXPECTED: Final = {
    "string_type": "expected a text",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "expected a mapping"),
    "union_tag_not_found": "the property 'type' is required",
    "missing": "this property is required",
}


def explained(error: pydantic.ValidationError, properties: Mapping[str, Iterable[str]]) -> Iterator[Flaw]:
    """Yield each error.

    `properties` has the known properties of mappings, by the last key before them; that of the outermost is empty.
    """
    for each in error.errors():
        location = each["loc"]
        if each["type"] == SEVERAL:
            for flaw in each["ctx"]["flaws"]:
                yield flaw._replace(location=(*location, *flaw.location))
        else:
            yield Flaw(location, _message(each, properties))


def _message(error: Any, properties: Mapping[str, Iterable[str]]) -> str:
    match error["type"]:
        case "extra_forbidden":
            *before, name = error["loc"]
            holder = next((part for part in reversed(before) if isinstance(part, str)), "")
            return with_suggestion("unknown property", name, properties.get(holder, ()))
        case "union_tag_invalid":
            tag, expected = error["ctx"]["tag"], error["ctx"]["expected_tags"]
            return with_suggestion(f"{str(tag)[:100]!r} is none of {expected}", tag, _QUOTED.findall(expected))
        case "literal_error":
            return with_suggestion(error["msg"], error["input"], _QUOTED.findall(error["ctx"]["expected"]))
    return _EXPECTED.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
