"""Index changes by their age, for their deletion; built while old code reads and writes."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("activity", "0002_change_name")]

    operations = [AddIndexConcurrently("activitylog", BrinIndex(fields=["created_at"], name="activity_by_age"))]
