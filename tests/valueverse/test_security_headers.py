"""The headers that every answer carries, whoever made it."""

from typing import Any

import pytest
from django.test import Client, override_settings

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
pytestmark = pytest.mark.django_db

ANSWERS = [
    ("/admin/login/", 200),
    ("/health/live", 200),
    ("/static/admin/css/base.css", 200),
    ("/nothing-here", 404),
    ("/api/v1/nothing-here", 404),
    ("/fail", 500),
    ("/api/v1/fail", 500),
]


def get(address: str, **extra: Any) -> Any:
    with override_settings(ROOT_URLCONF="tests.valueverse.failing_urls"):
        return Client(raise_request_exception=False).get(address, **extra)


@pytest.mark.parametrize(("address", "status"), ANSWERS)
def test_every_answer_has_the_headers(address: str, status: int) -> None:
    response = get(address)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    assert "camera=()" in response.headers["Permissions-Policy"]


def test_a_request_for_another_host_is_refused_with_the_headers() -> None:
    response = get("/admin/login/", headers={"host": "evil.example.com"})
    assert response.status_code == 400
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("address", [address for address, _ in ANSWERS if not address.startswith("/admin")])
def test_outside_the_admin_the_content_policy_is_strict(address: str) -> None:
    policy = get(address).headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy


def test_the_admin_may_style_inline_and_evaluate_its_theme_s_expressions_and_nothing_more() -> None:
    policy = get("/admin/login/").headers["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "'unsafe-eval'" in policy
    assert policy.count("unsafe") == 2


@pytest.mark.parametrize(("address", "status"), ANSWERS)
def test_over_https_every_answer_asks_for_https_for_years(address: str, status: int) -> None:
    with override_settings(SECURE_HSTS_SECONDS=63072000):
        response = get(address, secure=True)
    assert response.status_code == status
    assert response.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_static_files_are_not_for_every_origin() -> None:
    assert "Access-Control-Allow-Origin" not in get("/static/admin/css/base.css").headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://localhost:3000"])
def test_an_origin_that_is_not_listed_gets_no_permission(origin: str) -> None:
    with override_settings(CORS_ALLOWED_ORIGINS=["https://app.example.com"]):
        response = get("/api/v1/nothing-here", headers={"origin": origin})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_listed_origin_may_call_the_api_without_cookies() -> None:
    with override_settings(CORS_ALLOWED_ORIGINS=["https://app.example.com"]):
        response = get("/api/v1/nothing-here", headers={"origin": "https://app.example.com"})
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_errors_are_problem_json_below_api_and_pages_elsewhere() -> None:
    for address, status, code in [
        ("/api/v1/nothing-here", 404, "not_found"),
        ("/api/v1/fail", 500, "internal_error"),
    ]:
        response = get(address)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert (response.json()["status"], response.json()["code"]) == (status, code)
        assert "planted" not in response.content.decode()
    for address, words in [("/nothing-here", "nothing at this address"), ("/fail", "went wrong on our side")]:
        response = get(address)
        assert response.headers["Content-Type"].startswith("text/html")
        assert words in response.content.decode()
