"""Provisions the cohorts of a project, by the rules of the API."""

from typing import Any

from cohorts import changes
from cohorts.members.static import add_persons, by_uuid
from cohorts.models import Cohort, CohortMember
from cohorts.serializers import CohortSerializer
from core6.analytics import loading
from core6.api.echo import is_same
from core6.api.ids import parse_uuid
from core6.provisioning.criteria import with_ids
from core6.provisioning.project_entries import CohortEntry
from core6.provisioning.rows import check_valid, get_unique
from core6.provisioning.run import Run
from projects.models import Project


def provision_cohort(run: Run, project: Project, entry: CohortEntry, *, has_people: bool) -> dict[str, Any]:
    """Create or update the cohort and request its calculation; return its id. Raises WorldError.

    Needs lock_definitions. Without the people of the file, which are invalid, a static cohort gets no members.
    """
    found = get_unique(Cohort.objects.filter(project=project, name=entry.name, deleted=False), entry.path)
    given = entry.given("name", "description", "filters", "query", "is_static")
    if given.get("filters"):
        given["filters"] = with_ids(given["filters"], lambda name: _id_of(run, project, entry, name))
    serializer = CohortSerializer(found, data=given, partial=found is not None, context={"project_id": project.pk})
    check_valid(serializer, entry.path)
    creator = run.creator(entry)
    if found is None:
        cohort: Cohort = serializer.save(project=project, **creator)
        if not entry.members:
            changes.after_create(serializer)
    else:
        cohort = found
        values = {**serializer.validated_data, **creator}
        if any(not is_same(getattr(cohort, name), value) for name, value in values.items()):
            before = changes.State.of(cohort)
            serializer.save(**creator)
            changes.after_update(serializer, before)
    if entry.members and has_people:
        _add_members(run, cohort, entry)
    return {"id": cohort.pk}


def _id_of(run: Run, project: Project, entry: CohortEntry, name: str) -> int:
    path = f"{entry.path}.filters"
    cohort = get_unique(Cohort.objects.filter(project=project, name=name, deleted=False), path)
    if cohort is None:
        message = f"there is no cohort {name!r}: add one to cohorts, before this one"
        raise run.problems.missing(path, name, message)
    return cohort.pk


def _add_members(run: Run, cohort: Cohort, entry: CohortEntry) -> None:
    """Add the persons that are not yet members."""
    uuids = loading.owners(cohort.project_id, entry.members)
    for index, name in enumerate(entry.members):
        if name not in uuids:
            message = f"there is no person with the distinct id {name!r}: add one to persons"
            run.problems.add(run.problems.missing(f"{entry.path}.members[{index}]", name, message))
    wanted = {uuid for each in uuids.values() if (uuid := parse_uuid(each))}
    rows = CohortMember.objects.filter(project_id=cohort.project_id, cohort_id=cohort.pk, person_uuid__in=wanted)
    new = wanted.difference(rows.values_list("person_uuid", flat=True))
    if new:
        add_persons(cohort, by_uuid(cohort, sorted(new)))
