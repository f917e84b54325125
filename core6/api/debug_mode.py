"""Errors in debug mode, where Django writes pages."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from core6.api import errors
from core6.api.paths import is_for_programs


class NoDebugPagesMiddleware:
    """Keeps the answers of the API what they are in debug mode: JSON, not the pages that Django writes there (D17).

    What went wrong stands in the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not is_for_programs(request.path_info) or not response.get("Content-Type", "").startswith("text/"):
            return response
        match response.status_code:
            case 400:
                return self._refusal(request)
            case 404:
                return errors.not_found(request)
            case 500:
                return errors.server_error(request)
        return response

    def _refusal(self, request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost as error:
            return errors.bad_request(request, error)
        return errors.bad_request(request)
