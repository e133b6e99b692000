"""Seeded faults: each is put into a copy of the code, and the tests that it names have to find it."""
