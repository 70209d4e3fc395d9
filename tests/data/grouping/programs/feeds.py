"""Reads news feeds (lxml)."""

from lxml import etree


def titles(text):
    return [item.text for item in etree.fromstring(text).iter("title")]


def run_mismatch(rng):
    """A feed that is cut off."""
    news = "".join(f"<item><title>News {n}</title></item>\n" for n in range(rng.randrange(1, 40)))
    return titles(f"<feed>\n{news}</rss>")


def run_xpath(rng):
    """A wrong expression."""
    return etree.fromstring("<feed/>").xpath(f"//item[{rng.randrange(99)}")
