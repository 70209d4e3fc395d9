"""Map the path of a source file to a name without its installation folder, and to the owner of the code.

The same module can lie under `/srv/shop/current/`, in the `site-packages` of a virtualenv, in `/var/task` of a
function service or in a pex archive. The name consists of the last folder and the file name, e.g. `shop/cart.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from relay.traces.frames import Origin

MAX_PATH = 400
"""Characters. Only the end of a longer path is read. This also bounds the memory of the cache."""

_SEPARATORS = re.compile(r"[\\/]+")

_PACKAGES = re.compile(
    r"^(?:.*(?:[\\/](?:(?:site|dist)-packages|_?vendor(?:ed)?|__pypackages__)|\.whl)|(?:site|dist)-packages)[\\/]+",
    re.IGNORECASE | re.DOTALL,
)
"""Folders that contain installed packages: those of pip and Debian, a wheel in a pex archive, vendored copies."""
_PACKAGE_MARKERS = ("packages", "vendor", ".whl")
"""Each of these folders contains one of these strings: a check that is cheaper than the pattern."""

_STANDARD_LIBRARY = re.compile(
    r"(?:^|[\\/])(?:(?:python|pypy)\d(?:\.?\d+)?t?|python\d\d+\.zip|Python\.framework)[\\/]", re.IGNORECASE
)
"""`lib/python3.11`, `Python311\\Lib`, `python311.zip`."""

_FLAT_ROOTS = ("/var/task/", "/opt/python/", "/function/code/", "/home/site/wwwroot/")
"""Folders in which function services unpack the app and its libraries side by side (AWS Lambda, its layers, Azure)."""

_DEPLOYMENT = """
current live latest release releases checkout build dist-app src source code app application workspace deploy deployment
site www wwwroot htdocs public_html html root home lib lib64 bin project repo unzipped_code bundle
"""
_DEPLOYMENT_FOLDERS = frozenset(_DEPLOYMENT.split())
"""Folder names that describe the deployment and not the app."""

_RELEASE_FOLDER = re.compile(r"^(?:[a-z][\w.+]*[-_])?v?\d[\w.+-]*$|^[0-9a-f]{7,64}$", re.IGNORECASE)
"""The folder of one release: `20240510135504`, `shop-1.4.2`, a commit hash."""

_RELEASE_STAMP = re.compile(
    r"\d{6}|[-_.@+]v?\d+[._-]\d|^(?:r|rel|rev|v|ver|version|release|revision|build|deploy|deployment)[-_.]?\d+$"
    r"|[-_.@+](?=[a-f]{0,40}\d)(?=\d{0,40}[a-f])[0-9a-f]{7,40}$|\[masked\]",
    re.IGNORECASE,
)
"""Other folders of one release, by their stamp: a date, a version, a number or a commit.

Examples: `shop-web-20240510`, `r20240510`, `shop@2.14`, `build417`, `shop-a1b2c3d`; a stamp that is masked as a secret.
"""
_WEB_ROOTS = frozenset(("httpdocs", "httpsdocs", "webroot", "docroot", "web_root"))
"""Folders of web servers that say nothing about the code, as `_DEPLOYMENT_FOLDERS`."""

_BASES = re.compile(
    r"^(?:/home/[^/]+|/Users/[^/]+|/root|/srv(?:/www)?|/opt(?:/apps)?|/usr/local(?:/lib)?|/usr/src|/usr/lib|/usr/share"
    r"|/var/(?:www|lib|opt)|/mnt|/data|/tmp"
    r"|[A-Za-z]:(?:/(?:Users/[^/]+(?:/[^/]+)?|inetpub|apps|www|Program Files[^/]*))?)/[^/]+(?=/)"
)
"""Usual parent folders of applications (hier(7), IIS), and the folder below them.

The name of that folder is chosen at deployment and says nothing about the code.
"""

_CALLING_PACKAGES = """
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
KNOWN_PACKAGES = frozenset(_CALLING_PACKAGES.split())
"""Well-known packages. The list must contain the packages that *call* an app.

Packages that an app calls are recognized by their position in the stack (`relevant_frames_of`).
"""


_TEMPORARY = re.compile(
    r"^(?:/(?:var/|private/)?tmp/|/(?:private/)?var/folders/|[A-Za-z]:/.{0,100}/Temp/)", re.IGNORECASE
)
"""Temporary files have a new name each time. Only the extension is kept."""


_EXTENSION = re.compile(r"^.*?(\.\w{1,10})?$", re.DOTALL)


class Place(NamedTuple):
    """A file without its installation folder."""

    file: str
    origin: Origin
    package: str


def python_place(path: str) -> Place:
    """Return the file, origin and package of a Python file. `path` is as in a traceback, of any operating system."""
    return _python_place(path[-MAX_PATH:])


def without_release(file: str) -> str:
    """Return a file as `app_file` names it without its folder, if that is the folder of a release or of a web server.

    In any language: `shop-web-20240510/cart.php` gives `cart.php`. A step of its own, since version 1 of the
    fingerprint does not have it.
    """
    folder, _, name = file.rpartition("/")
    if folder.isalpha():  # most folders: a release has a stamp
        return name if folder.lower() in _WEB_ROOTS else file
    stamped = folder and "/" not in folder and (folder.lower() in _WEB_ROOTS or _RELEASE_STAMP.search(folder))
    return name if stamped else file


def app_file(path: str) -> str:
    """Return the file with its last folder: `/srv/shop/current/shop/cart.py` gives `shop/cart.py`.

    The folder is left out if its name only describes the deployment.
    """
    return _app_file(path[-MAX_PATH:])


@lru_cache(maxsize=4096)
def _python_place(path: str) -> Place:
    if path.startswith("<"):
        return Place(path, Origin.LIBRARY, "")
    folded = path.casefold()
    looks_installed = any(marker in folded for marker in _PACKAGE_MARKERS)
    if looks_installed and (packages := _PACKAGES.match(path)):
        return _installed(_SEPARATORS.split(path[packages.end() :]))
    parts = _SEPARATORS.split(path)
    if ("python" in folded or "pypy" in folded) and _STANDARD_LIBRARY.search(path):
        return Place(_last_two(parts), Origin.LIBRARY, "")
    for root in _FLAT_ROOTS:
        if path.startswith(root):
            return _installed(_SEPARATORS.split(path[len(root) :]))
    if _is_script(parts):
        return Place(parts[-1], Origin.LIBRARY, "")
    return Place(_app_file(path), Origin.APP, "")


def _installed(parts: list[str]) -> Place:
    package = parts[0].partition(".")[0]
    known = package in KNOWN_PACKAGES
    return Place(_last_two(parts), Origin.LIBRARY if known else Origin.INSTALLED, package)


def _is_script(parts: list[str]) -> bool:
    """Return True for a console script such as `/usr/local/bin/gunicorn`, which only starts the program."""
    return len(parts) > 1 and parts[-2] in ("bin", "Scripts") and not parts[-1].endswith(".py")


def _last_two(parts: list[str]) -> str:
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
    if not folder or folder.lower() in _DEPLOYMENT_FOLDERS or _RELEASE_FOLDER.match(folder):
        return name
    return f"{folder}/{name}"
