"""The console's login: how often it may be tried, by whom, and how many passwords are looked at at a time."""

import ipaddress
import secrets
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any, Final

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm

from core6.accounts.models import User
from core6.rate_limits.models import count_call

#: How often one address, one account or one known device may try: attempts by seconds.
ATTEMPTS: Final = {60: 10, 3600: 60}
#: How long a login waits until the passwords before it were looked at, in seconds.
PATIENCE: Final = 2
#: One password at a time for known devices and one for all others: a hash takes a processor for a quarter of a second.
HASHING: Final[Mapping[bool, BoundedSemaphore]] = {True: BoundedSemaphore(), False: BoundedSemaphore()}
DEVICE: Final = "device"
_SALT: Final = "core6.console.device"
_DEVICE_SECONDS: Final = 180 * 24 * 3600


class LoginForm(AuthenticationForm):
    """Email and password, for so many attempts."""

    #: The seconds after which a refused login may be tried again.
    retry_after: int | None = None

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not email or not password:
            return dict(super().clean())
        # What was typed is no name to count by: the database finds the account by other spellings of it, too.
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
        """Count the attempt; a known device alone by itself, so that no stranger locks it out."""
        counted = [f"login device {device}"] if device else [f"login address {_network_of(self.request)}"]
        if user and not device:
            counted.append(f"login account {user.pk}")
        for each in counted:  # an address that is refused counts for no account
            over = [use.resets_in for use in count_call(each, ATTEMPTS) if use.is_exceeded]
            if over:
                raise self._refusal("There were too many attempts: wait, then try again.", max(over))

    def _refusal(self, message: str, seconds: int) -> forms.ValidationError:
        self.retry_after = seconds
        return forms.ValidationError(message)


def remember_device(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Give the browser in which a user has logged in the cookie that proves it."""
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
    """Return the name of a browser in which this user has logged in before; None for any other."""
    sent = request.get_signed_cookie(DEVICE, default=None, salt=_SALT, max_age=_DEVICE_SECONDS)
    owner, _, device = (sent or "").partition(" ")
    return device if user and owner == str(user.pk) else None


def _network_of(request: HttpRequest) -> str:
    """Return the client's address: what the proxy added last, if there is one. Of IPv6, one client has a network."""
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
