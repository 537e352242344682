"""One address for two processes: `/ws/` goes to the live process, everything else to the web process.

It looks at the first request line of a connection and from then on passes bytes, both ways, as they are. That is
enough for one machine: a browser opens a connection of its own for a WebSocket. It listens on the loopback address
alone, so that the address which the processes behind it see is as true as the one it saw itself; where others are
to reach the site, a reverse proxy does this (and TLS), and X-Forwarded-For passes through here untouched.

    python -m valueverse.front --port 8000 --web 8001 --live 8002

Without Django: it starts at once, and takes 15 MiB.
"""

import argparse
import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
LINE_MAX = 8192
"""A request line is shorter (RFC 9112 asks servers for 8,000)."""

LINE_SECONDS = 15
CONNECTIONS_MAX = 500
PIECE = 65536
END_SECONDS = 5
LINGER_SECONDS = 1
LINGER_PIECES = 100
REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """Nothing behind this front is asked: an HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Front:
    """Splits what comes in between two ports of this machine."""

    web: int
    live: int
    line_seconds: float = LINE_SECONDS
    open: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        assert task is not None, "called by the server, in a task of its own"
        try:
            if len(self.open) >= CONNECTIONS_MAX:
                raise Refused(503)
            self.open.add(task)
            line = await first_line(reader, seconds=self.line_seconds)
            behind = await self._connect(line)
            behind[1].write(line)
            await join((reader, writer), behind)
        except Refused as refused:
            await refuse(reader, writer, refused.status)
        except (ConnectionError, EOFError, asyncio.CancelledError):
            pass  # it went away, or we are ending
        finally:
            self.open.discard(task)
            writer.close()

    async def _connect(self, line: bytes) -> Stream:
        port = self.live if is_for_live(line) else self.web
        try:
            return await asyncio.open_connection(LOOPBACK, port, limit=PIECE)
        except OSError:
            raise Refused(502) from None

    async def serve(self, port: int, *, until: asyncio.Event) -> None:
        """Listen until the event; then take no more, and let what is open finish for a few seconds."""
        server = await asyncio.start_server(self.accept, LOOPBACK, port, limit=LINE_MAX)
        await until.wait()
        server.close()
        if self.open:
            await asyncio.wait(self.open, timeout=END_SECONDS)
        left = list(self.open)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def first_line(reader: asyncio.StreamReader, *, seconds: float) -> bytes:
    """The first request line with its end. Raises Refused for one that is slow, endless or none, EOFError for none."""
    try:
        line = await asyncio.wait_for(reader.readuntil(b"\n"), seconds)
    except TimeoutError:
        raise Refused(408) from None
    except asyncio.LimitOverrunError:
        raise Refused(414) from None
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Refused(400) from None
        raise EOFError from None
    if line.count(b" ") != 2 or b" HTTP/1." not in line:
        raise Refused(400)
    return line


def is_for_live(line: bytes) -> bool:
    """Whether a request line asks for the live process.

    >>> is_for_live(b"GET /ws/live HTTP/1.1"), is_for_live(b"GET /wsx HTTP/1.1"), is_for_live(b"POST /ws/ HTTP/1.1")
    (True, False, False)
    """
    return line.startswith(b"GET /ws/")


async def join(one: Stream, other: Stream) -> None:
    """Pass bytes both ways until both have said all they had to say."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass(one[0], other[1]))
            group.create_task(_pass(other[0], one[1], closes_all=True))
    except* ConnectionError:
        pass  # one side is gone, and the other is told by the closing below
    finally:
        other[1].close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, closes_all: bool = False
) -> None:
    """Copy, no faster than the receiving side takes it in; then pass on that nothing more comes.

    closes_all: the end of this direction is the end of the connection: who answers has hung up.
    """
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if closes_all:
        raise ConnectionResetError
    if writer.can_write_eof():
        writer.write_eof()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int) -> None:
    """A short answer in plain text. What still comes in is taken in for a moment: else the answer is lost with it."""
    text = f"{status} {REASONS[status]}"
    head = f"HTTP/1.1 {text}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
    with suppress(ConnectionError, TimeoutError):
        writer.write(f"{head}Connection: close\r\n\r\n{text}".encode())
        writer.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            for _ in range(LINGER_PIECES):
                if not await reader.read(PIECE):
                    break


async def main(port: int, *, web: int, live: int) -> None:
    """Run until SIGTERM or SIGINT."""
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    await Front(web=web, live=live).serve(port, until=asked_to_end)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "web", "live"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(main(given.port, web=given.web, live=given.live))
