"""What the lab refuses, as the error JSON of the API."""

from collections.abc import Mapping


class Refused(Exception):
    """A request to the lab is wrong; `attr` is the key of its body that is, `headers` are those of the response."""

    def __init__(
        self,
        detail: str,
        attr: str | None = None,
        *,
        status: int = 400,
        code: str = "invalid_input",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail, self.attr, self.status, self.code = detail, attr, status, code
        self.headers = headers or {}

    @property
    def kind(self) -> str:
        """The `type` of the error."""
        if self.status == 400 and self.code != "bad_request":
            return "validation_error"
        return "authentication_error" if self.status in (401, 403) else "invalid_request"
