"""The contents of a demo project: visitors of a shop with their events, and objects such as cohorts of them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from django.db import transaction

from annotations.models import Annotation
from cohorts.calculation.dependencies import lock_definitions
from cohorts.calculation.run import request_calculation
from cohorts.criteria.parse import dump, parse
from cohorts.criteria.types import automatic_type
from cohorts.models import Cohort
from core6.analytics.loading import load_events, load_persons
from core6.analytics.models import Dashboard, Insight
from projects.models import Project

PERSONS: Final = 200
_DAYS: Final = 60
_SEED: Final = 6
_PLANS: Final = ("free", "pro", "enterprise")
_COUNTRIES: Final = ("DE", "FR", "GB", "IN", "US")
_PATHS: Final = ("/", "/pricing", "/docs", "/blog", "/signup")


def fill(project_id: int) -> None:
    """Fill the project in one transaction, always with the same persons and events, before its creation time.

    Does nothing if the project was deleted meanwhile.
    """
    with transaction.atomic():
        # Weaker than FOR UPDATE, which a new cohort would wait for while it has the lock that _objects needs.
        project = Project.objects.select_for_update(no_key=True).filter(pk=project_id).first()
        if project is None or project.ingested_event:
            return
        until = project.created_at
        load_persons(project_id, enumerate(_persons(until)), now=until)
        load_events(project_id, enumerate(_events(until)), now=until)
        project.ingested_event = True
        project.save(update_fields=["ingested_event"])
        _objects(project, until)


def _persons(until: datetime) -> Iterator[dict[str, Any]]:
    random = Random(_SEED)  # noqa: S311  # not a secret
    for i in range(PERSONS):
        began = until - timedelta(days=random.randint(1, _DAYS), hours=random.randint(0, 23))
        yield {
            "distinct_ids": [f"visitor-{i}"],
            "is_identified": True,
            "created_at": began.isoformat(),
            "properties": {
                "email": f"visitor{i}@{random.choice(('example.com', 'example.org', 'hedgebox.net'))}",
                "name": f"Visitor {i}",
                "plan": random.choices(_PLANS, weights=(6, 3, 1))[0],
                "country": random.choice(_COUNTRIES),
                "seats": random.randint(1, 50),
            },
        }


def _events(until: datetime) -> Iterator[dict[str, Any]]:
    random = Random(_SEED + 1)  # noqa: S311  # not a secret
    for i, person in enumerate(_persons(until)):
        began = datetime.fromisoformat(person["created_at"])
        yield _event(i, "signed_up", began, {"plan": person["properties"]["plan"]})
        for _ in range(random.randint(0, 25)):
            at = began + (until - began) * random.random()
            yield _event(i, "$pageview", at, {"$pathname": random.choice(_PATHS)})
        if person["properties"]["plan"] != "free":
            at = began + (until - began) * random.random()
            yield _event(i, "purchase", at, {"amount": random.randint(10, 500)})


def _event(person: int, event: str, at: datetime, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "distinct_id": f"visitor-{person}",
        "event": event,
        "timestamp": at.isoformat(),
        "properties": properties,
    }


def _objects(project: Project, until: datetime) -> None:
    dashboard = Dashboard.objects.create(project=project, name="Web traffic")
    project.primary_dashboard = dashboard
    project.save(update_fields=["primary_dashboard"])
    Dashboard.objects.create(project=project, name="Revenue")
    insight = Insight.objects.create(project=project, name="Pageviews", derived_name="Pageview count")
    common = {"organization": project.organization, "project": project}
    Annotation.objects.create(
        **common, content="New pricing page", date_marker=until - timedelta(days=30), scope="project"
    )
    Annotation.objects.create(
        **common, content="Blog post shared", date_marker=until - timedelta(days=10), dashboard_item=insight
    )
    lock_definitions(project.pk)
    for name, values in _COHORTS.items():
        criteria = parse({"properties": {"type": "AND", "values": values}})
        cohort = Cohort.objects.create(
            project=project,
            name=name,
            filters=dump(criteria),
            cohort_type=automatic_type(criteria, lambda _: False),
        )
        request_calculation(cohort)


_COHORTS: Final[dict[str, list[dict[str, Any]]]] = {
    "Paying": [{"type": "person", "key": "plan", "operator": "exact", "value": ["pro", "enterprise"]}],
    "Large teams": [{"type": "person", "key": "seats", "operator": "gte", "value": 25}],
    "Recently active": [
        {
            "type": "behavioral",
            "value": "performed_event_multiple",
            "key": "$pageview",
            "event_type": "events",
            "operator": "gte",
            "operator_value": 3,
            "time_value": 30,
            "time_interval": "day",
        }
    ],
}
