"""Secrets known by their form, whatever they are called: keys of clouds and forges, JSON Web Tokens, PEM blocks.

Each form is as its issuer documents it; those beside which nothing is said are also in the rules of gitleaks and
detect-secrets. Both are scanners of repositories, too heavy to depend on for a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.linear import compiled
from relay.redact.secret import Secret

_BY_PREFIX = (
    (("eyJ",), r"[\w-]{8,4000}\.[\w-]{4,4000}(?:\.[\w-]{0,4000}){0,3}"),  # JWT (RFC 7519), JWE (RFC 7516)
    (("AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA"), "[A-Z0-9]{16}"),  # AWS: unique identifiers of IAM
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), "[A-Za-z0-9]{30,255}"),  # GitHub: token formats
    (("github_pat_",), r"\w{22,255}"),
    (("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-"), r"[\w.-]{20,300}"),  # GitLab: token prefixes
    (("glimt-", "glagent-", "glsoat-", "gloas-", "glffct-"), r"[\w.-]{20,300}"),
    (("xox",), r"[abeoprs]-[\w-]{10,250}"),  # Slack: token types
    (("xapp-",), r"[\w-]{10,250}"),
    (
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"),
        "[A-Za-z0-9]{10,250}",
    ),  # Stripe: API keys
    (("whsec_",), "[A-Za-z0-9+/=]{10,250}"),
    (("AIza",), r"[\w-]{35}"),  # Google Cloud
    (("ya29.",), r"[\w-]{20,500}"),
    (("GOCSPX-",), r"[\w-]{20,60}"),
    (("SG.",), r"[\w-]{16,64}\.[\w-]{16,64}"),  # SendGrid
    (("key-", "SK"), "[0-9a-f]{32}"),  # Mailgun, Twilio
    (("sk-",), r"[\w-]{20,200}"),  # OpenAI, Anthropic
    (("gsk_",), "[A-Za-z0-9]{40,60}"),  # Groq
    (("hf_",), "[A-Za-z]{30,40}"),  # Hugging Face
    (("r8_",), "[A-Za-z0-9]{37,40}"),  # Replicate
    (("npm_",), "[A-Za-z0-9]{36}"),
    (("pypi-",), r"[\w-]{50,300}"),
    (("rubygems_",), "[0-9a-f]{48}"),
    (("dckr_pat_",), r"[\w-]{20,60}"),  # Docker
    (("dop_v1_", "doo_v1_", "dor_v1_"), "[0-9a-f]{64}"),  # DigitalOcean
    (("shpat_", "shpca_", "shppa_", "shpss_"), "[0-9a-fA-F]{32}"),  # Shopify
    (("sq0",), r"[a-z]{3}-[\w-]{22,43}"),  # Square
    (("hvs.", "hvb.", "hvr."), r"[\w-]{20,300}"),  # Vault
    (("dapi",), "[0-9a-f]{32}"),  # Databricks
    (("glc_", "glsa_"), r"[\w=+/-]{20,300}"),  # Grafana
    (("ATATT3",), r"[\w=-]{20,300}"),  # Atlassian
    (("ATBB",), "[A-Za-z0-9]{24,60}"),
    (("lin_api_",), "[A-Za-z0-9]{20,60}"),  # Linear
    (("sntrys_", "sntryu_"), r"[\w=+/-]{20,300}"),  # Sentry
    (("NRAK-",), "[A-Z0-9]{27}"),  # New Relic
    (("PMAK-",), r"[\w-]{30,70}"),  # Postman
    (("AGE-SECRET-KEY-1",), "[A-Z0-9]{20,100}"),
)
_OTHERS = (
    ("Q~", r"(?<![\w.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}"),  # Azure: client secrets of Entra ID
    ("-us", r"(?<![\w.-])[0-9a-f]{32}-us\d{1,2}"),  # Mailchimp
    (":AA", r"(?<![\w.-])\d{8,10}:AA[\w-]{32,34}"),  # Telegram's bots
)
_FORMS = [
    *(
        (prefix, re.compile(rf"{re.escape(prefix)}(?<![\w.-]{re.escape(prefix)}){rest}(?![A-Za-z0-9])"))
        for prefixes, rest in _BY_PREFIX
        for prefix in prefixes
    ),
    *((mark, re.compile(rf"{form}(?![A-Za-z0-9])")) for mark, form in _OTHERS),
]
"""By what is in all of that form; a beginning is found fastest."""
_BEGINNINGS = [
    *(
        re.escape(prefix) + ("[0-9a-f]{8}" if rest.startswith("[0-9a-f]") else "[A-Za-z0-9_+/=.-]{8}")
        for prefixes, rest in _BY_PREFIX
        for prefix in prefixes
    ),
    *(mark for mark, _ in _OTHERS),
]
_ANY = compiled("|".join(_BEGINNINGS))
"""The beginnings of all of them, looked for at once: most texts have none."""
_HOOK = re.compile(
    r"(?:(?<=hooks\.slack\.com/services/)|(?<=discord\.com/api/webhooks/)|(?<=discordapp\.com/api/webhooks/)"
    r"|(?<=webhook\.office\.com/webhookb2/))[\w/@.-]{10,300}"
)
_HOOKS = ("hooks.slack.com", "/api/webhooks/", "webhook.office.com")

MARKS = (*(beginning.lower() for beginning in _BEGINNINGS), *map(re.escape, _HOOKS))
"""One of these patterns fits every text, in lower case, that `by_form` finds something in."""


def by_form(text: str) -> Iterator[Secret]:
    """Tokens and keys whose form says whose they are."""
    for mark, pattern in _FORMS if _ANY.search(text.encode("utf-8", "replace")) else ():
        if mark in text:
            for match in pattern.finditer(text):
                yield Secret(match.start(), match.end(), match[0])
    if any(hook in text for hook in _HOOKS):
        for match in _HOOK.finditer(text):
            yield Secret(match.start(), match.end(), match[0])


PEM = "-----BEGIN "
"""What is in each of its blocks."""
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,60}-----")
_IN_STRING = re.compile(r"\\{1,15}[nr]")
_STRING_END = re.compile(r"[\"'\n]")


def pem_blocks(text: str) -> Iterator[Secret]:
    """Keys and certificates (RFC 7468); one that is cut off reaches to the end of its string, or of the text."""
    place = 0
    while (place := text.find(PEM, place)) >= 0:
        start = _PEM.match(text, place)
        if start is None:
            place += 1
            continue
        end = text.find("-----END ", start.end())
        if end < 0:
            closing = _STRING_END.search(text, start.end()) if _IN_STRING.match(text, start.end()) else None
            end = closing.start() if closing else len(text)
        yield Secret(start.end(), end)
        place = end
