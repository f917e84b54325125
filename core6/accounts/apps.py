from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "core6.accounts"
