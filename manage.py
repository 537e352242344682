#!/usr/bin/env python
"""The command line of the installation: `manage.py help` lists the commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from valueverse.doctor.findings import EXIT_FINDINGS, as_json, as_text, configuration_problems
from valueverse.embedded.process import EmbeddedServerError
from valueverse.settings.env import ConfigurationError

# Commands that only look (or stop things): they must not start the embedded servers.
STARTS_NOTHING = frozenset(
    {"doctor", "servers", "describe_settings", "help", "version", "--help", "--version", "-h"}
)


EXIT_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"ValueVerse needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.base")
    if len(sys.argv) < 2 or STARTS_NOTHING & set(sys.argv[1:]):
        os.environ["VV_EMBEDDED_AUTOSTART"] = "false"
    try:
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        if "doctor" not in sys.argv[1:2]:
            sys.exit(str(error))
        results = configuration_problems(error.problems)
        print(as_json(results) if "--json" in sys.argv else as_text(results))
        sys.exit(EXIT_FINDINGS)
    except (ImproperlyConfigured, EmbeddedServerError) as error:
        sys.exit(str(error))
    except OperationalError as error:
        print(f"The database cannot be reached or gave up: {str(error).strip()}", file=sys.stderr)
        sys.exit(EXIT_TRY_AGAIN)


if __name__ == "__main__":
    main()
