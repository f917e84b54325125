from django.apps import AppConfig


class RateLimitsConfig(AppConfig):
    name = "core6.rate_limits"
