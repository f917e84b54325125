"""What SDKs ask for beside ingestion, so that they are quiet: no flags, no recordings, no surveys (E9, E10)."""

import json
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse

from core6.capture.answers import answered
from core6.capture.decoding import Received, decode
from core6.capture.projects import project_of
from core6.capture.refusals import Refused, unauthorized

_LARGEST: Final = 2 * 1024**2
_NO_FLAGS: Final = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}
_CONFIG: Final = {
    "supportedCompression": ["gzip", "gzip-js"],
    "hasFeatureFlags": False,
    "sessionRecording": False,
    "autocapture_opt_out": True,
    "analytics": {"endpoint": "/i/v0/e/"},
}


@answered
def flags(request: HttpRequest) -> HttpResponse:
    """Answer `/flags` and `/decide`: there are no flags; an unknown token is 401."""
    _check_token(_token_in(request))
    return JsonResponse(_NO_FLAGS)


@answered
def config(_: HttpRequest, token: str) -> HttpResponse:
    """Answer `/array/:token/config`, which posthog-js reads first."""
    _check_token(token)
    return JsonResponse({**_CONFIG, "token": token})


@answered
def dropped(_: HttpRequest) -> HttpResponse:
    """Accept what is not kept, unread: session recordings."""
    return JsonResponse({"status": 1})


def _check_token(token: Any) -> None:
    if not isinstance(token, str) or project_of(token) is None:
        raise unauthorized("The provided API key is invalid or has expired.")


def _token_in(request: HttpRequest) -> Any:
    if given := request.GET.get("token") or request.GET.get("api_key"):
        return given
    received = Received(
        body=request.read(_LARGEST + 1),
        data=request.GET.get("data", ""),
        compression=request.GET.get("compression", ""),
        content_type=request.content_type or "",
        content_encoding=request.headers.get("Content-Encoding", ""),
    )
    try:
        value = json.loads(decode(received, largest=_LARGEST, is_legacy=True))
    except (Refused, ValueError, RecursionError):
        return None
    return (value.get("token") or value.get("api_key") or value.get("$token")) if isinstance(value, dict) else None
