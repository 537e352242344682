"""`manage.py update_openapi`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

from billing.platform.commands import BillingCommand, ExitCode
from valueverse.api_docs import openapi_schema

GOLDEN = Path("tests") / "golden" / "openapi.yaml"


def openapi_document() -> str:
    """The OpenAPI document as YAML, valid against OpenAPI 3. Warnings of the generator go to standard error."""
    document = openapi_schema()
    validate_schema(document)  # type: ignore[no-untyped-call]
    renderer: Any = OpenApiYamlRenderer()
    return bytes(renderer.render(document, renderer_context={})).decode()


class Command(BillingCommand):
    help = (
        "Write the OpenAPI document that is committed as a golden file; a diff needs a line in the changelog."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--check", action="store_true", help="Write nothing; exit 3 if the file is not current."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file = settings.BASE_DIR / GOLDEN
        document = openapi_document()
        is_current = file.exists() and file.read_text() == document
        warnings = len(GENERATOR_STATS._warn_cache) + len(GENERATOR_STATS._error_cache)
        if not options["check"] and not is_current:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(document)
        state = "current" if is_current else ("differs" if options["check"] else "written")
        self.report(
            f"{GOLDEN}: {state}; {warnings} warnings",
            {"file": str(file), "state": state, "warnings": warnings},
        )
        if warnings or (options["check"] and not is_current):
            raise SystemExit(int(ExitCode.FINDINGS))
