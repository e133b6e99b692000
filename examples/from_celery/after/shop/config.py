import os

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
DATABASE = os.environ.get("DATABASE", "shop.db")
REPORTS_TO = "owner@example.org"
