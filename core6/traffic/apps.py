from django.apps import AppConfig


class TrafficConfig(AppConfig):
    name = "core6.traffic"
