"""Errors that REST framework does not define; core6.api.errors turns them into answers."""

from typing import ClassVar

from django.conf import settings
from rest_framework import exceptions

from core6.terminal.sizes import limit


class InvalidRequest(exceptions.APIException):
    """The request as a whole is wrong, not one of its values."""

    default_type: ClassVar[str] = "invalid_request"


class BadRequestError(InvalidRequest):
    """The request itself cannot be read."""

    status_code = 400
    default_code = "bad_request"
    default_detail = "Bad request."


class RequestTooLarge(InvalidRequest):
    """The body is larger than the server takes."""

    status_code = 413
    default_code = "request_too_large"
    default_detail = f"The request body is too large: send at most {limit(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)}."


class LegacyFieldError(exceptions.ValidationError):
    """A bad value; the error JSON repeats it under the key `error`, which older clients read (D33)."""

    def __init__(self, field: str, detail: str, *, code: str, error: str) -> None:
        super().__init__({field: [detail]}, code=code)
        self.error = error


class ServiceUnavailable(exceptions.APIException):
    """The database does not answer; the caller may try again after `wait` seconds."""

    status_code = 503
    default_code = "service_unavailable"
    default_type: ClassVar[str] = "server_error"
    default_detail = "The database is not available at the moment: try again."
    wait = 1


class Conflict(InvalidRequest):
    """Another operation that excludes this request is running."""

    status_code = 409
    default_code = "conflict"
    default_detail = "Something else is under way: try again."


class PreconditionFailed(InvalidRequest):
    """The object is not as the caller's `If-Match` says."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = "The object has changed since it was read: read it again."


class IdempotencyKeyReused(InvalidRequest):
    """The `Idempotency-Key` came with another request before."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used with another request: send a new one."
