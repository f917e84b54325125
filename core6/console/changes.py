"""The words for changes of the activity log."""

import json
from collections.abc import Mapping
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core6.activity.models import ActivityLog

#: The kinds of objects, by the scope of a change.
KINDS: Final = {
    "Annotation": "annotation",
    "Cohort": "cohort",
    "Project": "project",
    "Team": "project settings",
    "Survey": "survey settings",
    "Role": "role",
    "RoleMembership": "member of a role",
    "Organization": "organization",
    "OrganizationMembership": "member of an organization",
    "User": "user",
    "PersonalAPIKey": "API key",
    "Job": "job",
}
_LONGEST: Final = 80


def kind(change: ActivityLog) -> str:
    """Return the kind of object that was changed, in words."""
    return KINDS.get(change.scope, change.scope)


def name(change: ActivityLog) -> str:
    """Return the name of the object that was changed, else its id."""
    text = str(change.detail.get("name") or change.item_id)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def verb(change: ActivityLog) -> str:
    """Return what was done, in words."""
    return change.activity.replace("_", " ")


def sentence(change: ActivityLog) -> str:
    """Return a change as text, such as "API key “ci”: revoked"."""
    text = kind(change)
    return f"{text[:1].upper()}{text[1:]} “{name(change)}”: {verb(change)}"


def table(change: ActivityLog) -> SafeString:
    """Return the fields that were changed as a table, and where the object belongs as a list below it."""
    entries = change.detail.get("changes") or []
    rows = [(each.get("field"), _value(each.get("before")), _value(each.get("after"))) for each in entries]
    context = {name: value for name, value in (change.detail.get("context") or {}).items() if value is not None}
    fields = format_html(
        '<table class="core6-fields"><thead><tr><th scope="col">Field</th><th scope="col">Before</th>'
        '<th scope="col">After</th></tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>', rows),
    )
    lines = format_html_join("", "<li>{}: {}</li>", ((_words(name), _value(value)) for name, value in context.items()))
    return format_html("{}{}", fields if rows else "none", format_html("<ul>{}</ul>", lines) if context else "")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> Any:
    """Return a value of a field as it is shown: objects and lists as JSON, with their lines."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
    return value
