"""The JSON API of the monitor, under `api/v1/`: what its pages show and do, for programs.

**To add an address**: in a module of `paths/`, a function with `@read("/things/{name}")`, or `@write` for a POST. Its
parameters are those of the address and, with a default, of the query; of a POST those of the body. Its annotations say
which values they take, and what it answers. A `@write` returns an Action, of `actions/`, which pages carry out too.

The OpenAPI file is made of all that: descriptions are the docstrings of functions and dataclasses, and the comments
behind their fields. After a change of any of them: `python -m tests.openapi`.
"""
