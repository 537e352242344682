"""The direction of dependencies: imports, foreign keys, and what core may not touch."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# Lowest first; apps in one entry are siblings and may not see each other. Django's own apps lie below all.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"platform"}),
    frozenset({"activity"}),
    frozenset({"approvals"}),
    frozenset({"customers"}),
    frozenset({"catalog", "ledger"}),
    frozenset({"usage", "subscriptions"}),
    frozenset({"revenue"}),
    frozenset({"invoices"}),
    frozenset({"payments"}),
    frozenset({"valueverse"}),
)
OURS = frozenset().union(*LAYERS)


def layer_of(label: str) -> int:
    return next((number for number, labels in enumerate(LAYERS) if label in labels), -1)


def wrong_foreign_keys() -> list[str]:
    """Relations from one of our models to a higher layer or to a sibling app."""
    wrong = []
    for model in apps.get_models():
        if model._meta.app_label not in OURS:
            continue
        for field in model._meta.get_fields():
            target = field.related_model
            if field.auto_created or not isinstance(target, type) or not issubclass(target, Model):
                continue
            here, there = model._meta.app_label, target._meta.app_label
            if here != there and layer_of(there) >= layer_of(here):
                wrong.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    return wrong


def test_imports_follow_the_layers() -> None:
    done = subprocess.run(
        [BIN / "lint-imports", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_foreign_keys_do_not_point_upwards_or_sideways() -> None:
    assert wrong_foreign_keys() == []


def test_every_app_of_ours_has_its_layer() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    here = {config.label for config in apps.get_app_configs() if config.name.split(".")[0] in packages}
    assert here == OURS


BAD = {
    "the clock": "from datetime import datetime\n\nNOW = datetime.now()\n",
    "the day": "from datetime import date\n\nTODAY = date.today()\n",
    "time": "import time\n\nNOW = time.time()\n",
    "chance": "import random\n\nDICE = random.random()\n",
    "random ids": "import uuid\n\nID = uuid.uuid4()\n",
    "the environment": "import os\n\nHOME = os.environ['HOME']\n",
    "Django": "from django.utils import timezone\n\nNOW = timezone.now()\n",
}


def banned(code: str, path: str) -> list[str]:
    """Messages of ruff's ban on `code`, were it at `path`."""
    done = subprocess.run(
        [
            BIN / "ruff",
            "check",
            "--select",
            "TID251",
            "--output-format",
            "json",
            "--stdin-filename",
            path,
            "-",
        ],
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [finding["message"] for finding in json.loads(done.stdout)]


@pytest.mark.parametrize("what", BAD)
def test_core_may_not_use(what: str) -> None:
    assert banned(BAD[what], "billing/core/sample.py"), f"{what} is allowed in core"


def floats_in(code: str) -> list[int]:
    """Lines of `code` that make a float: a call of float() or a literal like 0.1. Asking isinstance is allowed."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]


def test_core_makes_no_float_as_none_holds_a_tenth_exactly() -> None:
    assert floats_in("PRICE = float('0.1')\nRATE = 0.19\n") == [1, 2]
    found = {str(file): floats_in(file.read_text()) for file in (ROOT / "billing" / "core").rglob("*.py")}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_core_may_compute_and_others_may_use_the_clock() -> None:
    good = "from datetime import date\nfrom decimal import Decimal\n\nDAY = date(2023, 11, 1)\nPRICE = Decimal('0.1')\n"
    assert banned(good, "billing/core/sample.py") == []
    assert banned(BAD["the clock"], "billing/platform/sample.py") == []
