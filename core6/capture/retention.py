"""Deletes events that are older than EVENT_RETENTION_DAYS (E14)."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from core6.database import timestamps
from projects.models import Project

_AT_ONCE: Final = 10_000
_DELETE: Final = """
DELETE FROM analytics_event WHERE project_id = %s AND uuid IN (
    SELECT uuid FROM analytics_event WHERE project_id = %s AND "timestamp" < %s LIMIT %s)"""


def forget_old() -> int:
    """Delete old events, project by project, some at a time; return how many. Without the setting none is old."""
    if not settings.EVENT_RETENTION_DAYS:
        return 0
    before = timestamps.now() - timedelta(days=settings.EVENT_RETENTION_DAYS)
    deleted = 0
    for project in Project.objects.order_by("pk").values_list("pk", flat=True):
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_DELETE, [project, project, before, _AT_ONCE])
                deleted += cursor.rowcount
            if cursor.rowcount < _AT_ONCE:
                break
    return deleted
