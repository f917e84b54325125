"""The error JSON, `{"type", "code", "detail", "attr"}`, for whatever went wrong (D9, D17).

This module alone knows its shape. The library of the real service writes it; what stands here turns everything
else into the exceptions it knows.
"""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

import psycopg
from django.apps import apps
from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from django.db.models import BaseConstraint, F, UniqueConstraint
from django.http import Http404, HttpRequest, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from exceptions_hog import exception_handler as render  # type: ignore[import-untyped]  # the library has no types
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error

from core6.api.exceptions import BadRequestError, LegacyFieldError, RequestTooLarge, ServiceUnavailable
from core6.api.not_emulated import endpoint_not_found
from core6.security import masking
from core6.security.error_texts import shortened


class ErrorSerializer(serializers.Serializer[Any]):
    """An error."""

    type = serializers.CharField(
        help_text="Type of the error: `validation_error`, `invalid_request`, `authentication_error`, `throttled_error`"
        " or `server_error`."
    )
    code = serializers.CharField(help_text="Error code for programs, such as `required` or `not_found`.")
    detail = serializers.CharField(help_text="Error message for people.")
    attr = serializers.CharField(
        allow_null=True, help_text="Name of the invalid field. Null if the error is not about a field."
    )


logger = logging.getLogger(__name__)


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Return the answer to an exception raised in a view; an unknown one is logged and 500."""
    known = _translate(exception)
    response: Response = render(known, dict(context))
    if isinstance(exception, LegacyFieldError):
        response.data["error"] = exception.error
    for name in ("detail", "attr", "error"):
        if response.data.get(name):
            response.data[name] = shortened(response.data[name])
    if response.status_code == 401:
        response["WWW-Authenticate"] = "Bearer"
    elif response.status_code == 503:
        logger.warning("The database does not answer: %s", masking.masked(shortened(str(exception))))
    elif response.status_code >= 500:
        trace = masking.masked("".join(traceback.format_exception(exception)).rstrip())
        logger.error("%s in %s\n%s", type(exception).__name__, context.get("view"), trace)
    return response


def _translate(exception: Exception) -> Exception:
    """Return the exception that says the same in the vocabulary of REST framework."""
    match exception:
        case exceptions.ValidationError():
            return _first_error_only(exception)
        case RequestDataTooBig():
            return RequestTooLarge()
        case TooManyFieldsSent() | TooManyFilesSent():
            return BadRequestError("The request has too many fields: send at most 1000.")
        case SuspiciousOperation() | BadRequest() | MultiPartParserError() | UnreadablePostError():
            return BadRequestError()
        case ModelValidationError():
            return _first_error_only(exceptions.ValidationError(as_serializer_error(exception)))
        case ObjectDoesNotExist():
            return Http404()
        case DatabaseError() | InterfaceError():
            return _translate_database_error(exception)
        case RecursionError() | UnicodeEncodeError():
            return BadRequestError("The request holds text or a structure that cannot be read.")
    return exception


def _translate_database_error(exception: Exception) -> Exception:
    state = getattr(exception.__cause__, "sqlstate", None) or ""
    match exception:
        case IntegrityError() if state in ("23505", "23514"):
            return _violation(exception)
        case IntegrityError() if state == "23503":
            return exceptions.ValidationError("An object that the request names does not exist.", code="does_not_exist")
        case DataError():
            return exceptions.ValidationError("A value cannot be stored.", code="invalid_input")
        case OperationalError() | InterfaceError():
            return ServiceUnavailable()
        case InternalError() if state == "25P03":  # the transaction was left alone for too long
            return ServiceUnavailable()
    return exception


def _violation(exception: IntegrityError) -> exceptions.ValidationError:
    """Return what the violated constraint says, about the one field of it that is no relation, if there is one."""
    name = exception.__cause__.diag.constraint_name if isinstance(exception.__cause__, psycopg.Error) else None
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name != name:
                continue
            fields = [model._meta.get_field(field) for field in _names(constraint)]
            plain = [field.name for field in fields if not field.is_relation]
            detail = str(constraint.violation_error_message)
            code = constraint.violation_error_code or ("unique" if _names(constraint) else "invalid_input")
            return exceptions.ValidationError({plain[0]: [detail]} if len(plain) == 1 else detail, code=code)
    return exceptions.ValidationError("There is already such an object.", code="unique")


def _names(constraint: BaseConstraint) -> list[str]:
    """Return the names of the fields that a unique constraint is about, none for another kind."""
    if not isinstance(constraint, UniqueConstraint):
        return []
    parts: list[Any] = list(constraint.expressions)
    names = list(constraint.fields)
    while parts:
        part = parts.pop()
        if isinstance(part, F):
            names.append(str(getattr(part, "name", "")))  # the stubs do not know it
        else:
            parts += part.get_source_expressions()
    return names


def _first_error_only(exception: exceptions.ValidationError) -> exceptions.ValidationError:
    """Return the error without its empty parts, which the library cannot render."""
    detail = _without_empty(exception.detail)
    if not detail:
        return exceptions.ValidationError("Invalid input.")
    exception.detail = detail
    return exception


def _without_empty(detail: Any) -> Any:
    if isinstance(detail, dict):
        return {key: kept for key, value in detail.items() if (kept := _without_empty(value))}
    if isinstance(detail, list):
        kept = [kept for value in detail if (kept := _without_empty(value))]
        # Of a list of nested errors only the first counts, under its index.
        if kept and isinstance(kept[0], dict):
            index = next(i for i, value in enumerate(detail) if _without_empty(value))
            return {str(index): kept[0]}
        return kept
    return detail


def answer(status: int, code: str, detail: str, kind: str = "invalid_request", attr: str | None = None) -> JsonResponse:
    """Return an error that comes from no view."""
    return JsonResponse({"type": kind, "code": code, "detail": shortened(detail), "attr": attr}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer what is refused before any view: a Host that is not allowed, too many fields."""
    if isinstance(exception, RequestDataTooBig):
        return too_large()
    detail = "Invalid Host header: add the host to ALLOWED_HOSTS." if "HTTP_HOST" in str(exception) else "Bad request."
    return answer(400, BadRequestError.default_code, detail)


