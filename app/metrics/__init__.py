"""`/metrics`: what Prometheus reads. All figures come from Redis and SQL, so any web process tells the same."""

from app.metrics.pages import blueprint

__all__ = ["blueprint"]
