from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "core6.analytics"
