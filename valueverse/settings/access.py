"""How people get in and how long they stay: second factors of the staff, and the times of sessions."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from valueverse.settings.env import Environment

DEMO_FOLDER = "demo"
"""Where `manage.py demo` leaves its documents; its presence tells an installation that shows the demo."""

SHORTEST_KEY = 32


@dataclass(frozen=True, slots=True)
class Access:
    """What was read; second_factor is "required" or "optional"."""

    second_factor: str
    second_factor_keys: list[str]
    staff_idle: timedelta
    staff_longest: timedelta
    portal_idle: timedelta
    portal_longest: timedelta
    visit_longest: timedelta


def access_settings(env: Environment, *, on_own_machine: bool, folder: Path) -> Access:
    """Read the settings of this topic.

    on_own_machine: embedded database and no HTTPS. There, once the demo was played in `folder`, staff may sign in
        without a second factor unless told otherwise, so that the sign-ins the demo prints work.
    """
    shows_demo = on_own_machine and (folder / DEMO_FOLDER).is_dir()
    chosen = env.choice(
        "STAFF_SECOND_FACTOR",
        "",
        ("", "required", "optional"),
        "Whether staff need an authenticator app or passkey to sign in. Unset: required, and optional where the demo "
        "was played on the embedded database without HTTPS.",
    )
    keys = env.secret(
        "SECOND_FACTOR_KEYS",
        "Encrypt the secrets of second factors; at least 32 characters each, separated by commas: the first encrypts, "
        "all decrypt. Unset: SECRET_KEY does both.",
        shortest=SHORTEST_KEY,
    )
    second_factor_keys = [key.strip() for key in keys.split(",") if key.strip()]
    if any(len(key) < SHORTEST_KEY for key in second_factor_keys):
        env.wrong(f"SECOND_FACTOR_KEYS: each of them must have at least {SHORTEST_KEY} characters")
    found = Access(
        second_factor=chosen or ("optional" if shows_demo else "required"),
        second_factor_keys=second_factor_keys,
        staff_idle=env.duration(
            "STAFF_SESSION_IDLE", "30m", "After how long without a click staff are signed out."
        ),
        staff_longest=env.duration(
            "STAFF_SESSION_LONGEST", "12h", "After how long staff are signed out in any case."
        ),
        portal_idle=env.duration(
            "PORTAL_SESSION_IDLE", "12h", "After how long without a click people at customers are signed out."
        ),
        portal_longest=env.duration(
            "PORTAL_SESSION_LONGEST", "7d", "After how long people at customers are signed out in any case."
        ),
        visit_longest=env.duration(
            "CUSTOMER_VISIT_LONGEST",
            "30m",
            "How long somebody on the staff may view a portal as its customer.",
        ),
    )
    times = (
        found.staff_idle,
        found.staff_longest,
        found.portal_idle,
        found.portal_longest,
        found.visit_longest,
    )
    if not all(times):
        env.wrong("STAFF_SESSION_*, PORTAL_SESSION_* and CUSTOMER_VISIT_LONGEST must be longer than nothing")
    return found
