"""The body of a request of an SDK, as the text that it stands for: forms, base64, gzip, lz-string."""

import base64
import binascii
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from core6.capture import lz_string
from core6.capture.refusals import Refused, too_large

_GZIP: Final = b"\x1f\x8b\x08"
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
#: The padding of lz-string has up to three signs.
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,3}")
#: The beginning of a payload by which base64 is recognized.
_LOOKED_AT: Final = 128
_HINTS: Final = {
    **dict.fromkeys(("gzip", "gzip-js"), "gzip"),
    **dict.fromkeys(("lz64", "lz-string"), "lz64"),
    **dict.fromkeys(("base64", "b64"), "base64"),
}


@dataclass(frozen=True)
class Received:
    """What was received: the body, `data` and `compression` of the query, and two headers."""

    body: bytes
    data: str = ""
    compression: str = ""
    content_type: str = ""
    content_encoding: str = ""


def decode(received: Received, *, largest: int, is_legacy: bool) -> str:
    """Return the text of a request; raises Refused.

    `largest` is a number of bytes, before and after it is decompressed. Paths before `/batch` are legacy: what is still
    base64 at the end is decoded once more, and never a third time (E14).
    """
    payload = _with_plus_signs(received.data) or received.body
    if not payload:
        raise Refused("request missing data payload")
    if len(payload) > largest:
        raise too_large(f"{len(payload)} bytes")
    hint = received.compression
    if _is_form(payload, received.content_type):
        payload, of_form = _fields_of(payload)
        hint = hint or of_form
        if not payload:
            raise Refused("request missing data payload")
    content = _decoded(payload, _HINTS.get((hint or received.content_encoding).strip().lower(), ""), largest)
    if is_legacy and _looks_like_base64(content):
        content = _decoded(content, "", largest)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Refused("failed to decode request: the body is no UTF-8") from error


def _is_form(payload: bytes, content_type: str) -> bool:
    if payload.startswith((b"data=", b"compression=")):
        return True
    # Python's own clients send JSON, and browsers gzip, under the content type of a form.
    is_data = payload[:1] in (b"{", b"[") or payload.startswith(_GZIP)
    return not is_data and (content_type.partition(";")[0].strip().lower() == _FORM_TYPE or b"&data=" in payload)


def _fields_of(payload: bytes) -> tuple[bytes, str]:
    """Return `data` and `compression` of a form; in base64 that was not escaped, plus signs are blanks by now."""
    try:
        fields = parse_qs(payload.decode(), max_num_fields=20)
    except ValueError as error:
        raise Refused("failed to decode request: the form cannot be read") from error
    return _with_plus_signs(fields.get("data", [""])[0]), fields.get("compression", [""])[0]


def _with_plus_signs(data: str) -> bytes:
    joined = data.replace(" ", "+").encode()
    return joined if _looks_like_base64(joined) else data.encode()


def _looks_like_base64(payload: bytes) -> bool:
    payload = payload.strip()
    return len(payload) % 4 == 0 and bool(_BASE64.fullmatch(payload[:_LOOKED_AT]))


def _decoded(payload: bytes, hint: str, largest: int) -> bytes:
    """Return what a payload stands for, by one round: from base64, and then decompressed."""
    # lz-string comes first: its text is base64, too.
    if hint == "lz64":
        return _lz(payload)
    if _looks_like_base64(payload):
        with suppress(binascii.Error):
            payload = base64.b64decode(payload.strip(), validate=True)
    if hint == "gzip" or payload.startswith(_GZIP):
        payload = _gunzipped(payload, largest)
    return payload


def _lz(payload: bytes) -> bytes:
    try:
        return lz_string.decompress(payload.decode().strip()).encode()
    except OverflowError as error:
        raise too_large("of lz-string") from error
    except ValueError as error:
        raise Refused("failed to decode request: the body is no lz-string") from error


def _gunzipped(payload: bytes, largest: int) -> bytes:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = reader.decompress(payload, largest + 1)
    except zlib.error as error:
        raise Refused("failed to decode request: the body is no gzip") from error
    if len(content) > largest:
        raise too_large(f"more than {largest} bytes, decompressed")
    if not reader.eof:
        raise Refused("failed to decode request: the gzip body ends too early")
    return content
