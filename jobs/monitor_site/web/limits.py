"""Limits on requests: bytes of a body (chunked ones too), fields of a form, no NUL, length of file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quart import Quart, abort, request
from quart.formparser import FormDataParser
from quart.wrappers import Request
from quart.wrappers.request import Body
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

BODY_LIMIT = 256 * 1024
"""Bytes of a body; 10,000 emoji in a form are 120 kB."""
MOST_FIELDS = 1_000
LONGEST_BOUNDARY = 70
"""Characters of a multipart boundary (RFC 2046, 5.1.1). The search for a longer one takes seconds."""
FILE_S = 60
"""Seconds within which a form with a file must arrive."""
LONGEST_FILE = 255
"""Bytes of the path of a static file. The file system raises an error for a longer name."""


def protect(app: Quart) -> None:
    app.request_class = LimitedRequest

    @app.before_request
    async def refuse_long_names() -> None:
        if request.endpoint == "static" and len(request.path.encode()) > LONGEST_FILE:
            abort(404)


class LimitedBody(Body):
    """Counts all bytes of a body. Quart 0.22 counts only unread ones, so a chunked upload would have no limit."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, max_content_length)
        self._received = 0

    def append(self, data: bytes) -> None:
        self._received += len(data)
        if self._max_content_length is not None and self._received > self._max_content_length:
            self._must_raise = RequestEntityTooLarge()
            self.set_complete()
        else:
            super().append(data)

    async def __anext__(self) -> bytes:
        try:
            return await super().__anext__()
        finally:
            if self._must_raise is not None:
                raise self._must_raise


class LimitedFormParser(FormDataParser):
    """Limits fields, because parsing a million `a=&` would block all other requests. Refuses NUL, as Postgres does."""

    takes_file = False
    """Whether the form may hold one file."""

    async def parse(
        self, body: Body, mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> tuple[MultiDict[str, Any], MultiDict[str, Any]]:
        if mimetype == "multipart/form-data":
            if len((options or {}).get("boundary", "")) > LONGEST_BOUNDARY:
                raise BadRequest(f"The boundary has more than {LONGEST_BOUNDARY} characters.")
        elif (await body).count(b"&") >= MOST_FIELDS:
            raise RequestEntityTooLarge()
        form, files = await super().parse(body, mimetype, content_length, options)
        if (files and not self.takes_file) or len(files) > 1 or None in form:
            for file in files.values():
                file.close()
            raise BadRequest("Each part of a form needs a name, and no form here takes a file.")
        if any("\0" in part for pair in form.items(multi=True) for part in pair):
            raise BadRequest("A field holds a NUL character.")
        return form, files


class LimitedRequest(Request):
    """The request class of every page."""

    body_class = LimitedBody
    form_data_parser_class = LimitedFormParser
    files_at: ClassVar[Mapping[str, int]] = {}
    """Addresses to which a form may send a file, with the bytes of its body."""

    def __init__(self, method: str, scheme: str, path: str, *args: Any, **options: Any) -> None:
        self._limit = self.files_at.get(path) if method == "POST" else None
        if self._limit is not None:
            options |= {"max_content_length": self._limit, "body_timeout": FILE_S}
        super().__init__(method, scheme, path, *args, **options)
        if self._limit is not None:
            self.max_content_length = self._limit  # for the parser, which else takes the app's

    def make_form_data_parser(self) -> FormDataParser:
        parser = super().make_form_data_parser()
        assert isinstance(parser, LimitedFormParser)
        parser.takes_file = self._limit is not None
        return parser


def take_files(app: Quart, files_at: Mapping[str, int]) -> None:
    """Let a form send one file to these addresses. Call it after `protect`."""

    class FileRequest(LimitedRequest):
        pass

    FileRequest.files_at = files_at
    app.request_class = FileRequest
