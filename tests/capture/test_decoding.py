"""The text that a body stands for: the order of hints, and at most two rounds."""

import gzip
from typing import Any
from urllib.parse import quote

import pytest

from core6.capture.decoding import Received, decode
from core6.capture.refusals import Refused
from tests.support.capture.sending import FORM, as_base64, as_form, as_gzip

TEXT = '{"event": "visit", "name": "äö€😀", "sum": "a+b c"}'
PLAIN = TEXT.encode()
#: Its base64 has plus signs.
SIGNS = b'{"a": "\xe2\xbe\xbe>>>???~~~"}'
LARGEST = 10_000


def decoded(body: bytes = b"", *, is_legacy: bool = True, **given: Any) -> str:
    return decode(Received(body, **given), largest=LARGEST, is_legacy=is_legacy)


def refused(body: bytes = b"", **given: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        decoded(body, **given)
    return caught.value.status, caught.value.detail


@pytest.mark.parametrize("is_legacy", [True, False])
@pytest.mark.parametrize(
    ("body", "given"),
    [
        (PLAIN, {}),
        (PLAIN, {"content_type": "text/plain"}),
        (PLAIN, {"content_type": FORM}),
        (PLAIN, {"compression": "none of them"}),
        (PLAIN, {"compression": "base64"}),
        (as_gzip(PLAIN), {}),
        (as_gzip(PLAIN), {"content_type": "text/plain"}),
        (as_gzip(PLAIN), {"content_type": FORM}),
        (as_gzip(PLAIN), {"content_encoding": "gzip"}),
        (as_gzip(PLAIN), {"content_encoding": "GZIP "}),
        (as_gzip(PLAIN), {"compression": "gzip"}),
        (as_gzip(PLAIN), {"compression": "gzip-js"}),
        (as_gzip(PLAIN), {"compression": "base64"}),
        (as_base64(PLAIN), {}),
        (as_base64(PLAIN) + b"\r\n", {}),
        (as_base64(PLAIN), {"compression": "base64"}),
        (as_base64(PLAIN), {"compression": "b64"}),
        (as_base64(as_gzip(PLAIN)), {}),
        (as_base64(as_gzip(PLAIN)), {"compression": "gzip-js"}),
        (as_form(as_base64(PLAIN)), {"content_type": FORM}),
        (as_form(as_base64(PLAIN)), {}),
        (as_form(as_base64(PLAIN)), {"compression": "base64"}),
        (as_form(as_base64(PLAIN), compression="base64"), {"content_type": f"{FORM}; charset=UTF-8"}),
        (as_form(as_base64(as_gzip(PLAIN)), compression="gzip-js"), {}),
        (as_form(PLAIN), {"content_type": FORM}),
        (b"ip=1&" + as_form(PLAIN), {"content_type": "text/plain"}),
        (b"compression=base64&" + as_form(as_base64(PLAIN)), {}),
        (b"", {"data": TEXT}),
        (b"unused", {"data": as_base64(PLAIN).decode()}),
        (b"", {"data": as_base64(as_gzip(PLAIN)).decode(), "compression": "gzip-js"}),
    ],
)
def test_the_text_is_found(body: bytes, given: dict[str, Any], is_legacy: bool):
    assert decoded(body, is_legacy=is_legacy, **given) == TEXT


def test_blanks_are_plus_signs_in_base64_alone():
    assert b"+" in as_base64(SIGNS)
    unescaped = as_base64(SIGNS)
    assert decoded(b"data=" + unescaped, content_type=FORM) == SIGNS.decode()
    assert decoded(data=unescaped.decode().replace("+", " ")) == SIGNS.decode()
    assert decoded(b"data=" + quote('{"a": "b c"}', safe=" ").encode(), content_type=FORM) == '{"a": "b c"}'


@pytest.mark.parametrize(
    ("query", "form", "header"),
    [("base64", "lz64", "lz64"), ("", "base64", "lz64"), ("", "", "base64")],
    ids=["the query first", "then the form", "then the header"],
)
def test_hints_have_an_order(query: str, form: str, header: str):
    body = as_form(as_base64(PLAIN), compression=form)
    assert decoded(body, content_type=FORM, compression=query, content_encoding=header) == TEXT


def test_what_is_still_base64_is_decoded_once_more_on_legacy_paths_alone():
    twice = as_base64(as_base64(PLAIN))
    assert decoded(twice) == TEXT
    assert decoded(twice, is_legacy=False) == as_base64(PLAIN).decode()
    assert decoded(as_gzip(as_base64(PLAIN))) == TEXT
    assert decoded(as_gzip(as_base64(as_gzip(PLAIN)))) == TEXT


@pytest.mark.parametrize("hint", ["", "base64"])
def test_there_is_no_third_round(hint: str):
    thrice = as_base64(as_base64(as_base64(PLAIN)))
    left = as_base64(PLAIN).decode()
    assert decoded(thrice, compression=hint) == left
    assert decoded(as_form(thrice, compression=hint)) == left
    assert decoded(as_gzip(as_base64(as_gzip(as_base64(PLAIN)))), compression=hint) == left
    assert refused(as_gzip(as_gzip(PLAIN)), compression=hint)[0] == 400


@pytest.mark.parametrize(
    ("body", "given", "detail"),
    [
        (b"", {}, "request missing data payload"),
        (b"", {"content_type": FORM}, "request missing data payload"),
        (b"data=", {}, "request missing data payload"),
        (b"compression=gzip&data=", {}, "request missing data payload"),
        (b"a=1", {"content_type": FORM}, "request missing data payload"),
        (b"data=x" + b"&a=1" * 30, {}, "failed to decode request: the form cannot be read"),
        (b"data=\xff", {}, "failed to decode request: the form cannot be read"),
        (b"\xff\xfe", {}, "failed to decode request: the body is no UTF-8"),
        (as_base64(b"\xff\xfe"), {}, "failed to decode request: the body is no UTF-8"),
        (b'{"a": 1}', {"compression": "gzip"}, "failed to decode request: the body is no gzip"),
        (b'{"a": 1}', {"content_encoding": "gzip"}, "failed to decode request: the body is no gzip"),
        (b"\x1f\x8b\x08 no gzip", {}, "failed to decode request: the body is no gzip"),
        (as_gzip(PLAIN)[:-9], {}, "failed to decode request: the gzip body ends too early"),
        (as_gzip(PLAIN)[:12], {}, "failed to decode request: the gzip body ends too early"),
        (PLAIN, {"compression": "lz64"}, "failed to decode request: the body is no lz-string"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_the_reason(body: bytes, given: dict[str, Any], detail: str):
    assert refused(body, **given) == (400, detail)


def test_what_only_begins_like_base64_is_taken_as_it_is():
    text = "a" * 128 + "!!!!"
    assert decoded(text.encode()) == text
    assert decoded(b"abcde") == "abcde"


def test_a_body_is_limited_before_and_after_it_is_decompressed():
    assert decoded(b" " * LARGEST) == " " * LARGEST
    assert refused(b" " * (LARGEST + 1)) == (413, f"maximum event size exceeded: {LARGEST + 1} bytes")
    assert refused(data=" " * (LARGEST + 1))[0] == 413
    assert decoded(as_gzip(b" " * LARGEST)) == " " * LARGEST
    bomb = as_gzip(b" " * (LARGEST + 1))
    for body in (bomb, as_base64(bomb), as_form(as_base64(bomb)), as_gzip(as_base64(bomb))):
        assert refused(body) == (413, f"maximum event size exceeded: more than {LARGEST} bytes, decompressed")


def test_a_bomb_in_a_bomb_is_stopped_by_the_first():
    inner = gzip.compress(b" " * 10_000_000)
    assert refused(gzip.compress(inner * 2))[0] == 413
