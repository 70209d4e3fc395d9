"""Install folders, release folders and the size of an exception group do not count, in any language."""

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.grouping.former import fingerprint_1
from relay.parse.report import parse_text
from relay.redact import redact

ROOTS = [
    "/srv/shop", "/var/www/html", "/var/www/shop/releases/20240510115504", "/home/deploy/shop-20240510-1155",
    "/home/deploy/apps/shop-web-20240510", "/opt/shop/r20240510", "/opt/shop/release20240511", "/opt/shop/build417",
    "/srv/www/shop.example.com/build.417/htdocs", "/srv/apps/shop-web-a1b2c3d", "/data/apps/shop@2.1.0", "/app",
    "/var/www/vhosts/example.com/httpdocs", "/var/www/shop/releases/2024-05-10T11-55-04", "/var/www/shop/releases/117",
    "/mnt/efs/deploy_20240510_115504_a1b2c3d/current", "/usr/share/nginx/html",
]  # fmt: skip
TEXTS = {
    "php": "PHP Fatal error:  Uncaught Gone: Cart is gone in ROOT/Cart.php:17\nStack trace:\n"
    "#0 ROOT/index.php(5): Cart->checkout()\n#1 {main}\n  thrown in ROOT/Cart.php on line 17",
    "php.closure": "PHP Fatal error:  Uncaught Gone: Cart is gone in ROOT/web.php:17\nStack trace:\n"
    "#0 ROOT/router.php(238): {closure:ROOT/web.php:16}(Object(Request))\n"
    "#1 ROOT/index.php(51): Router->run()\n#2 {main}\n  thrown in ROOT/web.php on line 17",
    "php.warning": "PHP Warning:  include(ROOT/x.tpl): Failed to open stream in ROOT/render.php on line 12",
    "python": 'Traceback (most recent call last):\n  File "ROOT/web.py", line 12, in checkout\n    reserve()\n'
    '  File "ROOT/cart.py", line 12, in reserve\n    raise Gone(f"cart of {who}")\ncart.Gone: cart of anna\n',
    "ruby": "ROOT/cart.rb:12:in `total': cart is gone (Gone)\n\tfrom ROOT/web.rb:3:in `<main>'",
    "node": "Error: cart is gone\n    at total (ROOT/cart.js:12:5)\n    at Object.<anonymous> (ROOT/web.js:3:1)",
    "location": "Message: Cart is gone\nLocation: ROOT/cart.py:17\n",
}


def report_of(text):
    return redact(parse_text("Failed", text))


@pytest.mark.parametrize("language", TEXTS)
def test_install_and_release_folders_do_not_count(language):
    keys = {fingerprint(report_of(TEXTS[language].replace("ROOT", root))).key for root in ROOTS}

    assert len(keys) == 1


@pytest.mark.parametrize("folder", ["cart", "oauth2", "web", "step-two", "python3", "billing-api", "deadbeef_cafe"])
def test_folders_of_the_code_count(folder):
    text = TEXTS["ruby"]

    inside, at_the_top = (report_of(text.replace("ROOT", root)) for root in (f"/srv/shop/{folder}", "/srv/shop"))

    assert fingerprint(inside).key != fingerprint(at_the_top).key


def test_version_1_keeps_the_folders_that_it_counted():
    one, two = (report_of(TEXTS["ruby"].replace("ROOT", f"/opt/shop/r{day}")) for day in (20240510, 20240511))

    assert fingerprint_1(one).key != fingerprint_1(two).key


def group_of(count, words):
    """An exception group of equal errors."""
    member = (
        "  +-+---------------- {} ----------------\n"
        "    | Traceback (most recent call last):\n"
        '    |   File "/srv/shop/cart.py", line 5, in upload\n'
        "    |     raise ValueError(name)\n"
        "    | ValueError: bad\n"
    )
    return report_of(
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/srv/shop/web.py", line 3, in main\n'
        "  |     raise ExceptionGroup(text, errors)\n"
        f"  | ExceptionGroup: {words} ({count} sub-exception{'s' * (count > 1)})\n"
        + "".join(member.format(number) for number in range(1, count + 1))
        + "    +------------------------------------\n"
    )


def test_the_number_of_equal_members_of_an_exception_group_does_not_count():
    texts = ["one upload failed", "two uploads failed", "three uploads failed", "4 uploads failed"]

    keys = {fingerprint(group_of(count, words)).key for count, words in enumerate(texts, 1)}

    assert len(keys) == 1
    assert keys != {fingerprint(group_of(2, "two downloads failed")).key}
