"""The server of the live process: uvicorn, for WebSockets only."""

import logging

import uvicorn

MESSAGE_BYTES_MAX = 4096
"""A client says little; a longer message ends the socket with 1009."""

CONNECTIONS_MAX = 12_000
PING_SECONDS = 20
END_SECONDS = 5


def serve(*, host: str, port: int) -> None:
    """Serve sockets until told to end. They are closed with 1012 then, upon which clients come back."""
    # It writes a traceback a second while Redis is away; background.py says it in a line.
    logging.getLogger("channels_redis").setLevel(logging.CRITICAL)
    uvicorn.run(
        "valueverse.asgi:application",
        host=host,
        port=port,
        # Measured: the leanest per idle socket, and compression would double that for frames of 200 bytes.
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=MESSAGE_BYTES_MAX,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=END_SECONDS,
        timeout_keep_alive=5,
        lifespan="on",
        log_config=None,
        log_level="warning",  # not a line for every socket
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
