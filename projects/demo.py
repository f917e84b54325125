"""Demo projects, which a job of core6.demo fills (D32)."""

from core6 import jobs
from core6.accounts.models import Organization
from projects.models import Project


def request_demo_data(project: Project) -> None:
    """Queue the job that fills the project, in the transaction that creates it."""
    task = "core6.demo.tasks.fill_demo_project"
    jobs.enqueue(task, lock=_lock(project.pk), is_unique=True, project_id=project.pk)


def is_generating(project_id: int) -> bool:
    """Return whether the job that fills the project is queued or running; read from the queue, not from a flag."""
    return jobs.exists([_lock(project_id)], is_running_too=True)


def has_demo_project(organization: Organization) -> bool:
    """Return whether the organization has a demo project; locks it until the end of the transaction."""
    Organization.objects.select_for_update().get(pk=organization.pk)
    return Project.objects.filter(organization=organization, is_demo=True).exists()


def _lock(project_id: int) -> str:
    return f"demo:{project_id}"
