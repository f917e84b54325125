"""Bytes that came from a socket, read as an HTTP answer."""

from http.client import HTTPResponse
from io import BytesIO


class Received:
    """Bytes in the place of a socket, as the library's reader of answers takes it."""

    def __init__(self, received: bytes) -> None:
        self._file = BytesIO(received)

    def makefile(self, mode: str) -> BytesIO:
        return self._file


def answer_of(received: bytes) -> HTTPResponse:
    """Return the answer whose head has been read."""
    answer = HTTPResponse(Received(received))  # type: ignore[arg-type]  # all that it asks of a socket
    answer.begin()
    return answer
