"""Provisions the annotations of a project, by the rules of the API."""

from typing import Any

from annotations.models import Annotation
from annotations.serializers import AnnotationSerializer
from core6.analytics.models import Dashboard, Insight
from core6.analytics.records import moment
from core6.database import timestamps
from core6.provisioning.project_entries import AnnotationEntry
from core6.provisioning.rows import check_valid, get_unique
from core6.provisioning.run import Run
from projects.models import Project

#: The keys of the file by the names of the fields.
_KEYS = {"dashboard_id": "dashboard", "dashboard_item": "insight"}


def provision_annotation(run: Run, project: Project, entry: AnnotationEntry) -> dict[str, Any]:
    """Create or update the annotation; return its id. Raises WorldError."""
    given = entry.given("content", "date_marker", "scope", "creation_type")
    if entry.date_marker is not None:
        given["date_marker"], _ = moment(entry.date_marker, "date_marker", timestamps.now())
    found = _find(project, entry, given.get("date_marker"))
    if found is None:
        given = {"scope": entry.scope, **given}
    elif entry.is_relative:
        del given["date_marker"]  # it counts from the first run
    if entry.dashboard is not None:
        given["dashboard_id"] = _key_of(run, Dashboard, project, entry.dashboard, f"{entry.path}.dashboard")
    if entry.insight is not None:
        given["dashboard_item"] = _key_of(run, Insight, project, entry.insight, f"{entry.path}.insight")
    serializer = AnnotationSerializer(found, data=given, partial=found is not None, context={"project_id": project.pk})
    check_valid(serializer, entry.path, _KEYS)
    creator = run.creator(entry)
    values = {**serializer.validated_data, **creator}
    if found is None:
        found = serializer.save(organization=project.organization, project=project, **creator)
    elif any(getattr(found, name) != value for name, value in values.items()):
        serializer.save(**creator)
    return {"id": found.pk}


def _find(project: Project, entry: AnnotationEntry, date_marker: str | None) -> Annotation | None:
    rows = Annotation.objects.filter(project=project, content=entry.content, deleted=False).order_by("pk")
    if not entry.is_relative:
        rows = rows.filter(date_marker=date_marker)
    return rows.first()


def _key_of(run: Run, model: type[Dashboard] | type[Insight], project: Project, name: str, path: str) -> int:
    kind = model._meta.verbose_name
    found = get_unique(model._default_manager.filter(project=project, name=name, deleted=False), path)
    if found is None:
        raise run.problems.missing(path, name, f"there is no {kind} {name!r}: add one to {kind}s")
    key: int = found.pk
    return key
