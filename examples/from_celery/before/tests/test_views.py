import pytest


@pytest.fixture
def client(app):
    return app.test_client()


def test_an_order_and_its_job(client):
    ordered = client.post("/orders", json={"item": "tea", "card": "4242", "email": "ann@example.org"})
    assert ordered.status_code == 202
    assert client.get(f"/jobs/{ordered.json['job']}").json["state"] in ("SUCCESS", "PENDING")


def test_a_newsletter_and_its_thanks(client, app):
    sent = client.post("/newsletter", json={"to": ["ann@example.org"], "text": "Spring!"})
    assert client.get(f"/jobs/{sent.json['job']}").json == {"state": "SUCCESS", "result": 1}
