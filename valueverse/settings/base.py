"""The settings of every process, read from top to bottom.

From the environment comes only what differs between machines; `deploy/configuration.md` lists it. What the
business decides (terms, prices, tax rates) is data with a history, not a setting.
"""

import os
import secrets
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from redis.backoff import NoBackoff
from redis.retry import Retry

from valueverse.embedded import layout, servers
from valueverse.log_format import configure_logging
from valueverse.settings import admin as admin_settings
from valueverse.settings.access import access_settings
from valueverse.settings.databases import SCHEMES, channel_prefix, database
from valueverse.settings.env import Environment
from valueverse.settings.mail import mail_settings

django_stubs_ext.monkeypatch()  # lets type parameters of Django's classes stand in code, like CharField[str, str]

BASE_DIR = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"
env = Environment(os.environ)

# Where a running installation writes ------------------------------------------------------------------------------
env.text("VV_VAR_DIR", "var", "Folder for what a running installation writes: embedded servers, mail, logs.")
VAR_DIR = servers.var_folder(BASE_DIR)
DEBUG = env.boolean("DEBUG", False, "Show tracebacks in the browser. Never where others can reach the site.")

# PostgreSQL and Redis: given, or embedded -------------------------------------------------------------------------
_autostart = env.boolean(
    "VV_EMBEDDED_AUTOSTART", True, "Start the embedded servers when they are needed and not running."
)
env.choice(
    "VV_EMBEDDED_FSYNC", "on", ("on", "off"), "off: the embedded PostgreSQL may lose data in a power cut."
)
env.choice(
    "VV_EMBEDDED_RUN_AS",
    "",
    ("", "self", "namespace", "nobody"),
    "How root runs the embedded PostgreSQL; empty finds the best way. Counts when the cluster is made.",
)
_database_url = env.url(
    "DATABASE_URL", "", SCHEMES, "The application's role, which owns no table. Unset: embedded.", secret=True
)
_owner_url = env.url(
    "DATABASE_OWNER_URL",
    "",
    SCHEMES,
    "The role that owns and migrates the tables. Unset: the same as DATABASE_URL.",
    secret=True,
)
REDIS_URL = env.url(
    "REDIS_URL",
    "",
    ("redis", "rediss"),
    "Broker and cache (Redis 6.2 or newer, Valkey). Unset: embedded.",
    secret=True,
)
if _owner_url and not _database_url:
    env.wrong("DATABASE_OWNER_URL: set without DATABASE_URL; set both or neither")
EMBEDDED_DATABASE = not _database_url
EMBEDDED_REDIS = not REDIS_URL
_lock_timeout = env.duration(
    "DATABASE_LOCK_TIMEOUT", "5s", "How long a statement waits for a lock before it fails."
)
_statement_timeout = env.duration(
    "DATABASE_STATEMENT_TIMEOUT",
    "0s",
    "How long a statement may run; 0s is no limit. The web server uses 30s.",
)
_pool_size = env.integer(
    "DATABASE_POOL_SIZE",
    0,
    "Database connections shared by a process's threads; 0 keeps one for each thread.",
)

# The web address --------------------------------------------------------------------------------------------------
ALLOWED_HOSTS = env.strings(
    "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], "Host names under which the site may be asked for."
)
HTTPS = env.boolean(
    "VV_HTTPS", False, "The site is reached over HTTPS only: secure cookies, HSTS, no plain-text answers."
)
PROXY_COUNT = env.integer(
    "VV_PROXY_COUNT", 0, "Reverse proxies in front that set X-Forwarded-For.", maximum=10
)
CORS_ALLOWED_ORIGINS = env.strings(
    "CORS_ALLOWED_ORIGINS",
    [],
    "Origins whose pages may call the API from a browser, like https://app.example.com.",
)
OPERATIONS_ALLOWED_IPS = env.networks(
    "OPERATIONS_ALLOWED_IPS",
    ["127.0.0.0/8", "::1/128"],
    "Networks that may read /metrics and the details of /health.",
)
PORT = env.integer("PORT", 8000, "Where `manage.py run` and `serve` listen.", minimum=1, maximum=65535)
LIVE_ALLOWED_ORIGINS = [
    origin.rstrip("/").lower()
    for origin in env.strings(
        "LIVE_ALLOWED_ORIGINS",
        [],
        "Other origins whose pages may open a socket with the browser's cookie, like https://billing.example.com.",
    )
]
LIVE_CHECK_INTERVAL = env.duration(
    "LIVE_CHECK_INTERVAL", "20s", "How often open sockets are checked for who is signed out; at most 30s."
)
if not timedelta(0) < LIVE_CHECK_INTERVAL <= timedelta(seconds=30):
    env.wrong("LIVE_CHECK_INTERVAL: must lie between 1ms and 30s, so that a socket is closed within a minute")
