"""A short middleware chain for API requests, and Django's usual one for the pages."""

from collections.abc import Callable, Mapping
from functools import cache

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.module_loading import import_string

from core6.api import error_pages
from core6.api.paths import is_for_programs

Handler = Callable[[HttpRequest], HttpResponse]


@cache
def protective_headers(*, is_secure: bool = False) -> Mapping[str, str]:
    """Return the headers that protect browsers, as Django's middleware adds them to every response."""
    request = HttpRequest()
    if is_secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    response = HttpResponse()
    SecurityMiddleware(lambda _: response).process_response(request, response)
    XFrameOptionsMiddleware(lambda _: response).process_response(request, response)
    return {name: value for name, value in response.items() if name != "Content-Type"}


class ApiMiddleware:
    """Refuses hosts that are not allowed; passes other requests to the API, or through PAGE_MIDDLEWARE to the pages."""

    def __init__(self, get_response: Handler) -> None:
        self._api = self._pages = get_response
        for name in reversed(settings.PAGE_MIDDLEWARE):
            self._pages = import_string(name)(self._pages)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Respond with the headers that protect browsers, and keep API responses out of caches."""
        try:
            request.get_host()
        except DisallowedHost as error:
            response: HttpResponse = error_pages.bad_request(request, error)
        else:
            response = (self._api if is_for_programs(request.path_info) else self._pages)(request)
        if request.path_info.startswith("/api/"):
            # A response with a tag may be stored, but must be revalidated: the key may have been revoked since.
            response.headers.setdefault("Cache-Control", "private, no-cache" if "ETag" in response else "no-store")
        for name, value in protective_headers(is_secure=request.is_secure()).items():
            response.headers.setdefault(name, value)
        return response
