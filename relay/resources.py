"""Find the files that ship with the relay, in a checkout, an editable install or an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def templates_dir() -> Path:
    """Return the folder with `mail/` and `web/`: inside the package in a wheel, else at the top of the checkout.

    Raises FileNotFoundError if neither exists: the installation is broken, and no digest could be rendered.
    """
    places = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError("the relay's templates are missing; looked for " + " and ".join(map(str, places)))
