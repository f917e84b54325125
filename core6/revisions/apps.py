from django.apps import AppConfig


class RevisionsConfig(AppConfig):
    name = "core6.revisions"
