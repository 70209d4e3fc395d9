"""Secrets known by their form, whatever they are called: keys of clouds and forges, JSON Web Tokens, PEM blocks.

Each form is as its issuer documents it; those beside which nothing is said are also in the rules of gitleaks and
detect-secrets. Both are scanners of repositories, too heavy to depend on for a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.redact.secret import Secret

_FORMS = re.compile(
    r"(?<![\w.-])(?:"
    r"eyJ[\w-]{8,4000}\.[\w-]{4,4000}(?:\.[\w-]{0,4000}){0,3}"  # JWT (RFC 7519), JWE (RFC 7516)
    r"|(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{16}"  # AWS: unique identifiers of IAM
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}"  # GitHub: token formats
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct)-[\w.-]{20,300}"  # GitLab: token prefixes
    r"|xox[abeoprs]-[\w-]{10,250}|xapp-[\w-]{10,250}"  # Slack: token types
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/=]{10,250}"  # Stripe: API keys
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,500}|GOCSPX-[\w-]{20,60}"  # Google Cloud
    r"|[\w~.-]{3}\dQ~[\w~.-]{31,34}"  # Azure: client secrets of Entra ID
    r"|SG\.[\w-]{16,64}\.[\w-]{16,64}|key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}"  # SendGrid, Mailgun, Mailchimp
    r"|SK[0-9a-f]{32}"  # Twilio
    r"|sk-[\w-]{20,200}|gsk_[A-Za-z0-9]{40,60}|hf_[A-Za-z]{30,40}|r8_[A-Za-z0-9]{37,40}"  # OpenAI and its kin
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,300}|rubygems_[0-9a-f]{48}|dckr_pat_[\w-]{20,60}"  # package registries
    r"|do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|sq0[a-z]{3}-[\w-]{22,43}"  # DigitalOcean and others
    r"|hv[sbr]\.[\w-]{20,300}|dapi[0-9a-f]{32}|gl(?:c|sa)_[\w=+/-]{20,300}"  # Vault, Databricks, Grafana
    r"|ATATT3[\w=-]{20,300}|ATBB[A-Za-z0-9]{24,60}|lin_api_[A-Za-z0-9]{20,60}"  # Atlassian, Linear
    r"|sntry[su]_[\w=+/-]{20,300}|NRAK-[A-Z0-9]{27}|PMAK-[\w-]{30,70}"  # Sentry, New Relic, Postman
    r"|\d{8,10}:AA[\w-]{32,34}"  # Telegram's bots
    r"|AGE-SECRET-KEY-1[A-Z0-9]{20,100}"
    r")(?![A-Za-z0-9])"
)
_MARKS = (
    "eyJ", "AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "gl",
    "xox", "xapp-", "k_live_", "k_test_", "whsec_", "AIza", "ya29.", "GOCSPX-", "Q~", "SG.", "key-", "-us", "SK", "sk-",
    "gsk_", "hf_", "r8_", "npm_", "pypi-", "rubygems_", "dckr_pat_", "_v1_", "shp", "sq0", "hvs.", "hvb.", "hvr.",
    "dapi", "ATATT3", "ATBB", "lin_api_", "sntry", "NRAK-", "PMAK-", ":AA", "AGE-SECRET",
)  # fmt: skip
"""One of them is in all that has such a form."""
_HOOK = re.compile(
    r"(?:(?<=hooks\.slack\.com/services/)|(?<=discord\.com/api/webhooks/)|(?<=discordapp\.com/api/webhooks/)"
    r"|(?<=webhook\.office\.com/webhookb2/))[\w/@.-]{10,300}"
)
_HOOKS = ("hooks.slack.com", "/api/webhooks/", "webhook.office.com")


def by_form(text: str) -> Iterator[Secret]:
    """Tokens and keys whose form says whose they are."""
    if any(mark in text for mark in _MARKS):
        for match in _FORMS.finditer(text):
            yield Secret(match.start(), match.end(), match[0])
    if any(hook in text for hook in _HOOKS):
        for match in _HOOK.finditer(text):
            yield Secret(match.start(), match.end(), match[0])


_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,60}-----")
_IN_STRING = re.compile(r"\\{1,15}[nr]")
_STRING_END = re.compile(r"[\"'\n]")


def pem_blocks(text: str) -> Iterator[Secret]:
    """Keys and certificates (RFC 7468); one that is cut off reaches to the end of its string, or of the text."""
    place = 0
    while (place := text.find("-----BEGIN ", place)) >= 0:
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