SITE_URL = env.url(
    "SITE_URL",
    f"http://127.0.0.1:{PORT}",
    ("http", "https"),
    "The address that links in mails and documents begin with.",
).rstrip("/")

# Secrets, mail, logs ----------------------------------------------------------------------------------------------
_secret_key = env.secret(
    "SECRET_KEY",
    "Signs sessions and tokens; at least 50 characters. Unset: made up once in the var folder, for one machine.",
    shortest=50,
)
_access = access_settings(env, on_own_machine=EMBEDDED_DATABASE and not HTTPS, folder=VAR_DIR)
_email_url = env.url(
    "EMAIL_URL",
    "",
    ("smtp", "smtps", "file"),
    "smtp://user:password@host:587 or file:///folder. Unset: files.",
    secret=True,
)
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "billing@localhost", "Sender of the mails to customers.")
DEFAULT_PRORATION = env.choice(
    "PRORATION",
    "day",
    ("day", "second", "thirty_day_month", "none"),
    "How new plan versions cut the fee of a short period, unless they name a policy of their own.",
)
VAT_REGISTER = env.text(
    "VAT_REGISTER",
    "customers.vies.Vies",
    "Who knows whether a VAT number exists: the dotted path of a class with `check` (customers/vies.py).",
)
VIES_URL = env.url(
    "VIES_URL",
    "https://ec.europa.eu/taxation_customs/vies/rest-api/check-vat-number",
    ("https", "http"),
    "Where VIES is asked.",
)
VIES_TIMEOUT = env.integer("VIES_TIMEOUT", 10, "Seconds that VIES has for an answer.", minimum=1, maximum=60)
TAX_ENGINE = env.text(
    "TAX_ENGINE",
    "billing.invoices.taxes.DatedRates",
    "Who decides how lines are taxed: the dotted path of a class with `treatments` (billing/invoices/taxes.py).",
)
_log_format = env.choice(
    "LOG_FORMAT", "auto", ("auto", "json", "human"), "auto: human on a terminal, else JSON."
)
_log_level = env.choice(
    "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"), "The least severe line logged."
)
GIT_SHA = env.text("GIT_SHA", "", "The commit this installation was built from, shown by /health.")
env.finish()

# The embedded servers start here, when nothing else is configured and nobody forbade it.
if EMBEDDED_DATABASE:
    _urls = (servers.database_urls if _autostart else servers.known_database_urls)(VAR_DIR)
    _database_url, _owner_url = _urls.application, _urls.owner
if EMBEDDED_REDIS:
    REDIS_URL = (servers.redis_url if _autostart else servers.known_redis_url)(VAR_DIR)
if _secret_key:
    SECRET_KEY = _secret_key
elif _autostart:
    SECRET_KEY = layout.secret_in(VAR_DIR / "secret_key")
else:  # a command that changes nothing, like `doctor`
    SECRET_KEY = layout.read_value(VAR_DIR / "secret_key") or secrets.token_urlsafe(64)

# `default` is the application's role, `owner` the one that migrates; both are the same database.
DATABASES = {
    "default": database(
        _database_url, lock_timeout=_lock_timeout, statement_timeout=_statement_timeout, pool_size=_pool_size
    ),
    "owner": database(
        _owner_url or _database_url, lock_timeout=_lock_timeout, statement_timeout=timedelta(0)
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "valueverse.cache.FailSoftRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "vv",
        # One try of a second at most: a cache that has to be waited for is none.
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0)},
    }
}

# Frames of the live process. Redis passes them on and keeps nothing: a page that comes back reads everything again.
# Pub/sub knows no database numbers, hence the prefix; no retries, since whoever sends tries again by itself.
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": 2, "socket_connect_timeout": 2}],
            "prefix": channel_prefix(REDIS_URL),
        },
    }
}

# Apps, requests, pages --------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "valueverse.apps.ValueVerseConfig",
    "billing.platform",
    "billing.activity",
    "billing.approvals",
    "customers",
    "billing.catalog",
    "billing.ledger",
    "billing.usage",
    "billing.subscriptions",
    "billing.revenue",
    "billing.invoices",
    "payments",
    "unfold.apps.BasicAppConfig",  # before the admin, whose templates it replaces
    "valueverse.apps.FinanceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "django_prometheus",
    "corsheaders",
    "csp",
    "axes",
    "allauth",
    "allauth.account",  # asked for by allauth.mfa, which keeps the second factors; no page of either is mounted
    "allauth.mfa",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "valueverse.middleware.SecurityHeadersMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "valueverse.middleware.ContentSecurityPolicyMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "valueverse.sessions.SessionGuardMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "valueverse.middleware.NumberFormatMiddleware",
    "valueverse.live.middleware.KeepMessagesMiddleware",
    "valueverse.portal.middleware.VisitMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "valueverse.urls"
