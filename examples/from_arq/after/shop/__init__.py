"""The same shop on Quarq: its jobs are tasks, and the worker accepts no pickle."""
