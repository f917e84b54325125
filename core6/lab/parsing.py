"""Reads a request as the server does: its key, its parameters, its fields."""

from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from multidict import CIMultiDict, CIMultiDictProxy
from rest_framework.request import Request
from rest_framework.settings import api_settings

from core6.serving.bodies import WITHOUT_BODY

Headers = CIMultiDict[str] | CIMultiDictProxy[str]
#: The headers that decide how a request is read, by their names in an environ.
_HEADERS = {
    "CONTENT_TYPE": "Content-Type",
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_AUTHORIZATION": "Authorization",
}


def parsed(method: str, path: str, query: str, headers: Headers, body: bytes) -> Request:
    """Return a request whose `query_params` and `data` are those that a view of the API has."""
    body = b"" if method in WITHOUT_BODY else body
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        **{name: ",".join(headers.getall(header)) for name, header in _HEADERS.items() if header in headers},
    }
    classes: Any = api_settings.DEFAULT_PARSER_CLASSES
    return Request(WSGIRequest(environ), parsers=[parser() for parser in classes])
