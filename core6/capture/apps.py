from django.apps import AppConfig


class CaptureConfig(AppConfig):
    name = "core6.capture"
