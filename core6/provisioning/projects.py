"""Provisions one project of a world."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core6.accounts.models import Level, Organization
from core6.analytics.models import MOST_GROUP_TYPES, Dashboard, GroupType, Insight
from core6.provisioning.people import provision_people
from core6.provisioning.rows import check, get_unique, save
from core6.provisioning.world import GroupTypeEntry, ProjectEntry, WorldError
from projects.models import Project
from projects.onboarding import create_project
from projects.serializers import WRITABLE, ProjectSerializer


def provision_project(organization: Organization, entry: ProjectEntry, path: str, base: Path) -> dict[str, Any]:
    """Create or update the project with its contents; return its ids in the command's output format.

    Paths in the entry are relative to `base`; raises WorldError.
    """
    project = get_unique(Project.objects.filter(organization=organization, name=entry.name), path)
    _check_settings(entry, path)
    if project is None:
        others = [field.name for field in Project._meta.fields if field.name != "name"]
        check(Project(name=entry.name), path, but=others)
        project = create_project(organization=organization, user=None, name=entry.name)
    save(project, entry.given("api_token"), path)
    dashboards, insights = {}, {}
    for i, board in enumerate(entry.dashboards):
        rows = Dashboard.objects.filter(project=project, name=board.name, deleted=False)
        at = f"{path}.dashboards[{i}]"
        dashboards[board.name] = {
            "id": save(get_unique(rows, at) or Dashboard(project=project, name=board.name), {}, at).pk
        }
    for i, chart in enumerate(entry.insights):
        charts = Insight.objects.filter(project=project, name=chart.name, deleted=False)
        at = f"{path}.insights[{i}]"
        insight = get_unique(charts, at) or Insight(project=project, name=chart.name)
        insight = save(insight, chart.given("derived_name"), at)
        insights[chart.name] = {"id": insight.pk, "short_id": insight.short_id}
    for i, kind in enumerate(entry.group_types):
        _group_type(project, kind, f"{path}.group_types[{i}]")
    _apply_settings(project, entry, dashboards, path)
    people = provision_people(project.pk, entry, path, base)
    if people["event_count"]:
        save(project, {"ingested_event": True}, path)
    return {
        "id": project.pk,
        "uuid": str(project.uuid),
        "api_token": project.api_token,
        "dashboards": dashboards,
        "insights": insights,
        **people,
    }


def _check_settings(entry: ProjectEntry, path: str) -> None:
    """Refuse a property that is not a writable field of a project."""
    for name in entry.model_extra or {}:
        if name not in WRITABLE:
            raise WorldError(f"{path}.{name}: unknown property")


def _apply_settings(project: Project, entry: ProjectEntry, dashboards: Mapping[str, Any], path: str) -> None:
    """Set the fields in the file by the rules of the API; a dashboard may be given by its name."""
    given = dict(entry.model_extra or {})
    named = given.get("primary_dashboard")
    if isinstance(named, str):
        if named not in dashboards:
            raise WorldError(f"{path}.primary_dashboard: there is no dashboard {named!r}: add one to dashboards")
        given["primary_dashboard"] = dashboards[named]["id"]
    context = {"level": Level.OWNER, "user": None}
    serializer = ProjectSerializer(project, data=given, partial=True, context=context)
    if not serializer.is_valid():
        name, errors = next(iter(serializer.errors.items()))
        raise WorldError(f"{path}.{name}: {_first_message(errors)}")
    serializer.save()


def _first_message(errors: Any) -> str:
    """Return the first message of a serializer's errors, at any depth."""
    while isinstance(errors, list | dict):
        errors = errors[0] if isinstance(errors, list) else next(iter(errors.values()))
    return str(errors)


def _group_type(project: Project, entry: GroupTypeEntry, path: str) -> None:
    rows = GroupType.objects.filter(project=project)
    found = rows.filter(group_type=entry.group_type).first()
    if found is None and rows.count() == MOST_GROUP_TYPES:
        raise WorldError(f"{path}: a project has at most {MOST_GROUP_TYPES} group types: leave one out")
    kind = found or GroupType(project=project, group_type=entry.group_type, group_type_index=rows.count())
    save(kind, entry.given("name_singular", "name_plural"), path)
