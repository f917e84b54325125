"""The settings plus the apps that only `make lint` needs."""

from core6.settings import *  # noqa: F403  # this module is the other one and a little more
from core6.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_linear_migrations"]
