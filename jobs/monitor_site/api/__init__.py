"""The JSON API of the monitor, under `api/v1/`: what its pages show and do, for programs.

**To add an address**: in a module of `paths/`, a function with `@read("/things/{name}")`. Its parameters are
those of the address and, with a default, of the query. Its annotations say which values they take, and what it answers.
"""
