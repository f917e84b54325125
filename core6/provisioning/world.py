"""Reads a provisioning file: YAML or JSON to a validated World. The database is not used."""

import json
import math
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import count, islice
from typing import Any, Final, get_args

import pydantic
import yaml

from core6.provisioning.entries import World
from core6.provisioning.entry import Entry
from core6.provisioning.errors import Flaw, Location, WorldError, dotted
from core6.provisioning.explanations import explained

__all__ = ["InvalidWorld", "World", "WorldError", "parse", "read"]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MOST_REPEATED: Final = 100_000


class InvalidWorld(WorldError):
    """The file has errors; the rest of it, which may have further ones, is in `rest`, or None if nothing is left.

    `lost` has the names that are only in the invalid parts.
    """

    def __init__(self, *lines: str, rest: World | None, lost: Collection[str]) -> None:
        super().__init__(*lines)
        self.rest = rest
        self.lost = lost


def read(text: str) -> World:
    """Return the world in a YAML or JSON text; raises WorldError with a line for each error."""
    data = parse(text)
    data = {} if data is None else data
    found = list(_unstorable(data))
    reported = {flaw.location for flaw in found}
    world, more = _validated(data)
    found += [flaw for flaw in more if flaw.location not in reported]
    if world and not found:
        return world
    lines: list[str] = []
    invalid: set[Location] = set()
    # Again and again, since some rules are only checked where all parts are valid by themselves.
    while found:
        lines += [flaw.line for flaw in found]
        parts = {_smallest_part(flaw.location) for flaw in found}
        if () in parts or parts <= invalid:
            world = None
            break
        invalid |= parts
        world, more = _validated(_without(data, invalid))
        found = [flaw._replace(location=_original(flaw.location, invalid)) for flaw in more]
    if world:
        world.locate(invalid={dotted(location) for location in invalid})
    lost = {text for location in invalid for text in _texts(_part(data, location))}
    raise InvalidWorld(*dict.fromkeys(lines), rest=world, lost=lost)


def _validated(data: Any) -> tuple[World | None, list[Flaw]]:
    try:
        return World.model_validate(data), []
    except pydantic.ValidationError as error:
        return None, list(explained(error, _PROPERTIES))


def _entries_in(entry: type[Entry], key: str = "") -> Iterator[tuple[str, type[Entry]]]:
    """Yield the types of all mappings in the file, by the keys of the lists that hold them."""
    yield key, entry
    for name, field in entry.model_fields.items():
        for part in get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, Entry):
                yield from _entries_in(part, name)


_ENTRIES: Final = dict(_entries_in(World))
_PROPERTIES: Final = {key: tuple(entry.model_fields) for key, entry in _ENTRIES.items()}


def _smallest_part(location: Location) -> Location:
    """Return the location of the smallest part without which the rest of the file can be valid.

    That is a property of a mapping, or the mapping if it requires the property. Of a required list, and of texts by
    name, it is only a part.
    """
    end = 0
    while len(location) > end + 1 and location[end] in _ENTRIES and isinstance(location[end + 1], int):
        end += 2
    if len(location) == end:
        return location
    field = _ENTRIES[str(location[end - 2]) if end else ""].model_fields.get(str(location[end]))
    is_required = bool(field and field.is_required())
    if len(location) > end + 1 and (is_required or (field and field.annotation == dict[str, str])):
        return location[: end + 2]
    return location[:end] if is_required else location[: end + 1]


def _without(value: Any, invalid: Collection[Location], at: Location = ()) -> Any:
    """Return the file, or a part of it, without its invalid parts; the others are not copied."""
    if not any(location[: len(at)] == at for location in invalid):
        return value
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if (*at, key) not in invalid}
        return {key: _without(part, invalid, (*at, key)) for key, part in kept.items()}
    if isinstance(value, list):
        return [_without(part, invalid, (*at, i)) for i, part in enumerate(value) if (*at, i) not in invalid]
    return value


def _original(location: Location, invalid: Collection[Location]) -> Location:
    """Return the location in the file of a location in what is left without its invalid parts."""
    found: Location = ()
    for part in location:
        if isinstance(part, int):
            kept = (index for index in count() if (*found, index) not in invalid)
            found = (*found, next(islice(kept, part, None)))
        else:
            found = (*found, part)
    return found


def _part(data: Any, location: Location) -> Any:
    for key in location:
        data = data[key]
    return data


def _texts(value: Any) -> Iterator[str]:
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            rest += [*part, *part.values()]
        elif isinstance(part, list):
            rest += part


def parse(text: str) -> Any:
    """Return the values of a YAML or JSON text; raises WorldError with one line."""
    # JSON is YAML, but PyYAML decodes the surrogate pair of an emoji in JSON to two invalid characters.
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check_aliases(node)
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an invalid date is a ValueError
        # Not the error message, which may show a line with a key.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}: {error.problem}" if mark and isinstance(error, yaml.MarkedYAMLError) else ""
        raise WorldError(f"the file is neither YAML nor JSON{where}") from error


def _check_aliases(root: yaml.Node | None) -> None:
    """Refuse recursive aliases, and aliases that repeat too many values, before they are expanded."""
    seen: set[int] = set()
    repeated = 0
    rest = [] if root is None else [root]
    while rest:
        node = rest.pop()
        repeated += id(node) in seen
        if repeated > _MOST_REPEATED:
            raise WorldError(
                f"the file has aliases that contain themselves or repeat more than {_MOST_REPEATED:,} values"
            )
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            rest += node.value
        elif isinstance(node, yaml.MappingNode):
            rest += [part for pair in node.value for part in pair]


def _unstorable(data: Any) -> Iterator[Flaw]:
    """Yield the texts and numbers, at any depth, that the database cannot store."""
    rest: list[tuple[Location, Any]] = [((), data)]
    while rest:
        location, value = rest.pop()
        if isinstance(value, dict):
            rest += reversed([((*location, key), each) for key, each in value.items()])
            for key in value:
                if isinstance(key, str) and _UNSTORABLE.search(key):
                    message = f"the key {key!r} has a character that cannot be stored"
                    yield Flaw((*location, key), message, named=1)
        elif isinstance(value, list):
            rest += reversed([((*location, index), each) for index, each in enumerate(value)])
        elif isinstance(value, float) and not math.isfinite(value):
            yield Flaw(location, f"{value} is no number that can be stored")
        elif isinstance(value, str) and _UNSTORABLE.search(value):
            yield Flaw(location, "the text has a character that cannot be stored")
