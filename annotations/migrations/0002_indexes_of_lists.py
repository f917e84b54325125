"""Index what lists show, and no deleted rows; built while old code reads and writes."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("annotations", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            "annotation",
            models.Index(
                fields=["project", "-date_marker", "-id"],
                condition=models.Q(("deleted", False)),
                name="annotations_of_a_project",
            ),
        ),
        AddIndexConcurrently(
            "annotation",
            models.Index(
                fields=["organization", "-date_marker", "-id"],
                condition=models.Q(("deleted", False), ("scope", "organization")),
                include=["project"],
                name="annotations_shared",
            ),
        ),
        RemoveIndexConcurrently("annotation", "annotation_of_a_project"),
        RemoveIndexConcurrently("annotation", "annotation_of_an_organization"),
    ]
