"""The URLs of ingestion, with and without the final slash (I1)."""

from typing import Final

from django.urls import re_path

from core6.capture import stubs, views

_EVENTS: Final = {"batch": "batch", "e": "e", "i/v0/e": "e", "capture": "capture", "track": "track", "engage": "engage"}

urlpatterns = [
    *(
        re_path(rf"^{path}/?$", views.capture, {"path": kind}, name=f"capture-{path.replace('/', '-')}")
        for path, kind in _EVENTS.items()
    ),
    *(re_path(rf"^{path}/?$", stubs.flags, name=path) for path in ("flags", "decide")),
    re_path(r"^array/(?P<token>[^/]+)/config/?$", stubs.config, name="remote-config"),
    re_path(r"^s/?$", stubs.dropped, name="recordings"),
]
