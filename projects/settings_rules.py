"""Validation of a project's settings, and merging of changes with stored values."""

import ipaddress
import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from rest_framework.exceptions import ValidationError

from core6.security.masking import mask_key
from projects.modifiers import MODIFIERS, check_modifier
from projects.token_formats import widget_token

_NO_DICTIONARY: Final = "Must provide a dictionary or None."
_AI_CONFIG = ("included_event_properties", "opt_in", "preferred_events", "excluded_events", "important_user_properties")
_MASKING: Final = {"maskAllInputs": bool, "maskTextSelector": str, "blockSelector": str}
_TYPE_NAMES: Final = {bool: "boolean", str: "string"}
_RETENTION_PAUSE = timedelta(hours=24)
_STAMP: Final = "retention_last_updated"
_WIDGET_TOKEN: Final = "widget_public_token"  # noqa: S105  # a key, not a token
#: Top-level domains that no public host has: reserved, or not delegated since many internal networks use them.
_INTERNAL: Final = (
    *("alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain"),
    *("localhost", "mail", "onion", "private", "svc", "test"),
)
#: Formally public, but not of public hosts: protocol assignments and 6to4 relays.
_SPECIAL: Final = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))
_ERRORS_TO_IGNORE: Final = "autocapture_exceptions_errors_to_ignore"


def check_dictionary(value: Any) -> None:
    """Refuse a value that is neither null nor an object."""
    if value is not None and not isinstance(value, dict):
        raise ValidationError(_NO_DICTIONARY)


def check_linked_flag(value: Any) -> None:
    """Refuse keys other than `id`, `key` and perhaps `variant`."""
    check_dictionary(value)
    if value is not None and set(value) not in ({"id", "key"}, {"id", "key", "variant"}):
        raise ValidationError(
            "Must provide a dictionary with only 'id' and 'key' keys. _or_ only 'id', 'key', and 'variant' keys."
        )


def check_network_payload(value: Any) -> None:
    """Refuse keys other than `recordHeaders` and `recordBody`."""
    check_dictionary(value)
    if not set(value or ()) <= {"recordHeaders", "recordBody"}:
        raise ValidationError("Must provide a dictionary with only 'recordHeaders' and/or 'recordBody' keys.")


def check_masking(value: Any) -> None:
    """Refuse unknown keys and values of another type."""
    check_dictionary(value)
    _only(value or {}, _MASKING, "known keys")
    for key, item in (value or {}).items():
        if not isinstance(item, _MASKING[key]):
            raise ValidationError(f"{key} must be a {_TYPE_NAMES[_MASKING[key]]}.")


def check_replay_config(value: Any) -> None:
    """Refuse unknown keys, also in `ai_config`."""
    check_dictionary(value)
    _only(value or {}, ("record_canvas", "ai_config"), "known keys")
    ai_config = (value or {}).get("ai_config")
    check_dictionary(ai_config)
    _only(ai_config or {}, _AI_CONFIG, "allowed keys")


def check_modifiers(value: Any) -> None:
    """Refuse unknown modifiers and invalid values (D35)."""
    check_dictionary(value)
    for key, item in (value or {}).items():
        if key not in MODIFIERS:
            raise ValidationError(f"{key!r} is not a known modifier, expected one of: {', '.join(MODIFIERS)}.")
        check_modifier(key, item)


def check_errors_to_ignore(value: Any) -> None:
    """Refuse a value that is not a list of strings with at most 300 characters in total."""
    if not isinstance(value, list):
        raise ValidationError(f"Must provide a list for field: {_ERRORS_TO_IGNORE}.")
    if not all(isinstance(item, str) for item in value):
        raise ValidationError(f"Must provide a list of strings to field: {_ERRORS_TO_IGNORE}.")
    if len(json.dumps(value)) > 300:
        raise ValidationError(
            f"Field {_ERRORS_TO_IGNORE} must be less than 300 characters."
            " Complex config should be provided in posthog-js initialization."
        )


def check_webhook(value: str) -> None:
    """Refuse a URL that is not https, has a user or an internal host (D38); without a DNS lookup."""
    refusal = ValidationError("Invalid webhook URL: use an https:// address of a public host, without a user.")
    if re.search(r"[\s\\]", value):
        raise refusal
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise refusal from error
    if "[" in parts.netloc and (":" not in host or not re.fullmatch(r"\[[^]%]*\](:\d*)?", parts.netloc)):
        raise refusal
    if parts.scheme != "https" or "@" in parts.netloc or not _is_public(host.rstrip(".")):
        raise refusal


