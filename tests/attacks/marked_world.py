"""Acme with one of everything. Each of its texts holds the mark, so that any answer with the mark shows a text of Acme.

Alice owns Initech, too, and looks at that one; Bob administers Acme alone; Dave is a member of Globex alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, models, transaction

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort, CohortMember
from core6.accounts.models import Level, Membership, Organization
from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard, DistinctId, Experiment, GroupType, Insight, Person
from projects.models import ProductIntent, Project
from roles.models import Role, RoleMembership
from tests.conftest import Cast, make_cast
from tests.support.api.answers_world import fill

MARK: Final = "zqx"


def marked(what: str) -> str:
    return f"{MARK} {what}"


@dataclass
class World:
    """The rows, and who is there."""

    cast: Cast
    initech: Organization
    shop: Project
    #: Globex has a cohort and a role of its own.
    globex_cohort: Cohort
    globex_role: Role
    note: Annotation
    cohort: Cohort
    static: Cohort
    person: Person
    dashboard: Dashboard
    insight: Insight
    role: Role
    membership: RoleMembership

    def ids(self, template: str) -> dict[str, Any]:
        """Return the value of each name in an address: rows of Acme."""
        resource = template.partition("{id}")[0].strip("/").split("/")[-1]
        rows: dict[str, models.Model] = {
            "annotations": self.note,
            "cohorts": self.static if "persons" in template or "remove_person" in template else self.cohort,
            "roles": self.role,
            "role_memberships": self.membership,
            "organizations": self.cast.acme,
            "projects": self.cast.web,
            "environments": self.cast.web,
        }
        return {
            "project_id": self.cast.web.pk,
            "organization_id": self.cast.acme.pk,
            "role_id": self.role.pk,
            "id": rows[resource].pk if resource in rows else None,
        }

    def at(self, template: str, **others: Any) -> str:
        """Return an address with ids of Acme, but for `others`."""
        return template.format(**{**self.ids(template), **others})

    @property
    def body(self) -> dict[str, Any]:
        """Return a body with which every writing operation has what it needs."""
        return {
            "name": "theirs",
            "content": "theirs",
            "scope": "project",
            "is_static": True,
            "product_type": "surveys",
            "user_uuid": str(self.cast.carol.uuid),
            "person_ids": [str(self.person.uuid)],
            "person_id": str(self.person.uuid),
        }

    @property
    def secrets(self) -> set[str]:
        """Return the texts that belong to Acme and hold no mark."""
        users = (self.cast.bob, self.cast.carol)
        return {str(self.person.uuid), self.insight.short_id, *(str(each.uuid) for each in users)} | {
            str(project.uuid) for project in (self.cast.web, self.cast.app)
        }


def make_world() -> World:
    cast = make_cast()
    initech = Organization.objects.create(name="Initech")
    shop = Project.objects.create(organization=initech, name="Shop")
    Membership.objects.create(organization=initech, user=cast.alice, level=Level.OWNER)
    cast.alice.current_organization, cast.alice.current_project = initech, shop
    cast.alice.save()
    for user in (cast.bob, cast.carol):
        user.email, user.first_name, user.last_name = f"{MARK}{user.pk}@example.com", marked("first"), marked("last")
        user.distinct_id = marked(f"user {user.pk}")
        user.save()
    cast.acme.name = marked("Acme")
    dashboard = Dashboard.objects.create(project=cast.web, name=marked("dashboard"))
    insight = Insight.objects.create(project=cast.web, name=marked("insight"), derived_name=marked("derived"))
    for project in (cast.web, cast.app):
        _mark_project(project)
    note = Annotation.objects.create(
        organization=cast.acme,
        project=cast.web,
        content=marked("note"),
        scope="organization",
        dashboard=dashboard,
        dashboard_item=insight,
        created_by=cast.bob,
    )
    person = Person.objects.create(project_id=cast.web.pk, properties={"email": marked("person"), "plan": "pro"})
    DistinctId.objects.create(project_id=cast.web.pk, distinct_id=marked("distinct id"), person_uuid=person.uuid)
    leaf = {"type": "person", "key": marked("key"), "operator": "exact", "value": marked("value"), "negation": False}
    filters = {"properties": {"type": "AND", "values": [leaf]}}
    cohort, static = (
        Cohort.objects.create(
            project=cast.web, name=marked("cohort"), filters=filters, is_static=is_static, created_by=cast.bob
        )
        for is_static in (False, True)
    )
    for each in (cohort, static):
        CohortMember.objects.create(project_id=cast.web.pk, cohort_id=each.pk, person_uuid=person.uuid)
        Experiment.objects.create(project=cast.web, name=marked("experiment"), exposure_cohort=each)
        queries = [{"query": marked("SQL"), "query_ms": 5, "memory_mb": 1, "read_rows": 3, "written_rows": 2}]
        Calculation.objects.create(
            cohort=each, error=marked("error"), error_code="timeout", filters=filters, queries=queries
        )
    role = Role.objects.create(organization=cast.acme, name=marked("role"), created_by=cast.bob)
    member = Membership.objects.get(organization=cast.acme, user=cast.bob)
    membership = RoleMembership.objects.create(role=role, organization_member=member)
    cast.acme.default_role = role
    cast.acme.save()
    for kind, item in (("Annotation", note), ("Cohort", cohort), ("Team", cast.web), ("Project", cast.web)):
        ActivityLog.objects.create(
            organization=cast.acme,
            project=cast.web,
            user=cast.bob,
            scope=kind,
            item_id=item.pk,
            activity="updated",
            detail={"name": marked("change")},
        )
    return World(
        cast=cast,
        initech=initech,
        shop=shop,
        globex_cohort=Cohort.objects.create(project=cast.globex_web, is_static=True),
        globex_role=Role.objects.create(organization=cast.globex, name="Sales"),
        note=note,
        cohort=cohort,
        static=static,
        person=person,
        dashboard=dashboard,
        insight=insight,
        role=role,
        membership=membership,
    )


def _mark_project(project: Project) -> None:
    texts: dict[str, Any] = {
        "name": marked(project.name),
        "product_description": marked("product"),
        "api_token": f"phc_{MARK}{project.pk}",
        "secret_api_token": f"phs_{MARK}{project.pk}",
        "secret_api_token_backup": f"phs_{MARK}b{project.pk}",
        "slack_incoming_webhook": f"https://example.com/{MARK}",
        "app_urls": [f"https://{MARK}.example.com"],
        "test_account_filters": [{"key": marked("filter")}],
        "modifiers": {"note": marked("modifier")},
        "conversations_settings": {"widget_public_token": f"phc_{MARK}w"},
    }
    fill(project, is_full=True, **texts)
    GroupType.objects.create(project=project, group_type=marked("group"), group_type_index=0)
    ProductIntent.objects.create(project=project, product_type=marked("intent"))


@contextmanager
def taken_back() -> Iterator[None]:
    """Undo what the block writes."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


@contextmanager
def forgotten_at_the_end() -> Iterator[None]:
    """The same, for many blocks within: each that is taken back costs the driver what it has prepared."""
    with transaction.atomic():
        threshold, connection.connection.prepare_threshold = connection.connection.prepare_threshold, None
        yield
        connection.connection.prepare_threshold = threshold
        transaction.set_rollback(True)
