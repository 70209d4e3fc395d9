"""Whose file is it, and what is it called once the folder it is installed in is taken off?

The same module lies under `/srv/shop/current/`, in a virtualenv's `site-packages`, in `/var/task`
of a function service or in a pex archive; its last folder and its own name are what stays.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from relay.traces.frames import Origin

MAX_PATH = 400
"""A longer path is looked at by its end only, which also bounds the cache."""

_SEPARATORS = re.compile(r"[\\/]+")

_PACKAGES = re.compile(
    r"^(?:.*(?:[\\/](?:(?:site|dist)-packages|_?vendor(?:ed)?|__pypackages__)|\.whl)|(?:site|dist)-packages)[\\/]+",
    re.IGNORECASE | re.DOTALL,
)
"""Folders whose children are installed packages: pip's and Debian's, a wheel inside a pex, vendored copies."""
_PACKAGE_MARKS = ("packages", "vendor", ".whl")
"""One of them is in each of these folders: a look that costs less than the pattern does."""

_STANDARD_LIBRARY = re.compile(
    r"(?:^|[\\/])(?:(?:python|pypy)\d(?:\.?\d+)?t?|python\d\d+\.zip|Python\.framework)[\\/]", re.IGNORECASE
)
"""`lib/python3.11`, `Python311\\Lib`, `python311.zip`."""

_FLAT_ROOTS = ("/var/task/", "/opt/python/", "/function/code/", "/home/site/wwwroot/")
"""Function services unpack the app and its libraries side by side (AWS Lambda and its layers, Azure)."""

_DEPLOYMENT = """
current live latest release releases checkout build dist-app src source code app application workspace deploy deployment
site www wwwroot htdocs public_html html root home lib lib64 bin project repo unzipped_code bundle
"""
_MARKERS = frozenset(_DEPLOYMENT.split())
"""Folder names that say how something was deployed and not what it is."""

_STAMPED = re.compile(r"^(?:[a-z][\w.+]*[-_])?v?\d[\w.+-]*$|^[0-9a-f]{7,64}$", re.IGNORECASE)
"""`20240510135504`, `shop-1.4.2`, a commit: a release's own folder."""

_BASES = re.compile(
    r"^(?:/home/[^/]+|/Users/[^/]+|/root|/srv(?:/www)?|/opt(?:/apps)?|/usr/local(?:/lib)?|/usr/src|/usr/lib|/usr/share"
    r"|/var/(?:www|lib|opt)|/mnt|/data|/tmp"
    r"|[A-Za-z]:(?:/(?:Users/[^/]+(?:/[^/]+)?|inetpub|apps|www|Program Files[^/]*))?)/[^/]+(?=/)"
)
"""Where applications are put by custom (hier(7), IIS): the folder right under it is named by whoever deployed it."""

_CALLERS = """
_pytest aiohttp aiohttp_retry aioredis airflow alembic amqp anyio apscheduler arq arrow asgiref asyncpg attr attrs
autobahn azure backoff bcrypt billiard bjoern boto3 botocore bottle bs4 bugsnag celery certifi channels chardet
charset_normalizer cheroot cherrypy click cryptography cv2 cx_Oracle daphne dask dateutil ddtrace decorator
distributed django dramatiq elasticapm elasticsearch eventlet falcon fastapi flask flask_login flask_sqlalchemy
flask_wtf gevent google graphene greenlet grpc gunicorn h11 h2 httpcore httptools httpx huey hypercorn idna jax jinja2
joblib jwt keras kombu loguru luigi lxml markupsafe marshmallow matplotlib meinheld mod_wsgi mongoengine motor mysql
MySQLdb nacl newrelic nose numpy odoo_rpc openpyxl opensearchpy OpenSSL opentelemetry oracledb orjson pandas paramiko
passlib peewee pendulum PIL pip pkg_resources plone pluggy pony prefect psycopg psycopg2 pydantic pydantic_core
pymongo pymysql pyodbc pyramid pytest pytz quart raven redis reportlab requests rest_framework retrying rich rollbar
rq s3transfer sanic scipy sentry_sdk setuptools simplejson six sklearn sniffio sqlalchemy starlette strawberry stripe
structlog tenacity tensorflow toml torch tornado tortoise tqdm trio twilio twisted typer ujson urllib3 uvicorn uvloop
uwsgi vine waitress webob websockets werkzeug wheel wrapt wtforms yaml zope
"""
KNOWN_PACKAGES = frozenset(_CALLERS.split())
"""Well-known packages. Needed are those that *call* an app; what an app calls is told by its place (`counted`)."""


_TEMPORARY = re.compile(
    r"^(?:/(?:var/|private/)?tmp/|/(?:private/)?var/folders/|[A-Za-z]:/.{0,100}/Temp/)", re.IGNORECASE
)
"""A file there has another name each time; its extension is all that stays."""


_EXTENSION = re.compile(r"^.*?(\.\w{1,10})?$", re.DOTALL)


class Place(NamedTuple):
    """A file, its install folder taken off."""

    file: str
    origin: Origin
    package: str


def python_place(path: str) -> Place:
    """Where a Python file belongs. `path` as in a traceback, of any operating system."""
    return _python_place(path[-MAX_PATH:])


def app_file(path: str) -> str:
    """The file with the last folder of its package: `/srv/shop/current/shop/cart.py` gives `shop/cart.py`.

    The folder is left out where it only says how the app was deployed.
    """
    return _app_file(path[-MAX_PATH:])


@lru_cache(maxsize=4096)
def _python_place(path: str) -> Place:
    if path.startswith("<"):
        return Place(path, Origin.LIBRARY, "")
    folded = path.casefold()
    looks_installed = any(mark in folded for mark in _PACKAGE_MARKS)
    if looks_installed and (packages := _PACKAGES.match(path)):
        return _installed(_SEPARATORS.split(path[packages.end() :]))
    parts = _SEPARATORS.split(path)
    if ("python" in folded or "pypy" in folded) and _STANDARD_LIBRARY.search(path):
        return Place(_tail(parts), Origin.LIBRARY, "")
    for root in _FLAT_ROOTS:
        if path.startswith(root):
            return _installed(_SEPARATORS.split(path[len(root) :]))
    if _is_script(parts):
        return Place(parts[-1], Origin.LIBRARY, "")
    return Place(_app_file(path), Origin.APP, "")


def _installed(parts: list[str]) -> Place:
    package = parts[0].partition(".")[0]
    known = package in KNOWN_PACKAGES
    return Place(_tail(parts), Origin.LIBRARY if known else Origin.INSTALLED, package)


def _is_script(parts: list[str]) -> bool:
    """A console script such as `/usr/local/bin/gunicorn` only starts what it is named after."""
    return len(parts) > 1 and parts[-2] in ("bin", "Scripts") and not parts[-1].endswith(".py")


def _tail(parts: list[str]) -> str:
    return "/".join(parts[-2:])


@lru_cache(maxsize=4096)
def _app_file(path: str) -> str:
    path = path.replace("\\", "/")
    if _TEMPORARY.match(path):
        return "temporary file" + _EXTENSION.sub(r"\1", path)
    base = _BASES.match(path)
    rest = path[base.end() if base else 0 :].strip("/")
    folder, _, name = rest.rpartition("/")
    folder = folder.rpartition("/")[2]
    if not folder or folder.lower() in _MARKERS or _STAMPED.match(folder):
        return name
    return f"{folder}/{name}"
