"""Every environment variable is documented, and nothing reads the environment behind the settings' back."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from valueverse.settings.base import env
from valueverse.settings.reference import reference

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(r"os\.environ(?:\.get\(|\.setdefault\(|\[)\s*\"(\w+)\"|os\.getenv\(\s*\"(\w+)\"")
# Set by our own processes for their children or by tools, not by people.
INTERNAL = {"DJANGO_SETTINGS_MODULE", "PROMETHEUS_MULTIPROC_DIR"}
# Names of the same variable that the readers of secrets add.
DOCUMENTED = {variable.name for variable in env.variables} | {
    f"{variable.name}_FILE" for variable in env.variables if variable.secret
}


def test_the_reference_is_current() -> None:
    text = (ROOT / "deploy" / "configuration.md").read_text()
    assert text == reference(), "run `manage.py describe_settings --write`"


def test_every_variable_is_declared_once_and_says_what_it_is_for() -> None:
    names = [variable.name for variable in env.variables]
    assert len(names) == len(set(names))
    assert [variable.name for variable in env.variables if len(variable.meaning) < 10] == []


@pytest.mark.parametrize("package", ["billing", "customers", "payments", "valueverse"])
def test_no_code_reads_a_variable_that_is_not_documented(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        found = {first or second for first, second in READS.findall(file.read_text())}
        assert found - DOCUMENTED - INTERNAL == set(), file


def test_nothing_has_a_default_password_or_key() -> None:
    assert [
        variable.name for variable in env.variables if variable.secret and variable.default != "unset"
    ] == []


def test_passwords_are_kept_as_argon2_hashes_and_sessions_are_for_the_browser_only() -> None:
    base = (ROOT / "valueverse" / "settings" / "base.py").read_text()
    hashers = base[base.index("PASSWORD_HASHERS") :]
    assert hashers.index("Argon2") < hashers.index("PBKDF2")
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.SESSION_COOKIE_SAMESITE == "Lax"
    assert settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"] == timedelta(minutes=15)
    assert settings.SIMPLE_JWT["BLACKLIST_AFTER_ROTATION"]
