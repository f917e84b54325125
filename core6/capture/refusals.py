"""Refusals of ingestion: the texts of the real service in the error JSON (E2)."""


class Refused(Exception):
    """The whole request is refused, and nothing of it is stored (E3)."""

    def __init__(
        self, detail: str, *, status: int = 400, code: str = "invalid_input", retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail, self.status, self.code, self.retry_after = detail, status, code, retry_after

    @property
    def kind(self) -> str:
        """The `type` of the error."""
        kinds = {401: "authentication_error", 429: "throttled_error", 503: "server_error"}
        return kinds.get(self.status, "validation_error" if self.status == 400 else "invalid_request")


def unauthorized(detail: str) -> Refused:
    """Return the refusal of a request whose token is missing or unknown."""
    return Refused(detail, status=401, code="invalid_api_key")


def too_large(what: str) -> Refused:
    """Return the refusal of a body that is too large, before or after it is decompressed."""
    return Refused(f"maximum event size exceeded: {what}", status=413, code="request_too_large")
