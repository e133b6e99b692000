"""The rooms of jobs/, in the order in which they may import each other."""

FLOORS = (
    ("errors",),
    ("values",),
    ("encoding",),
    ("store",),
    ("tasks",),
    ("workflows", "schedules"),
    ("client",),
    ("monitor",),
    ("worker",),
    ("commands",),
    ("testing", "__init__", "__main__"),
    ("contrib",),
)
"""From the ground up: each may import those below it, for types too. A worker imports modules of contrib all the same,
by their names, at its start: those whose packages the application uses.
"""
