from shop import db
from shop.tasks import reports


def test_the_week_is_added_up_and_mailed(app):
    reports.weekly.delay(["monday", "tuesday"])
    assert db.diary() == ["to owner@example.org: turnover 13"]


def test_a_day_that_fails_is_noted(app):
    """Not by `reports.weekly()`: an eager chord does not call its error callback."""
    reports.turnover.apply_async(("never",), link_error=reports.failed.s())
    assert "no report: there is no such day" in db.diary()
