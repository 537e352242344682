"""A stand-in for VIES: a process that speaks its REST protocol. The number decides what it answers.

Run it as a program; it prints its port. Numbers ending in 0 are not valid, numbers of AT are down (MS_UNAVAILABLE with
HTTP 500), numbers of IT are busy (userError beside valid: false), numbers of ES get something that is not JSON, and
numbers of PL are never answered. All others are valid.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        country, number = asked["countryCode"], asked["vatNumber"]
        if country == "PL":
            time.sleep(2)
        elif country == "AT":
            self.reply(
                500, json.dumps({"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]})
            )
        elif country == "IT":
            self.reply(200, json.dumps({"valid": False, "userError": "MS_MAX_CONCURRENT_REQ"}))
        elif country == "ES":
            self.reply(200, "<html>maintenance</html>")
        else:
            is_valid = not number.endswith("0")
            answer = {
                "countryCode": country,
                "vatNumber": number,
                "requestDate": "2023-11-01T00:00:00.000Z",
                "valid": is_valid,
                "userError": "VALID" if is_valid else "INVALID",
                "requestIdentifier": "WAPIAAAAYtest" if asked.get("requesterNumber") else "",
                "name": "SA EXEMPLE" if is_valid else "---",
                "address": "1 RUE DE RIVOLI\n75001 PARIS" if is_valid else "---",
            }
            self.reply(200, json.dumps(answer))

    def reply(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        """Silence."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
