"""Demo projects: a job fills them, which core6.demo brings (D32, contract/projects.md 1.8, 3.3)."""

from core6 import jobs
from core6.accounts.models import Organization
from projects.models import Project


def request_demo_data(project: Project) -> None:
    """Have a job fill the project, in the transaction that creates it."""
    task = "core6.demo.tasks.fill_demo_project"
    jobs.enqueue(task, lock=_lock(project.pk), is_unique=True, project_id=project.pk)


def is_generating(project_id: int) -> bool:
    """Tell whether the job that fills the project waits or runs; the queue knows, so that nothing is left true."""
    return jobs.exists([_lock(project_id)], is_running_too=True)


def has_demo_project(organization: Organization) -> bool:
    """Tell whether the organization has its one demo project; nobody else makes one until the transaction ends."""
    Organization.objects.select_for_update().get(pk=organization.pk)
    return Project.objects.filter(organization=organization, is_demo=True).exists()


def _lock(project_id: int) -> str:
    return f"demo:{project_id}"
