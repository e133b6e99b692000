"""`/metrics` for Prometheus. All figures come from Redis and SQL, so every web process reports the same."""

from app.metrics.pages import blueprint

__all__ = ["blueprint"]
