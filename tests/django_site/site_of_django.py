"""Settings and pages of a small Django project, which `django_asgi.py` of docs/monitor.md is put in front of."""

from __future__ import annotations

import os

from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.urls import path

SECRET_KEY = os.environ["SECRET_KEY"]
ROOT_URLCONF = __name__
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}


def sign_in(request: HttpRequest) -> HttpResponse:
    """Make the account, of the staff; ann is a superuser."""
    name = request.GET["user"]
    user, _ = get_user_model().objects.get_or_create(username=name, is_staff=True, is_superuser=name == "ann")
    login(request, user)
    return HttpResponse()


urlpatterns = [path("sign-in", sign_in)]
