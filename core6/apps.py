"""The project as a Django app, for its management commands."""

from django.apps import AppConfig


class Core6Config(AppConfig):
    name = "core6"
