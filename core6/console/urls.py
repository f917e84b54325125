"""The URLs of the console under `/admin/`, loaded by the first request for it."""

from procrastinate.contrib.django.models import ProcrastinateJob

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts.models import Organization, PersonalAPIKey, User
from core6.activity.models import ActivityLog
from core6.console.activity import ActivityLogAdmin
from core6.console.annotations import AnnotationAdmin
from core6.console.api_keys import PersonalAPIKeyAdmin
from core6.console.cohorts import CohortAdmin
from core6.console.jobs import JobAdmin
from core6.console.organizations import OrganizationAdmin, UserAdmin
from core6.console.projects import ProjectAdmin
from core6.console.roles import RoleAdmin
from core6.console.site import site
from projects.models import Project
from roles.models import Role

site.register(User, UserAdmin)
site.register(Organization, OrganizationAdmin)
site.register(Project, ProjectAdmin)
site.register(Role, RoleAdmin)
site.register(Annotation, AnnotationAdmin)
site.register(Cohort, CohortAdmin)
site.register(PersonalAPIKey, PersonalAPIKeyAdmin)
site.register(ProcrastinateJob, JobAdmin)
site.register(ActivityLog, ActivityLogAdmin)

urlpatterns = site.get_urls()
