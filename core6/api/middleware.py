"""A short way for requests of the API, and Django's own chain for the pages."""

from collections.abc import Callable, Mapping
from functools import cache

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.module_loading import import_string

from core6.api import errors

Handler = Callable[[HttpRequest], HttpResponse]


@cache
def protective_headers(*, is_secure: bool = False) -> Mapping[str, str]:
    """Return the headers that protect browsers: what Django's own middleware adds to every answer alike."""
    request = HttpRequest()
    if is_secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    response = HttpResponse()
    SecurityMiddleware(lambda _: response).process_response(request, response)
    XFrameOptionsMiddleware(lambda _: response).process_response(request, response)
    return {name: value for name, value in response.items() if name != "Content-Type"}


class ApiMiddleware:
    """Refuses hosts that are not allowed, and sends the rest to the API, or to the pages by PAGE_MIDDLEWARE."""

    def __init__(self, get_response: Handler) -> None:
        self._api = self._pages = get_response
        for name in reversed(settings.PAGE_MIDDLEWARE):
            self._pages = import_string(name)(self._pages)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the headers that protect browsers, and those that keep answers of the API out of caches."""
        try:
            request.get_host()
        except DisallowedHost as error:
            response: HttpResponse = errors.bad_request(request, error)
        else:
            response = (self._api if request.path_info.startswith("/api/") else self._pages)(request)
        if request.path_info.startswith("/api/"):
            # Whoever has a tag may keep the answer, but has to ask each time: the key may have been revoked since.
            response.headers.setdefault("Cache-Control", "private, no-cache" if "ETag" in response else "no-store")
        for name, value in protective_headers(is_secure=request.is_secure()).items():
            response.headers.setdefault(name, value)
        return response
