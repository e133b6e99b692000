"""`python -m tests.bench.sink [certificate]`: an SMTP server in its own process; it takes every mail and keeps none.

Prints its port. With a certificate it wants STARTTLS and a login, as servers on the internet do. `XCOUNT` answers
how many mails it took.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

ANSWERS = {
    b"MAIL": b"250 ok",
    b"RCPT": b"250 ok",
    b"RSET": b"250 ok",
    b"AUTH": b"235 welcome",
    b"DATA": b"354 go on",
    b"QUIT": b"221 bye",
}
taken = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext | None) -> None:
    global taken
    secure = False
    writer.write(b"220 sink ESMTP\r\n")
    try:
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                more = b"250-STARTTLS\r\n" if tls and not secure else b"250-AUTH PLAIN\r\n"
                writer.write(b"250-sink\r\n" + more + b"250 8BITMIME\r\n")
            elif verb == b"STAR" and tls:
                writer.write(b"220 go ahead\r\n")
                await writer.start_tls(tls)
                secure = True
            elif verb == b"XCOU":
                writer.write(b"250 %d\r\n" % taken)
            else:
                writer.write(ANSWERS.get(verb, b"502 no such command") + b"\r\n")
            if verb == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                taken += 1
                writer.write(b"250 taken\r\n")
            if verb == b"QUIT":
                break
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        pass
    finally:
        writer.transport.abort()


async def main() -> None:
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(lambda r, w: serve(r, w, tls), "127.0.0.1", 0, limit=2**24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
