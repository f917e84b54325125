"""The login of the console, with limits of attempts and of concurrent password checks."""

import ipaddress
import secrets
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm

from core6.accounts.models import User
from core6.rate_limits.models import count_call

#: The limits of attempts by one address, account or known device, by seconds.
ATTEMPTS: Final = {60: 10, 3600: 60}
#: The most seconds that a login waits for other password checks.
PATIENCE: Final = 2
#: One check at a time for known devices, and one for all others: a hash takes a quarter of a second of CPU time.
HASHING: Final[Mapping[bool, BoundedSemaphore]] = {True: BoundedSemaphore(), False: BoundedSemaphore()}
DEVICE: Final = "device"
_SALT: Final = "core6.console.device"
_DEVICE_SECONDS: Final = 180 * 24 * 3600


class LoginForm(AuthenticationForm):
    """The form of email and password, with limited attempts."""

    error_messages: ClassVar = {
        **AuthenticationForm.error_messages,
        "invalid_login": "The email or the password is wrong, or this user may not use the console.",
    }
    #: The seconds until a refused login may be tried again.
    retry_after: int | None = None

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not email or not password:
            return dict(super().clean())
        # Attempts are counted by account, not by the typed email, which may have several spellings.
        user = User.objects.filter(email__iexact=email).order_by("pk").first()
        device = _device_of(self.request, user)
        self._count(user, device)
        hashing = HASHING[device is not None]
        if not hashing.acquire(timeout=PATIENCE):
            raise self._refusal("Too many people log in at the moment: wait, then try again.", PATIENCE)
        try:
            return dict(super().clean())
        finally:
            hashing.release()

    def _count(self, user: User | None, device: str | None) -> None:
        """Count the attempt; a known device is counted separately, so that nobody else can lock it out."""
        counted = [f"login device {device}"] if device else [f"login address {_network_of(self.request)}"]
        if user and not device:
            counted.append(f"login account {user.pk}")
        for each in counted:  # a refused address does not count for the account
            exceeded = [use.resets_in for use in count_call(each, ATTEMPTS) if use.is_exceeded]
            if exceeded:
                raise self._refusal("There were too many attempts: wait, then try again.", max(exceeded))

    def _refusal(self, message: str, seconds: int) -> forms.ValidationError:
        self.retry_after = seconds
        return forms.ValidationError(message)


def remember_device(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Set a signed cookie that marks the browser as a known device of the user."""
    device = _device_of(request, user) or secrets.token_urlsafe(16)
    response.set_signed_cookie(
        DEVICE,
        f"{user.pk} {device}",
        salt=_SALT,
        max_age=_DEVICE_SECONDS,
        path=settings.SESSION_COOKIE_PATH,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def _device_of(request: HttpRequest, user: User | None) -> str | None:
    """Return the id of a known device of the user; None for other browsers."""
    sent = request.get_signed_cookie(DEVICE, default=None, salt=_SALT, max_age=_DEVICE_SECONDS)
    owner, _, device = (sent or "").partition(" ")
    return device if user and owner == str(user.pk) else None


def _network_of(request: HttpRequest) -> str:
    """Return the address of the client, from the proxy if there is one; for IPv6 its /64 network."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.IS_BEHIND_PROXY else ""
    text = forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.IPv6Network((int(address), 64), strict=False))
    return str(address)
