"""One line of the log for each request, once it is answered; installed only where LOG_LEVEL lets it pass."""

import logging
import time
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from core6.api.authentication import caller_of
from core6.database.query_counter import query_usage
from core6.observability.logs import logger_of
from core6.observability.routes import route_of

logger = logger_of("core6.requests")


class RequestLogMiddleware(RequestMiddleware):
    """Says `request_finished` with the route, in place of the library's lines with the address: that may hold a key."""

    async_capable = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started, before = time.perf_counter(), query_usage()
        response = cast("HttpResponse", self.get_response(request))
        user_id, key = caller_of(request)
        logger.log(
            # A refused request is the caller's news.
            logging.ERROR if response.status_code >= 500 else logging.INFO,
            "request_finished",
            method=request.method,
            route=route_of(request),
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 1),
            sql=query_usage().since(before).statements,
            **({"user_id": user_id} if user_id else {}),
            **({"key": key} if key else {}),
        )
        return response

    def process_got_request_exception(self, sender: type[Any], request: HttpRequest, **kwargs: Any) -> None:
        """Leave the traceback to whoever has logged it already."""
