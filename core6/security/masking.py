"""Masks secrets: a key alone, and in texts keys, tokens, passwords, and rows in error messages of Postgres."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, overload

#: A key, or a token of a project. An escape such as `%3D` or `\n` may precede it.
_KEY: Final = re.compile(r"(ph[xcs]_|(?<![A-Za-z])ph[a-z]_)[\w-]{6,}", re.IGNORECASE)
#: The user and the password in a URL.
_ADDRESS: Final = re.compile(r"(\w://)[^\s/]*@")
_BEARER: Final = re.compile(r"(\bBearer\s+)[^\s\"',]+", re.IGNORECASE)
_SECRET: Final = re.compile(r"passw(?:or)?d|secret|token|api[_-]?key|authorization", re.IGNORECASE)
#: `name=value` of query strings and of DSNs, `"name": "value"` of JSON and of Python.
_PAIR: Final = re.compile(
    rf"((?:{_SECRET.pattern})[\w-]{{0,40}}(?:=|\\*[\"']\s*:\s*\\*))"
    # A quoted value may be cut off.
    r"(?:'(?:[^'\\]|\\.)*(?:'|\\?\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)|[^\s&;,'\")}\]]+)",
    re.IGNORECASE,
)
#: A part of a multipart form: the name in its head, its value up to the next boundary.
_PART: Final = re.compile(
    rf"(\bname=\"[^\"\r\n]*(?:{_SECRET.pattern})[^\"\r\n]*\"[^\r\n]*(?:\r\n[^\r\n]+)*\r\n\r\n).+?(?=\r\n--|\Z)",
    re.DOTALL | re.IGNORECASE,
)
#: The row in an error message of Postgres, up to the end of its line, which is `\n` in an escaped text.
_ROW: Final = re.compile(
    r"(Failing row contains )\(.*?(?:\)\.(?=$|\\n|[\"'](?:[,)\]}]|$))|\Z)", re.DOTALL | re.MULTILINE
)
_MASKS: Final = (
    *((pattern, r"\1…") for pattern in (_ROW, _BEARER, _PAIR, _PART, _KEY)),
    (_ADDRESS, r"\1…@"),
)
#: A quick check: a text without a match has no secrets.
_MAY_HAVE_SECRET: Final = re.compile(rf"ph[a-z]_[\w-]|Bearer|{_SECRET.pattern}|://|Failing row", re.IGNORECASE)


@overload
def mask_key(key: str) -> str: ...
@overload
def mask_key(key: None) -> None: ...
def mask_key(key: str | None) -> str | None:
    """Return the mask of a key or token, `phx_...abcd`; only asterisks for a short one, None without one."""
    if key is None:
        return None
    return f"{key[:4]}...{key[-4:]}" if len(key) >= 16 else "********"


def without_secrets(text: str, known: Iterable[str]) -> str:
    """Return a text with the known secrets, all keys and the users in URLs replaced by `***`, which shows no kind."""
    for secret in known:
        text = text.replace(secret, "***")
    return _ADDRESS.sub(r"\1***@", _KEY.sub("***", text))


def masked(text: str) -> str:
    """Return a text with each secret replaced by `…`, after a prefix that shows its kind."""
    if not _MAY_HAVE_SECRET.search(text):
        return text
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def masked_value(value: Any) -> Any:
    """Return a value with all texts in it masked; other values than JSON and collections become text."""
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
    """Return the masked name of a value, and whether its name marks the value as secret."""
    return masked(name), bool(_SECRET.search(name))
