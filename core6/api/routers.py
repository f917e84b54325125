"""The router of all resources."""

from typing import Any

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """Every URL works with and without the trailing slash, without a redirect (D13)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trailing_slash = "/?"
