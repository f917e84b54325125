"""The URLs of ingestion, with and without the final slash."""

from typing import Final

from django.urls import re_path

from core6.capture import stubs, v1, views

_EVENTS: Final = {"batch": "batch", "e": "e", "i/v0/e": "e", "capture": "capture", "track": "track", "engage": "engage"}

urlpatterns = [
    *(
        re_path(rf"^{path}/?$", views.capture, {"path": kind}, name=f"capture-{path.replace('/', '-')}")
        for path, kind in _EVENTS.items()
    ),
    re_path(r"^i/v1/analytics/events/?$", v1.events, name="capture-v1"),
    *(re_path(rf"^{path}/?$", stubs.flags, name=path) for path in ("flags", "decide")),
    re_path(r"^array/(?P<token>[^/]+)/config/?$", stubs.config, name="remote-config"),
    re_path(r"^s/?$", stubs.dropped, name="recordings"),
]
