"""URLs of resources."""

from typing import Any

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """Every URL answers with and without the final slash, never by a redirect (D13)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trailing_slash = "/?"
