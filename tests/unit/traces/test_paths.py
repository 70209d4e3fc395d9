"""Paths in frames: a file has the same name wherever it is installed, and library files are recognized."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.traces import Origin, paths
from relay.traces.paths import MAX_PATH, app_file, python_place


@pytest.mark.parametrize(
    "path",
    [
        "/srv/shop/current/shop/cart.py",
        "/srv/shop/releases/20240510135504/shop/cart.py",
        "/opt/shop-1.4.2/shop/cart.py",
        "/home/ada/shop/live/shop/cart.py",
        "/usr/src/app/shop/cart.py",
        "/app/shop/cart.py",
        "/usr/local/shop/src/shop/cart.py",
        "/var/task/shop/cart.py",
        "/srv/venv/lib/python3.12/site-packages/shop/cart.py",
        "/home/ada/.pex/unzipped_code/6dd8c4c0ed7afd7aa5b979f031ddc99346178280/shop/cart.py",
        r"C:\inetpub\shop\shop\cart.py",
        r"D:\apps\shop\venv\Lib\site-packages\shop\cart.py",
        "shop/cart.py",
    ],
)
def test_file_has_the_same_name_wherever_it_is_installed(path):
    assert python_place(path).file == "shop/cart.py"
    assert python_place(path).origin is not Origin.LIBRARY


@pytest.mark.parametrize(
    "path", ["/srv/shop/current/app.py", "/app/app.py", "/home/ada/shop/src/app.py", "app.py", "/opt/shop/app.py"]
)
def test_file_in_the_root_folder_of_an_app_has_no_folder(path):
    assert python_place(path).file == "app.py"


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/python3.11/json/decoder.py",
        r"C:\Python311\Lib\json\decoder.py",
        "/usr/lib/python311.zip/json/decoder.py",
        "/usr/lib/python3/dist-packages/flask/app.py",
        "/srv/venv/lib/python3.12/site-packages/flask/app.py",
        "/var/task/flask/app.py",
        "/opt/python/celery/app.py",
        "/home/ada/.pex/installed_wheels/e908/flask-py3-none-any.whl/flask/app.py",
        "/usr/local/bin/gunicorn",
        "<frozen importlib._bootstrap>",
        "<string>",
    ],
)
def test_library_is_recognized_by_its_path(path):
    assert python_place(path).origin is Origin.LIBRARY


def test_all_temporary_files_have_the_same_name():
    assert app_file("/tmp/tmpab12cd34/rule.py") == app_file("/var/folders/zz/yy/T/x9.py") == "temporary file.py"


def test_name_of_a_long_path_is_bounded():
    assert len(python_place("/a" * 100_000 + "/b.py").file) <= MAX_PATH


FOLDERS = [
    "site-packages",
    "DIST-PACKAGES",
    "_vendor",
    "vendored",
    "__pypackages__",
    "a.whl",
    "python3.11",
    "Python311",
    "pypy3",
    "lib",
    "shop",
    "a.py",
]


@given(st.sampled_from(["", "/", "C:\\"]), st.lists(st.sampled_from(FOLDERS), min_size=1), st.sampled_from("/\\"))
def test_fast_check_misses_no_installed_path(root, folders, separator):
    path = (root + separator.join(folders)).casefold()

    assert not paths._PACKAGES.match(path) or any(mark in path for mark in paths._PACKAGE_MARKERS)
    assert not paths._STANDARD_LIBRARY.search(path) or "python" in path or "pypy" in path
