"""A TCP proxy that misbehaves when told to: the network between workers and Redis."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Literal

Mode = Literal["pass", "refuse", "rst", "blackhole"]


class TcpProxy:
    """Forwards to *upstream* (host, port).

    refuse: connections end and new ones are refused. rst: connections are reset, new ones once they are made.
    blackhole: nothing is forwarded or answered, and connections that saw it stay dead. `latency_s` holds each
    chunk back; `cut_after(n)` resets the connection that gets the n-th byte from now.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._mode: Mode = "pass"
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self.port = 0
        self.latency_s = 0.0
        self.cut_left: int | None = None

    async def start(self) -> TcpProxy:
        await self._listen()
        return self

    async def set(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "refuse":
            await self._stop_listening()
        elif self._server is None:
            await self._listen()
        for link in list(self._links):
            if mode == "blackhole":
                link.dead = True
            elif mode in ("refuse", "rst"):
                link.close(reset=mode == "rst")

    def cut_after(self, n: int) -> None:
        """Lose the reply in mid-word: what was asked has been done, and nobody hears of it."""
        self.cut_left = n

    async def close(self) -> None:
        await self._stop_listening()
        for link in list(self._links):
            link.close(reset=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, writer, dead=self._mode == "blackhole")
        self._links.add(link)
        try:
            if self._mode == "rst":
                link.close(reset=True)
            else:
                await link.run(reader, self._upstream)
        except asyncio.CancelledError:
            return  # the loop ends; asyncio's streams would print a cancelled task as an error
        finally:
            link.close()
            self._links.discard(link)


class _Link:
    """One connection, both ways."""

    def __init__(self, proxy: TcpProxy, client: asyncio.StreamWriter, *, dead: bool) -> None:
        self._proxy = proxy
        self._client = client
        self._server: asyncio.StreamWriter | None = None
        self.dead = dead

    async def run(self, reader: asyncio.StreamReader, upstream: tuple[str, int]) -> None:
        try:
            server_reader, self._server = await asyncio.open_connection(*upstream)
        except OSError:
            return
        pumps = [
            asyncio.create_task(self._pump(reader, self._server, down=False)),
            asyncio.create_task(self._pump(server_reader, self._client, down=True)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, down: bool) -> None:
        try:
            while chunk := await source.read(65536):
                if self._proxy.latency_s:
                    await asyncio.sleep(self._proxy.latency_s)
                if self.dead:
                    continue
                if down and (chunk := self._cut(chunk)) is None:
                    return
                sink.write(chunk)
                await sink.drain()
            while self.dead:  # noqa: ASYNC110 - the far end hung up, and nobody on this side may learn of it
                await asyncio.sleep(1)
        except OSError:
            return

    def _cut(self, chunk: bytes) -> bytes | None:
        left = self._proxy.cut_left
        if left is None:
            return chunk
        if left >= len(chunk):
            self._proxy.cut_left = left - len(chunk)
            return chunk
        self._proxy.cut_left = None
        self.close(reset=True)
        return None

    def close(self, *, reset: bool = False) -> None:
        for writer in (self._client, self._server):
            if writer is None or writer.is_closing():
                continue
            if reset and (sock := writer.get_extra_info("socket")) is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort() if reset else writer.close()
