"""`make screens`: a picture of every page, wide and narrow, the portal in both languages, with an index.

The pages are those of `pages.py`, so a new one is in the pictures without anybody's doing. They show the demo's story
and what `scene.py` adds to it; nothing of this touches the data of the checkout.
"""

import html
import os
import re
import shutil
import sys
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.test")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread

HEIGHT_MAX = 6000
"""Longer pages are cut there; nobody looks further."""


def main() -> int:
    """Take all pictures. Exit status 1 if an address is left out, or there is no Chromium."""
    django.setup()
    from django.conf import settings
    from django.test.utils import setup_test_environment
    from playwright.sync_api import sync_playwright

    from tests.browser import scene
    from tests.browser.pages import find_pages
    from tests.browser.site import served, story_clone
    from tests.browser.visitor import chromium_path, launch
    from tests.databases import TestDatabases

    if chromium_path() is None:
        print("There is no Chromium here: apt-get install chromium", file=sys.stderr)
        return 1
    setup_test_environment()
    folder = Path(settings.BASE_DIR) / "var" / "screens"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    databases = TestDatabases(Path(settings.VAR_DIR))
    databases.prepare_template()
    name = story_clone(databases)
    databases.use(name)
    try:
        scene.furnish()
        people = scene.people()
        found = find_pages(people)
        with served(name) as origin, sync_playwright() as playwright:
            browser = launch(playwright)
            shots = _shoot(browser, origin, found.pages, people, folder)
            browser.close()
    finally:
        databases.use(databases.maintenance)
        databases.drop(name)
    _write_index(folder, shots)
    print(f"{len(shots)} pictures: {folder / 'index.html'}")
    for missing, answers in found.missing.items():
        print(f"left out: {missing} ({answers})", file=sys.stderr)
    return 1 if found.missing else 0


def _shoot(browser, origin, pages, people, folder):  # type: ignore[no-untyped-def]
    """One browser profile per person, width and language; (page name, variant, file name) of each picture."""
    from tests.browser.scene import session_of
    from tests.browser.visitor import NARROW, WIDE, new_visitor

    shots: list[tuple[str, str, str]] = []
    for who in dict.fromkeys(page.who for page in pages):
        mine = [page for page in pages if page.who == who]
        for language in ("en", "de"):
            theirs = [page for page in mine if language == "en" or page.face == "portal"]
            for size, narrow in ((WIDE, False), (NARROW, True)):
                if not theirs:
                    continue
                user = people[who]
                cookies = session_of(user, language=language) if user else {}
                visitor, context = new_visitor(
                    browser, origin, narrow=narrow, cookies=cookies, language=language
                )
                for page in theirs:
                    variant = f"{'narrow' if narrow else 'wide'} {language}"
                    file = re.sub(r"[^a-z0-9]+", "-", f"{page.name} {variant}".lower()) + ".png"
                    visitor.page.goto(origin + page.address, wait_until="load")
                    height = min(visitor.page.evaluate("document.documentElement.scrollHeight"), HEIGHT_MAX)
                    clip = {"x": 0, "y": 0, "width": size["width"], "height": max(height, size["height"])}
                    visitor.page.screenshot(path=folder / file, full_page=True, clip=clip)
                    shots.append((page.name, variant, file))
                context.close()
    return shots


def _write_index(folder: Path, shots: list[tuple[str, str, str]]) -> None:
    """A page with all of them, by page; a click opens the picture in full."""
    by_page: dict[str, list[tuple[str, str]]] = {}
    for name, variant, file in shots:
        by_page.setdefault(name, []).append((variant, file))
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Every page</title>",
        "<style>body{font:14px system-ui;margin:24px}figure{display:inline-block;margin:0 16px 16px 0;",
        "vertical-align:top}img{border:1px solid #ccc;height:420px}</style>",
        f"<h1>{len(by_page)} pages, {len(shots)} pictures</h1>",
    ]
    for name, variants in sorted(by_page.items()):
        parts.append(f"<h2>{html.escape(name)}</h2>")
        for variant, file in variants:
            label = html.escape(f"{name}, {variant}")
            parts.append(
                f'<figure><a href="{file}"><img src="{file}" alt="{label}" loading="lazy"></a>'
                f"<figcaption>{html.escape(variant)}</figcaption></figure>"
            )
    (folder / "index.html").write_text("\n".join(parts))


if __name__ == "__main__":
    sys.exit(main())