def too_large() -> JsonResponse:
    """Return the answer to a body that is larger than the server takes."""
    return answer(413, RequestTooLarge.default_code, str(RequestTooLarge.default_detail))


def forbidden(request: HttpRequest, exception: Exception) -> JsonResponse:
    return answer(
        403, "permission_denied", str(exceptions.PermissionDenied.default_detail), kind="authentication_error"
    )


def unauthorized(detail: str) -> JsonResponse:
    """Return the 401 of a page outside the API; `detail` says which token to send."""
    response = answer(401, "not_authenticated", detail, kind="authentication_error")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return answer(404, "not_found", endpoint_not_found(request.path_info))


def not_emulated(request: HttpRequest, **_: str) -> JsonResponse:
    """Answer what the real service has and this server cannot do, whatever the method."""
    detail = "Core6 runs no queries: read persons of a cohort, or make a cohort of what you look for."
    return answer(501, "not_emulated", detail)


def unavailable() -> JsonResponse:
    """Return the answer of a server whose database takes too long."""
    response = answer(
        503, ServiceUnavailable.default_code, str(ServiceUnavailable.default_detail), ServiceUnavailable.default_type
    )
    response.headers["Retry-After"] = str(ServiceUnavailable.wait)
    return response


def request_timeout() -> JsonResponse:
    """Return the answer to a client that sends its body too slowly (D79); the connection ends with it."""
    response = answer(408, "request_timeout", "The body came too slowly: send it faster.")
    response.headers["Connection"] = "close"
    return response


def overloaded() -> JsonResponse:
    """Return the answer of a server that has too many requests already."""
    detail = "The server has too many requests at the moment: try again."
    response = answer(503, ServiceUnavailable.default_code, detail, ServiceUnavailable.default_type)
    response.headers["Retry-After"] = str(ServiceUnavailable.wait)
    return response


def server_error(request: HttpRequest | None = None) -> JsonResponse:
    return answer(500, "error", "A server error occurred.", kind="server_error")
