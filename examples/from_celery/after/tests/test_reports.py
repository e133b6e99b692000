import pytest
from shop import db
from shop.tasks import reports

pytestmark = pytest.mark.usefixtures("at_once")


def test_the_week_is_added_up_and_mailed(app):
    reports.weekly.blocking.delay(["monday", "tuesday"])
    assert db.diary() == ["to owner@example.org: turnover 13"]


def test_a_day_that_fails_is_noted(app):
    reports.weekly.blocking.delay(["monday", "never"])
    assert "no report: there is no such day" in db.diary()
