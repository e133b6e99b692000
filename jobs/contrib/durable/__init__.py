"""Durable code: steps, children, sleeps and events of ordinary tasks. Imported by the first job that has one."""
