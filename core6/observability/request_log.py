"""One line of the log for each request, once it is answered; installed only where LOG_LEVEL shows it."""

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core6.api.authentication import caller_of
from core6.database.query_counter import query_usage
from core6.observability.logs import logger_of
from core6.observability.routes import route_of

logger = logger_of("core6.requests")


class RequestLogMiddleware:
    """Logs `request_finished` with the route, and never with the address: a key may stand in that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started, before = time.perf_counter(), query_usage()
        response = self.get_response(request)
        user_id, key = caller_of(request)
        logger.log(
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
