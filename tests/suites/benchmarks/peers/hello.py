"""Peer `hello`: the least that Django can do, the floor of everything that is built on it."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    # Whose counter the web server of Core6 has.
    INSTALLED_APPS=["core6.traffic"],
)


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}", content_type="application/json")


urlpatterns = [path("", hello)]
application = get_wsgi_application()
