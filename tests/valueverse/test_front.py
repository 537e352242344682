"""The splitter of `manage.py run`: two processes behind one address, over real connections."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from django.conf import settings

from valueverse.embedded import process
from valueverse.front import Front, is_for_live
from valueverse.supervisor import free_ports

LARGE = 3_000_000
Talk = Callable[[int], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: bytes) -> None:
    """A process behind the front: says who it is, then repeats what it hears until it is told to hang up."""
    writer.write(name + b"\n")
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
        if piece.endswith(b"hang up\n"):
            break
    writer.close()


def through_front(talk: Talk, *, without: str = "", line_seconds: float = 5) -> None:
    """Run `talk` with the port of a front that has a web and a live process behind it, but for one."""

    async def run() -> None:
        port, web, live = free_ports(3)
        servers = [
            await asyncio.start_server(lambda r, w, n=name: echo(r, w, n), "127.0.0.1", number)
            for name, number in ((b"web", web), (b"live", live))
            if name.decode() != without
        ]
        asked_to_end = asyncio.Event()
        front = asyncio.create_task(
            Front(web=web, live=live, line_seconds=line_seconds).serve(port, until=asked_to_end)
        )
        try:
            for _ in range(500):
                if process.answers(port):
                    break
                await asyncio.sleep(0.01)
            await asyncio.wait_for(talk(port), 30)
        finally:
            asked_to_end.set()
            await asyncio.wait_for(front, 20)
            for server in servers:
                server.close()

    asyncio.run(run())


async def answer_to(port: int, sent: bytes, *, ends: bool = True) -> bytes:
    """Everything that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    if ends:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"GET / HTTP/1.1\r\n", b"web"),
        (b"GET /ws/live HTTP/1.1\r\n", b"live"),
        (b"GET /ws HTTP/1.1\r\n", b"web"),
        (b"GET /wsx/ HTTP/1.1\r\n", b"web"),
        (b"GET /admin/?next=/ws/live HTTP/1.1\r\n", b"web"),
        (b"POST /ws/live HTTP/1.1\r\n", b"web"),
        (b"get /ws/live HTTP/1.1\r\n", b"web"),
        (b"GET /a HTTP/1.1\r\n\r\nGET /ws/live HTTP/1.1\r\n", b"web"),
    ],
)
def test_the_first_line_decides_and_every_byte_goes_on(line: bytes, name: bytes) -> None:
    assert is_for_live(line) is (name == b"live")

    async def talk(port: int) -> None:
        rest = b"X-Forwarded-For: 203.0.113.7\r\n\r\n" + b"\x00\xff body"
        assert await answer_to(port, line + rest) == name + b"\n" + line + rest

    through_front(talk)


def test_megabytes_go_both_ways_at_once() -> None:
    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = b"GET / HTTP/1.1\r\n" + bytes(range(256)) * (LARGE // 256)

        async def send() -> None:
            writer.write(sent)
            await writer.drain()
            writer.write_eof()

        _, answer = await asyncio.gather(send(), reader.read())
        assert answer == b"web\n" + sent
        writer.close()

    through_front(talk)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", b"400"),
        (b"hello\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1 extra\r\n", b"400"),
        (b"GET / HT", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n", b"414"),
        (b"GET /" + b"a" * 200_000, b"414"),
    ],
)
def test_what_is_no_request_line_is_answered_and_reaches_nobody(sent: bytes, status: bytes) -> None:
    async def talk(port: int) -> None:
        answer = await answer_to(port, sent)
        assert answer.startswith(b"HTTP/1.1 " + status + b" ")
        assert b"web" not in answer and b"live" not in answer
        assert await answer_to(port, b"GET / HTTP/1.1\r\n") == b"web\nGET / HTTP/1.1\r\n", (
            "and others are served"
        )

    through_front(talk)


def test_a_slow_line_is_not_waited_for_and_silence_is_not_answered() -> None:
    async def talk(port: int) -> None:
        assert (await answer_to(port, b"GET / HTT", ends=False)).startswith(b"HTTP/1.1 408 ")
        assert await answer_to(port, b"") == b""

    through_front(talk, line_seconds=0.3)


def test_a_process_that_is_away_is_a_502_and_the_other_one_serves_on() -> None:
    async def talk(port: int) -> None:
        assert (await answer_to(port, b"GET /ws/live HTTP/1.1\r\n")).startswith(b"HTTP/1.1 502 ")
        assert (await answer_to(port, b"GET / HTTP/1.1\r\n")).startswith(b"web\n")

    through_front(talk, without="live")


def test_whoever_hangs_up_is_gone_on_both_sides() -> None:
    async def talk(port: int) -> None:
        line = b"GET / HTTP/1.1\r\nhang up\n"
        assert await answer_to(port, line, ends=False) == b"web\n" + line, "the server hung up"
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n")
        await writer.drain()
        writer.transport.abort()
        assert (await answer_to(port, b"GET / HTTP/1.1\r\n")).startswith(b"web\n")

    through_front(talk)


def test_told_to_end_it_takes_no_more_and_lets_an_open_answer_finish() -> None:
    port, web, live = free_ports(3)
    command = ["--port", str(port), "--web", str(web), "--live", str(live)]
    with socket.create_server(("127.0.0.1", web)) as behind:
        front = subprocess.Popen([sys.executable, "-m", "valueverse.front", *command], cwd=settings.BASE_DIR)
        assert process.wait_until(lambda: process.answers(port), seconds=20)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\n")
            served, _ = accepted_with(behind, b"GET /slow")
            front.send_signal(signal.SIGTERM)
            assert process.wait_until(lambda: not process.answers(port), seconds=5)
            served.sendall(b"HTTP/1.1 200 OK\r\n\r\ndone")
            served.close()
            answer = b""
            while piece := client.recv(1000):
                answer += piece
        assert answer.endswith(b"done")
        assert front.wait(10) == 0


def accepted_with(listening: socket.socket, start: bytes) -> tuple[socket.socket, bytes]:
    """The connection that begins like this; probes of the port say nothing."""
    while True:
        served, _ = listening.accept()
        head = served.recv(1000)
        if head.startswith(start):
            return served, head
        served.close()
