"""Log lines: one JSON object each, and no secret in them."""

import json
import subprocess
import sys

from tests.valueverse.commands import ROOT, clean_environment

PROGRAM = """
import logging, structlog
from valueverse.log_format import configure_logging
configure_logging("json", level="INFO")
structlog.contextvars.bind_contextvars(request_id="r-1")
structlog.get_logger("app").info("payment", amount="12.00", card_number="4242424242424242", api_key="vv_live_x")
logging.getLogger("library").warning("plain %s", "words")
logging.getLogger("library").debug("too fine")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("app").exception("failed", password="hunter2")
"""


def test_each_line_is_json_with_time_level_logger_and_request_and_hides_secrets() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["msg"] for line in lines] == ["payment", "plain words", "failed"]
    assert all(line["request_id"] == "r-1" and line["ts"].endswith("Z") for line in lines)
    assert [line["logger"] for line in lines] == ["app", "library", "app"]
    assert lines[0]["amount"] == "12.00"
    assert "ZeroDivisionError" in lines[2]["exception"]
    for secret in ("4242", "vv_live_x", "hunter2"):
        assert secret not in done.stderr
