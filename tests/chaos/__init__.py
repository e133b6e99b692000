"""Faults: what jobs are promised when workers, Redis and the network fail, measured from outside."""
