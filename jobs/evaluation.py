"""How one evaluation of a workflow ends, other than with a result or with an error of its own."""

from __future__ import annotations


class PutDown(Exception):
    """The workflow has nothing to do but wait. *seen* of its members had ended when it looked last."""

    def __init__(self, seen: int) -> None:
        super().__init__(seen)
        self.seen = seen


class Revoked(Exception):
    """The workflow itself was revoked: whatever else its evaluation came to is void."""


class MemberFailed(Exception):
    """A member has failed, by `error`, and with it the workflow. The member's own end has said so already."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
