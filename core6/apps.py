"""The project itself as an app, for its management commands."""

from django.apps import AppConfig


class Core6Config(AppConfig):
    name = "core6"
