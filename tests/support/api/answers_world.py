"""Two worlds for the same calls: everything that may be null is null, or nothing is."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort, CohortMember
from core6.accounts.models import Membership, Organization, PersonalAPIKey
from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard, DistinctId, Experiment, GroupType, Insight, Person
from core6.security.encryption import EncryptedField
from projects.models import ProductIntent, Project
from roles.models import Role, RoleMembership
from tests.conftest import Cast

#: Values of columns whose type allows more than they hold.
_VALUES: Final[dict[str, Any]] = {
    "hedgehog_config": {"use_as_profile": True, "color": "red", "accessories": ["hat"], "skin": "default"},
    "autocapture_exceptions_errors_to_ignore": ["ResizeObserver"],
    "queries": [{"query": "SELECT 1", "query_ms": 5, "memory_mb": 1, "read_rows": 3, "written_rows": 2}],
    "filters": {"properties": {"type": "AND", "values": []}},
    "slack_incoming_webhook": "https://example.com/hook",
}
_KINDS: Final[dict[type, Any]] = {
    models.BooleanField: True,
    models.DecimalField: "0.50",
    models.IntegerField: 1,
    models.DateTimeField: datetime(2026, 1, 1, tzinfo=UTC),
    models.JSONField: {"a": 1},
    ArrayField: ["x"],
    EncryptedField: "x",
    models.CharField: "x",
    models.TextField: "x",
}


def fill(instance: models.Model, *, is_full: bool, **others: Any) -> Any:
    """Set every column that may be null, give it these relations, and save it."""
    for field in instance._meta.concrete_fields:
        if field.null and not field.is_relation:
            setattr(instance, field.name, _value(field) if is_full else None)
    for name, value in others.items():
        setattr(instance, name, value)
    instance.save()
    return instance


def _value(field: Any) -> Any:
    if field.name in _VALUES:
        return _VALUES[field.name]
    if field.choices:
        return field.choices[0][0]
    return next(value for kind, value in _KINDS.items() if isinstance(field, kind))


def build(cast: Cast, *, is_full: bool) -> None:
    """Fill the cast, or empty it, and store three of everything that a list shows, in place of what there was."""
    for model in (ActivityLog, Annotation, Cohort, Role, GroupType, ProductIntent):
        model._default_manager.all().delete()
    for user in (cast.alice, cast.bob, cast.carol):
        fill(user, is_full=is_full, distinct_id=f"distinct-{user.pk}" if is_full else None)
    creator = cast.alice if is_full else None
    dashboard = fill(Dashboard(project=cast.web), is_full=is_full) if is_full else None
    insight = fill(Insight(project=cast.web), is_full=is_full) if is_full else None
    _of_organizations(cast, creator, is_full=is_full)
    _of_project(cast, dashboard, is_full=is_full)
    for _ in range(3):
        fill(
            Annotation(organization=cast.acme, project=cast.web),
            is_full=is_full,
            created_by=creator,
            dashboard=dashboard,
            dashboard_item=insight,
        )
        _cohort(cast, creator, is_full=is_full)
    Cohort.objects.create(project=cast.web)
    ActivityLog.objects.bulk_create(
        ActivityLog(
            organization=cast.acme,
            project=cast.web,
            user=creator,
            scope=scope,
            item_id=each.pk,
            activity="updated",
            detail={"name": str(number)},
        )
        for scope, item in (("Annotation", Annotation), ("Cohort", Cohort), ("Team", Project))
        for number in range(3)
        for each in item.objects.all()
    )


def _of_organizations(cast: Cast, creator: Any, *, is_full: bool) -> None:
    for number in range(3):
        role = Role.objects.create(organization=cast.acme, name=f"Role {number}", created_by=creator)
        members = cast.acme.memberships.all() if is_full else cast.acme.memberships.filter(user=cast.bob)
        for member in members:
            RoleMembership.objects.create(role=role, organization_member=member)
    cast.acme.default_role = role if is_full else None
    cast.acme.save()
    if is_full:
        for name in ("Initech", "Umbrella"):
            Membership.objects.create(organization=Organization.objects.create(name=name), user=cast.alice)
        Project.objects.create(organization=cast.acme, name="Third")


def _of_project(cast: Cast, dashboard: Any, *, is_full: bool) -> None:
    fill(cast.web, is_full=is_full, primary_dashboard=dashboard)
    fill(
        GroupType(project=cast.web, group_type="company", group_type_index=0),
        is_full=is_full,
        detail_dashboard=dashboard,
    )
    fill(ProductIntent(project=cast.web, product_type="surveys"), is_full=is_full)


def _cohort(cast: Cast, creator: Any, *, is_full: bool) -> None:
    cohort = fill(Cohort(project=cast.web, is_static=True), is_full=is_full, created_by=creator)
    for _ in range(3):
        fill(Calculation(cohort=cohort), is_full=is_full)
        if is_full:
            person = Person.objects.create(project_id=cast.web.pk, properties={"email": "ann@example.com"})
            DistinctId.objects.create(project_id=cast.web.pk, distinct_id=person.uuid.hex, person_uuid=person.uuid)
            CohortMember.objects.create(project_id=cast.web.pk, cohort_id=cohort.pk, person_uuid=person.uuid)
            Experiment.objects.create(project=cast.web, name="One", exposure_cohort=cohort)


def key(cast: Cast, *, is_full: bool) -> str:
    """Return a key of Alice's that may do all, and whose own optional columns are filled or null."""
    restrictions: list[str] | None = [] if is_full else None
    value = cast.key(cast.alice, scoped_teams=restrictions, scoped_organizations=restrictions)
    PersonalAPIKey.objects.update(last_used_at=timezone.now() if is_full else None)
    return value
