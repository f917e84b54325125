"""Parsers of request bodies: strict JSON, and forms (D18, D22)."""

import json
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import QueryDict
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from rest_framework import parsers
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import DataAndFiles

#: Deeper JSON is refused; cohort criteria, the deepest valid input, need less.
MAX_DEPTH = 64
#: JSON with more `{` and `[` is refused before it is parsed: each costs a hundred times its size (D70).
MAX_CONTAINERS = 200_000
#: So is JSON with more commas, one for each value, and a form with more escapes, which are decoded one by one.
MAX_PARTS = 500_000
#: A larger body is not searched for a key, so that large bodies of anonymous clients are not parsed (D76).
LARGEST_WITH_KEY = 64 * 1024
#: The key in the META of a request whose body is incomplete (D68).
ENDED_EARLY = "core6.body_ended_early"
#: The exceptions of reading a body that are errors of the client.
UNREADABLE = (APIException, SuspiciousOperation, MultiPartParserError, UnreadablePostError)
# The POST examples of the public API's page declare JSON, but send `name=string` (D22).
_FORM = re.compile(rb"\s*[A-Za-z_][\w.\[\]-]*=")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# A string, even an unterminated one: brackets in it do not count.
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_STEP = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_NO_BRACKETS = bytes(each for each in range(256) if each not in _STEP)


class JSONParser(parsers.BaseParser):
    """Parses strict UTF-8 JSON; under its content type also a body that is clearly a form."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _check_headers(parser_context)
        body = stream.read()
        if _FORM.match(body):
            return _form(body)
        containers = body.count(b"{") + body.count(b"[")
        if containers > MAX_CONTAINERS:
            raise ParseError(f"JSON parse error - more than {MAX_CONTAINERS:,} objects and lists: send fewer at a time")
        if body.count(b",") > MAX_PARTS:
            raise ParseError(f"JSON parse error - more than {MAX_PARTS:,} values: send fewer at a time")
        try:
            # Few brackets cannot be deep, and only escapes make surrogates: most bodies skip these checks.
            if containers > MAX_DEPTH:
                _check_nesting(body)
            text = body.decode()
            data = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite) if text.strip() else {}
            if _SURROGATE_ESCAPE.search(text):
                json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ParseError("JSON parse error - a lone surrogate is no character") from error
        except RecursionError as error:
            raise ParseError(f"JSON parse error - nested more than {MAX_DEPTH} deep") from error
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error
        return data


class FormParser(parsers.BaseParser):
    """Parses a form; fields that are not sent stay absent (D47, core6.api.serializers)."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> QueryDict:
        _check_headers(parser_context)
        return _form(stream.read())


class MultiPartParser(parsers.MultiPartParser):
    """Parses a multipart form, including files."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> "DataAndFiles[Any, Any]":
        _check_headers(parser_context)
        return super().parse(stream, media_type, parser_context)


def _check_headers(parser_context: Mapping[str, Any] | None) -> None:
    """Refuse a body that is too large (413), or that is compressed or not in UTF-8 (415)."""
    request = (parser_context or {})["request"]
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise RequestDataTooBig
    content_encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if content_encoding.lower() != "identity":
        raise UnsupportedMediaType(
            request.content_type, f'Unsupported content encoding "{content_encoding}": send none.'
        )
    charset = request._request.content_params.get("charset", "utf-8")
    if charset.lower().replace("_", "-") not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise UnsupportedMediaType(request.content_type, f'Unsupported charset "{charset}" in request: send UTF-8.')


def _form(body: bytes) -> QueryDict:
    if body.count(b"%") > MAX_PARTS:
        raise ParseError(f"Form parse error - more than {MAX_PARTS:,} escapes: send JSON")
    return QueryDict(body, encoding="utf-8")


def _check_nesting(body: bytes) -> None:
    """Raise ValueError for JSON that is nested deeper than MAX_DEPTH, before it is parsed."""
    brackets = _TEXT.sub(b"", body).translate(None, delete=_NO_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")


def check_depth(data: Any) -> None:
    """Raise ValueError for a value that is nested deeper than MAX_DEPTH."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ValueError(f"nested more than {MAX_DEPTH} deep")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is out of range")
    return value
