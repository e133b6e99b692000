"""The rooms of jobs/, in the order in which they may import each other."""

FLOORS = (
    ("errors",),
    ("values",),
    ("encoding",),
    ("store",),
    ("tasks",),
    ("workflows", "schedules"),
    ("client",),
    ("worker",),
    ("monitor_site",),
    ("monitor", "limits"),
    ("commands",),
    ("contrib",),
    ("__init__", "__main__"),
    ("testing",),
)
"""From the ground up: each may import those below it, for types too. Callers and workers import modules of contrib
all the same, by their names: those whose packages the application uses.
"""
