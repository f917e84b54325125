"""Secrets in texts for people: keys, tokens, passwords, and rows that Postgres tells, masked wherever they stand."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

#: A key, or a token of a project. What stands before may be a part of something else, such as `%3D` or `\n`.
KEY: Final = re.compile(r"(ph[xcs]_|(?<![A-Za-z])ph[a-z]_)[\w-]{6,}", re.IGNORECASE)
#: The user and the password of an address.
ADDRESS: Final = re.compile(r"(\w://)[^\s/]*@")
_BEARER: Final = re.compile(r"(\bBearer\s+)[^\s\"',]+", re.IGNORECASE)
_SECRET: Final = re.compile(r"passw(?:or)?d|secret|token|api_?key|authorization", re.IGNORECASE)
#: `name=value` of query strings and of DSNs, `"name": "value"` of JSON and of Python.
_PAIR: Final = re.compile(
    rf"((?:{_SECRET.pattern})[\w-]{{0,40}}(?:=|\\*[\"']\s*:\s*\\*))"
    r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s&;,'\")}\]]+)",
    re.IGNORECASE,
)
#: The row that Postgres tells when it refuses one, to the end of its line; in the text of a text that is `\n`.
_ROW: Final = re.compile(
    r"(Failing row contains )\(.*?(?:\)\.(?=$|\\n|[\"'](?:[,)\]}]|$))|\Z)", re.DOTALL | re.MULTILINE
)
_MASKS: Final = (
    *((pattern, r"\1…") for pattern in (_ROW, _BEARER, _PAIR, KEY)),
    (ADDRESS, r"\1…@"),
)
#: Without one of these there is nothing to mask.
_SIGN: Final = re.compile(rf"ph[a-z]_[\w-]|Bearer|{_SECRET.pattern}|://|Failing row", re.IGNORECASE)


def masked(text: str) -> str:
    """Return a text without its secrets: each is `…`, behind what tells of which kind it was."""
    if not _SIGN.search(text):
        return text
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def masked_value(value: Any) -> Any:
    """Return a value whose texts, however deep, are masked; what is neither JSON nor a collection becomes its text."""
    if isinstance(value, str):
        return masked(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        named = ((_name(str(name)), each) for name, each in value.items())
        return {name: "…" if is_secret and each else masked_value(each) for (name, is_secret), each in named}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked_value(each) for each in value]
    return masked(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


@lru_cache(1000)
def _name(name: str) -> tuple[str, bool]:
    """Return the name of a value as it may be told, and whether the value is secret by its name."""
    return masked(name), bool(_SECRET.search(name))
