"""docs/openapi.json: every address of the monitor's API, as the code describes them. `python -m tests.openapi`."""