def _is_public(host: str) -> bool:
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.version == 6 and address.ipv4_mapped is None and address not in ipaddress.ip_network("2000::/3"):
            return False
        mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        if any(mapped in network for network in _SPECIAL if network.version == mapped.version):
            return False
        # Python before 3.11.4 never considers 6to4 addresses global; the embedded address decides.
        is_global = address.is_global or getattr(address, "sixtofour", None) is not None
        return is_global and not address.is_multicast and mapped.is_global
    try:
        host = host.encode("idna").decode().lower()
        last = host.rpartition(".")[2].encode().decode("idna")
    except UnicodeError:
        return False
    # A last label that begins with a digit, of any script, may be an address in another notation: `127.1`, `0x7f.1`.
    return bool(re.fullmatch(r"[a-z0-9_.-]+\.[a-z0-9_-]+", host)) and last not in _INTERNAL and last[:1].isalpha()


def _only(value: Mapping[str, Any], known: Collection[str], what: str) -> None:
    if not set(value) <= set(known):
        raise ValidationError(f"Must provide a dictionary with only {what}: {', '.join(known)}.")


def merge(stored: Any, sent: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the values to store: the sent ones, merged with those of the project `stored`.

    Raises ValidationError if the retention of logs was changed less than 24 hours ago.
    """
    new = dict(sent)
    for name in ("survey_config", "modifiers"):
        if new.get(name) is not None:
            new[name] = {**(getattr(stored, name) or {}), **new[name]}
    if new.get("session_replay_config") is not None:
        new["session_replay_config"] = _merge_deeper(stored.session_replay_config or {}, new["session_replay_config"])
    if "conversations_settings" in new or "conversations_enabled" in new:
        new["conversations_settings"] = _merge_conversations(stored, new)
    if "logs_settings" in new:
        new["logs_settings"] = _replace_logs_settings(stored.logs_settings or {}, new["logs_settings"], now)
    return new


def _merge_deeper(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Merge two objects, and objects under the same key in both."""
    merged = {**old, **new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            merged[key] = {**old[key], **value}
    return merged


def _merge_conversations(stored: Any, new: Mapping[str, Any]) -> dict[str, Any] | None:
    """Merge the settings of conversations; enabling them sets their token, and disabling them sets it to null."""
    old: dict[str, Any] = stored.conversations_settings or {}
    sent = new.get("conversations_settings", old)
    merged = None if sent is None else {**old, **{key: sent[key] for key in sent if key != _WIDGET_TOKEN}}
    if merged and isinstance(merged.get("widget_domains"), list):
        merged["widget_domains"] = [domain for domain in merged["widget_domains"] if domain not in (None, "")]
    was_enabled, is_enabled = stored.conversations_enabled, new.get("conversations_enabled")
    if is_enabled and not was_enabled and not (merged or {}).get(_WIDGET_TOKEN):
        return {**(merged or {}), _WIDGET_TOKEN: widget_token()}
    if is_enabled is False and was_enabled:
        return {**(merged or {}), _WIDGET_TOKEN: None}
    return merged if "conversations_settings" in new or old else stored.conversations_settings


def _replace_logs_settings(old: dict[str, Any], new: dict[str, Any] | None, now: datetime) -> dict[str, Any] | None:
    """Replace the settings of logs, except the server's timestamp of the last change of retention (D36)."""
    stamp = old.get(_STAMP)
    replaced = {key: value for key, value in (new or {}).items() if key != _STAMP}
    is_changed = replaced.get("retention_days") != old.get("retention_days")
    if is_changed and stamp and "retention_days" in replaced:
        rest = datetime.fromisoformat(stamp) + _RETENTION_PAUSE - now
        if rest > timedelta(0):
            hours = -(-rest // timedelta(hours=1))
            raise ValidationError(
                {
                    "logs_settings": "Log retention can be changed once in 24 hours:"
                    f" try again in {hours} hour{'' if hours == 1 else 's'}."
                }
            )
    if is_changed and ("retention_days" in old or stamp):
        stamp = now.isoformat()
    return {**replaced, _STAMP: stamp} if stamp else (None if new is None else replaced)


def without_token(settings: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the settings of conversations with their token masked."""
    token = (settings or {}).get(_WIDGET_TOKEN)
    return {**settings, _WIDGET_TOKEN: mask_key(token)} if settings and token else settings
