from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "core6.demo"
