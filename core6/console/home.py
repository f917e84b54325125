"""The first page of the console: what is wrong, how much there is, what happens."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, connection, models, transaction
from django.db.models import Count, Q
from django.db.models.functions import TruncHour
from django.urls import reverse
from django.utils import timezone

from cohorts.models import Calculation, Cohort
from core6.accounts.models import Organization, PersonalAPIKey, User
from core6.activity.models import ActivityLog
from core6.analytics.models import Event, Person
from core6.console.changes import sentence
from core6.console.charts import BLUE, GREEN, ORANGE, RED, Chart, Series
from core6.console.times import ago
from core6.diagnosis.doctor import QUESTIONS, answer
from core6.diagnosis.findings import Finding
from core6.traffic.models import Minute
from projects.models import Project

#: The checks of `manage.py doctor` that the page shows, and the list that each is about.
OVERVIEW: Final = {
    "job workers": "procrastinate_procrastinatejob",
    "jobs": "procrastinate_procrastinatejob",
    "failed jobs": "procrastinate_procrastinatejob?status__exact=failed",
    "stuck jobs": "procrastinate_procrastinatejob?status__exact=doing",
    "failing cohorts": "cohorts_cohort?state=failing",
    "waiting cohorts": "cohorts_cohort?state=calculating",
    "long calculations": "cohorts_cohort?state=calculating",
    "long statements": "procrastinate_procrastinatejob?status__exact=doing",
    "idle transactions": "procrastinate_procrastinatejob?status__exact=doing",
}
_ORDER: Final = ("bad", "warning", "ok")
_COHORT: Final = re.compile(r"cohort (\d{1,18}) ")
_MINUTES: Final = 60
_HOURS: Final = 24
_KEY_DAYS: Final = 30
_CHANGES: Final = 6
_COUNT_SECONDS: Final = 1


@dataclass(frozen=True)
class Number:
    """A number, what it counts, a remark, and the list that has the rows; "" for none."""

    value: str
    name: str
    note: str
    link: str
    is_bad: bool = False


def overview() -> dict[str, Any]:
    """Return what the page shows."""
    found = findings()
    changes = ActivityLog.objects.select_related("user").order_by("-id")[:_CHANGES]
    return {
        "alarms": [each for each in found if each[0].state != "ok"],
        "healthy": [each for each in found if each[0].state == "ok"],
        "numbers": numbers(),
        "charts": [requests_by_minute(), calculations_by_hour()],
        "changes": [(each, sentence(each), ago(each.created_at)) for each in changes],
    }


def findings() -> list[tuple[Finding, str]]:
    """Return what the doctor finds, bad findings first, each with a link to what it is about."""
    found = [each for question in QUESTIONS if question.name in OVERVIEW for each in answer(question)]
    return [(each, _link_of(each)) for each in sorted(found, key=lambda each: _ORDER.index(each.state))]


def _link_of(finding: Finding) -> str:
    """Return the page of the cohort that a finding begins with, else the list of its question."""
    cohort = _COHORT.match(finding.message)
    if cohort and finding.state != "ok":
        return reverse("admin:cohorts_cohort_change", args=(cohort[1],))
    name, _, query = OVERVIEW[finding.name].partition("?")
    return _list(name, query)


def _list(name: str, query: str = "") -> str:
    address = reverse(f"admin:{name}_changelist")
    return f"{address}?{query}" if query else address


def numbers() -> list[Number]:
    """Return how much there is."""
    now = timezone.now()
    keys = PersonalAPIKey.objects.aggregate(
        all=Count("pk"), used=Count("pk", filter=Q(last_used_at__gte=now - timedelta(days=_KEY_DAYS)))
    )
    cohorts = Cohort.objects.filter(deleted=False).aggregate(
        all=Count("pk"), failing=Count("pk", filter=Q(errors_calculating__gt=0))
    )
    projects, organizations = Project.objects.count(), Organization.objects.count()
    people, events = _count(Person), _count(Event)
    return [
        Number(
            *(f"{projects:,}", _noun(projects, "project"), f"in {_plural(organizations, 'organization')}"),
            _list("projects_project"),
        ),
        Number(people, "person" if people == "1" else "people", f"{_plural(User.objects.count(), 'user')} besides", ""),
        Number(events, "event" if events == "1" else "events", "in all projects", ""),
        Number(
            f"{keys['used']:,}",
            f"{_noun(keys['used'], 'key')} in use",
            f"of {keys['all']:,}, within {_KEY_DAYS} days",
            _list("accounts_personalapikey", "use=month"),
        ),
        Number(
            *(f"{cohorts['failing']:,}", f"{_noun(cohorts['failing'], 'cohort')} failing", f"of {cohorts['all']:,}"),
            _list("cohorts_cohort", "state=failing" if cohorts["failing"] else ""),
            is_bad=cohorts["failing"] > 0,
        ),
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {_noun(count, noun)}"


def _noun(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _count(model: type[models.Model]) -> str:
    """Return the number of rows; an estimate of the planner where counting takes too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{_COUNT_SECONDS}s"])
            count = model._default_manager.count()
            transaction.set_rollback(True)  # the limit ends here, also inside a transaction of the caller
        return f"{count:,}"
    except OperationalError:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
            return f"~{max(cursor.fetchone()[0], 0):,}"


def requests_by_minute() -> Chart:
    """Return the requests of the API in the last hour."""
    now = timezone.now().replace(second=0, microsecond=0)
    minutes = [now - timedelta(minutes=back) for back in reversed(range(_MINUTES))]
    found = {row.started_at: row for row in Minute.objects.filter(started_at__gte=minutes[0])}
    rows = [found.get(minute) for minute in minutes]
    total, refused, failed = (
        [getattr(row, name) if row else 0 for row in rows] for name in ("responses", "refused", "failed")
    )
    sentence = (
        f"{_plural(sum(total), 'request')} of the API in the last hour, at most {max(total):,} a minute;"
        f" {sum(refused):,} refused (4xx), {sum(failed):,} failed (5xx)."
    )
    return Chart(
        "bar",
        "Requests a minute",
        sentence,
        [f"{minute:%H:%M}" for minute in minutes],
        # The chart draws the first one on top.
        [
            Series("failed (5xx)", failed, RED),
            Series("refused (4xx)", [sum(pair) for pair in zip(refused, failed, strict=True)], ORANGE),
            Series("all", total, BLUE),
        ],
    )


def calculations_by_hour() -> Chart:
    """Return the calculations of cohorts in the last day."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=back) for back in reversed(range(_HOURS))]
    # Their ids begin with the time, and are indexed.
    found = (
        Calculation.objects.filter(pk__gte=_id_at(hours[0]), started_at__gte=hours[0])
        .order_by()
        .annotate(hour=TruncHour("started_at"))
        .values_list("hour")
        .annotate(all=Count("pk"), failed=Count("pk", filter=Q(error__gt="")))
    )
    counts = {hour: (total, failed) for hour, total, failed in found}
    total, failed = _columns([counts.get(hour, (0, 0)) for hour in hours])
    sentence = f"{_plural(sum(total), 'calculation')} of cohorts in the last 24 hours, {sum(failed):,} failed."
    return Chart(
        "bar",
        "Calculations an hour",
        sentence,
        [f"{hour:%H:%M}" for hour in hours],
        [Series("failed", failed, RED), Series("all", total, GREEN)],
    )


def _columns(rows: Iterable[tuple[int, int]]) -> tuple[Sequence[int], Sequence[int]]:
    first, second = zip(*rows, strict=True)
    return first, second


def _id_at(moment: datetime) -> UUID:
    """Return the smallest id that a row of this moment can have."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
