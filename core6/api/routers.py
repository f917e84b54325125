"""URLs of resources."""

from typing import Any

from rest_framework.routers import SimpleRouter

from core6.api.reading import with_fast_reads


class Router(SimpleRouter):
    """Every URL answers with and without the final slash, never by a redirect (D13)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trailing_slash = "/?"

    def get_urls(self) -> list[Any]:
        """Return the URLs; plain reads are answered the fast way."""
        urls = super().get_urls()
        for url in urls:
            url.callback = with_fast_reads(url.callback)
        return urls
