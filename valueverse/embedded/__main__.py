"""`python -m valueverse.embedded start|stop|status`: the same as `manage.py servers`, without Django."""

import argparse
from pathlib import Path

from valueverse.embedded import servers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m valueverse.embedded", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status"])
    action = parser.parse_args().action
    var = servers.var_folder(Path(__file__).resolve().parents[2])
    if action == "start":
        servers.database_urls(var)
        servers.redis_url(var)
    elif action == "stop":
        stopped = servers.stop(var)
        print(f"stopped: {', '.join(stopped)}" if stopped else f"nothing was running in {var}")
        return
    for state in servers.status(var):
        where = f"port {state.port}, process {state.pid}" if state.running else "not running"
        print(f"{state.name:<10}{where}, log {state.log}")


if __name__ == "__main__":
    main()
