"""The words for changes of the activity log."""

from typing import Final

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