WSGI_APPLICATION = "valueverse.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["valueverse.formats"]  # ISO days on every page of the back office
TIME_ZONE = (
    "UTC"  # billing days are counted in the zone of the legal entity or customer, never in the server's
)
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Without `collectstatic` the files are served from where they lie.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.exists()
WHITENOISE_ALLOW_ALL_ORIGINS = False
warnings.filterwarnings("ignore", message="No directory at")  # whitenoise, about the same
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # a batch of 1,000 events has about 300 KiB

# Who may sign in --------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "customers.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]  # either one: guessing one account, or from one place
AXES_USERNAME_CALLABLE = "valueverse.client_address.login_name"
AXES_CLIENT_IP_CALLABLE = "valueverse.client_address.client_address"
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_SENSITIVE_PARAMETERS = ["password"]
AXES_ALLOWED_CORS_ORIGINS = ""
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "valueverse.backoffice.signing_in.locked_out"
STAFF_SECOND_FACTOR = _access.second_factor
SECOND_FACTOR_KEYS = _access.second_factor_keys
STAFF_SESSION_IDLE, STAFF_SESSION_LONGEST = _access.staff_idle, _access.staff_longest
PORTAL_SESSION_IDLE, PORTAL_SESSION_LONGEST = _access.portal_idle, _access.portal_longest
CUSTOMER_VISIT_LONGEST = _access.visit_longest
PASSWORD_RESET_TIMEOUT = 3 * 24 * 60 * 60  # links with which staff choose a password
# django-allauth keeps and computes the second factors; signing in, its pages and its mails are ours.
MFA_ADAPTER = "customers.services.secrets.EncryptingAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]

# Cookies and headers (SecurityHeadersMiddleware adds the rest) ----------------------------------------------------
# A browser takes a __Host- cookie over HTTPS only; the plain names are for a machine of one's own.
_host_only = "__Host-" if HTTPS else ""
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = f"{_host_only}session"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = (
    12 * 60 * 60
)  # while nobody is signed in; `valueverse.sessions` sets the time of those who are
CSRF_COOKIE_NAME = f"{_host_only}csrf"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics$"]  # probes and scrapers reach the process without the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXY_COUNT else None
SECURE_HSTS_SECONDS = 2 * 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [SITE_URL] if HTTPS else []
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# The admin's theme carries style attributes, and its script library evaluates the expressions in its own templates.
# ContentSecurityPolicyMiddleware applies this below /admin/ only. PDFs are shown in a frame of the page itself.
ADMIN_CONTENT_SECURITY_POLICY = {
    "style-src": [SELF, UNSAFE_INLINE],
    "script-src": [SELF, NONCE, UNSAFE_EVAL],
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: []
    for name in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "microphone",
        "payment",
        "usb",
    )
}

# The API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "customers.api.authentication.ApiKeyAuthentication",
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "billing.platform.api.pagination.CursorPage",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "billing.platform.api.throttles.UserThrottle",
        "billing.platform.api.throttles.ApiKeyThrottle",
    ],
    "EXCEPTION_HANDLER": "billing.platform.api.errors.problem_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "NUM_PROXIES": PROXY_COUNT,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": False,
    "USER_ID_FIELD": "public_id",
    "USER_ID_CLAIM": "sub",
    "CHECK_REVOKE_TOKEN": True,  # a new password ends the tokens issued under the old one
    "ALGORITHM": "HS256",
    "AUDIENCE": "valueverse-api",
    "ISSUER": "valueverse",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ValueVerse Billing API",
    "DESCRIPTION": "Subscriptions and metered usage in; invoices, payments and books out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [],  # choices stand where they are used, rather than as components with made-up names
}

# The back office's theme and navigation ---------------------------------------------------------------------------
UNFOLD = admin_settings.UNFOLD

# Work outside of requests -----------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A task not acknowledged for this long is handed out again. Tasks are safe to run twice, but the longest
    # should end within it.
    "visibility_timeout": 2 * 60 * 60,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
}
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True  # what a task did is in the database
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TRACK_STARTED = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = (
    [
        ("payments.send_*", {"queue": "default"}),
        ("payments.*", {"queue": "payments"}),
        ("invoices.render_*", {"queue": "documents"}),
        ("invoices.send_*", {"queue": "default"}),
        ("invoices.*", {"queue": "billing"}),
        ("revenue.*", {"queue": "billing"}),
    ],
)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

# Mail and logs ----------------------------------------------------------------------------------------------------
vars().update(mail_settings(_email_url, folder=VAR_DIR / "mail"))
DJANGO_STRUCTLOG_CELERY_ENABLED = True
LOGGING_CONFIG = None
configure_logging(_log_format, level=_log_level)
