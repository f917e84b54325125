"""Provisions one project of a world."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cohorts.calculation.dependencies import lock_definitions
from core6.accounts.models import Level, Organization
from core6.analytics.models import MOST_GROUP_TYPES, Dashboard, GroupType, Insight
from core6.provisioning.annotations import provision_annotation
from core6.provisioning.cohorts import provision_cohort
from core6.provisioning.errors import WorldError, error_line, with_suggestion
from core6.provisioning.people import provision_people
from core6.provisioning.project_entries import DashboardEntry, GroupTypeEntry, InsightEntry, ProjectEntry
from core6.provisioning.rows import check_valid, get_unique, save
from core6.provisioning.run import Run
from projects.models import Project
from projects.onboarding import create_project
from projects.serializers import WRITABLE, ProjectSerializer


def provision_project(run: Run, organization: Organization, entry: ProjectEntry) -> dict[str, Any]:
    """Create or update the project with its contents; return its ids in the command's output format.

    Raises WorldError, or collects the errors of parts in the run.
    """
    path = entry.path
    project = get_unique(Project.objects.filter(organization=organization, name=entry.name), path)
    if project is None:
        project = create_project(organization=organization, user=None, name=entry.name)
    with run.problems.collect():
        save(project, entry.given("api_token"), path)

    def made(entries: Sequence[Any], provision: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        found = {}
        for each in entries:
            with run.problems.collect(each.name):
                found[each.name] = provision(each)
        return found

    dashboards = made(entry.dashboards, lambda each: _dashboard(project, each))
    insights = made(entry.insights, lambda each: _insight(project, each))
    for kind in entry.group_types:
        with run.problems.collect():
            _group_type(project, kind)
    for name in entry.model_extra or {}:
        if name not in WRITABLE:
            message = with_suggestion("unknown property", name, {*WRITABLE, *type(entry).model_fields})
            run.problems.add(WorldError(error_line(f"{path}.{name}", message)))
    with run.problems.collect():
        _apply_settings(run, project, entry, dashboards)
    people = provision_people(run, project.pk, entry)
    if people.get("event_count"):
        save(project, {"ingested_event": True}, path)
    if entry.cohorts:
        lock_definitions(project.pk)
    cohorts = made(entry.cohorts, lambda each: provision_cohort(run, project, each, has_people=bool(people)))
    annotations = []
    for note in entry.annotations:
        with run.problems.collect():
            annotations.append(provision_annotation(run, project, note))
    return {
        "id": project.pk,
        "uuid": str(project.uuid),
        "api_token": project.api_token,
        "dashboards": dashboards,
        "insights": insights,
        **people,
        **({"cohorts": cohorts} if entry.cohorts else {}),
        **({"annotations": annotations} if entry.annotations else {}),
    }


def _dashboard(project: Project, entry: DashboardEntry) -> dict[str, Any]:
    rows = Dashboard.objects.filter(project=project, name=entry.name, deleted=False)
    dashboard = get_unique(rows, entry.path) or Dashboard(project=project, name=entry.name)
    return {"id": save(dashboard, {}, entry.path).pk}


def _insight(project: Project, entry: InsightEntry) -> dict[str, Any]:
    rows = Insight.objects.filter(project=project, name=entry.name, deleted=False)
    insight = get_unique(rows, entry.path) or Insight(project=project, name=entry.name)
    insight = save(insight, entry.given("derived_name"), entry.path)
    return {"id": insight.pk, "short_id": insight.short_id}


def _apply_settings(run: Run, project: Project, entry: ProjectEntry, dashboards: Mapping[str, Any]) -> None:
    """Set the fields in the file by the rules of the API; a dashboard may be given by its name."""
    given = dict(entry.model_extra or {})
    named = given.get("primary_dashboard")
    if isinstance(named, str):
        at = f"{entry.path}.primary_dashboard"
        if named in dashboards:
            given["primary_dashboard"] = dashboards[named]["id"]
        else:
            del given["primary_dashboard"]
            run.problems.add(run.problems.missing(at, named, f"there is no dashboard {named!r}: add one to dashboards"))
    serializer = ProjectSerializer(project, data=given, partial=True, context={"level": Level.OWNER, "user": None})
    check_valid(serializer, entry.path)
    serializer.save()


def _group_type(project: Project, entry: GroupTypeEntry) -> None:
    rows = GroupType.objects.filter(project=project)
    found = rows.filter(group_type=entry.group_type).first()
    if found is None and rows.count() == MOST_GROUP_TYPES:
        raise WorldError(f"{entry.path}: a project has at most {MOST_GROUP_TYPES} group types: leave one out")
    kind = found or GroupType(project=project, group_type=entry.group_type, group_type_index=rows.count())
    save(kind, entry.given("name_singular", "name_plural"), entry.path)
