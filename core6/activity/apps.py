from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "core6.activity"
