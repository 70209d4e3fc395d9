"""Find secrets by their format, without a name: API keys of clouds and code hosts, JSON Web Tokens, PEM blocks.

Each format follows its issuer's documentation; a comment names the issuer. Formats without a comment are also rules of
gitleaks and detect-secrets. Both are repository scanners, too heavy as a dependency for a list of patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.redact.secret import Secret
from relay.safe_regex import compiled

_BY_PREFIX = (
    (
        ("eyJ",),
        r"(?:[\w-]{8,4000}\.[\w-]{4,4000}(?:\.[\w-]{0,4000}){0,3}|[\w-]{3,4000}:1[\w-]{4,7}:[\w-]{20,90})",
    ),  # JWT (RFC 7519), JWE (RFC 7516); signed values of Django
    (("AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA"), "[A-Z0-9]{16}"),  # AWS: unique identifiers of IAM
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), "[A-Za-z0-9]{30,255}"),  # GitHub: token formats
    (("github_pat_",), r"\w{22,255}"),
    (("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-"), r"[\w.-]{20,300}"),  # GitLab: token prefixes
    (("GR1348941",), r"[\w-]{20,60}"),
    (("glimt-", "glagent-", "glsoat-", "gloas-", "glffct-"), r"[\w.-]{20,300}"),
    (("xox",), r"[abcdeoprs]-[\w%-]{10,250}"),  # Slack: token types
    (("xoxe.xox",), r"[bp]-[\w-]{10,250}"),
    (("xapp-",), r"[\w-]{10,250}"),
    (
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"),
        "[A-Za-z0-9]{10,250}",
    ),  # Stripe: API keys
    (("whsec_",), "[A-Za-z0-9+/=]{10,250}"),
    (("AIza",), r"[\w-]{35}"),  # Google Cloud
    (("1//0",), r"[\w-]{40,200}"),
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
    (("NRII-",), r"[\w-]{32}"),
    (("ATCTT3",), r"[\w=-]{20,300}"),
    (("HRKU-",), r"[\w-]{36,80}"),  # Heroku
    (("dp.pt.", "dp.ct.", "dp.sa."), "[A-Za-z0-9]{40,44}"),  # Doppler
    (("dp.st.",), r"[\w.-]{40,80}"),
    (("dt0c01.",), r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),  # Dynatrace
    (("fm2_", "fo1_"), r"[\w=+/-]{40,500}"),  # Fly.io
    (("pscale_pw_", "pscale_tkn_", "pscale_oauth_"), r"[\w=.-]{32,64}"),  # PlanetScale
    (("v1.0-",), "[0-9a-f]{24}-[0-9a-f]{146}"),  # Cloudflare: origin CA keys
    (("ops_eyJ",), r"[\w+/=-]{100,4000}"),  # 1Password
    (("pul-",), "[a-f0-9]{40}"),  # Pulumi
    (("pnu_",), "[A-Za-z0-9]{36}"),  # Prefect
    (("ntn_",), "[A-Za-z0-9]{40,50}"),  # Notion
    (("figd_",), r"[\w-]{36,50}"),  # Figma
    (("sbp_",), "[0-9a-f]{40}"),  # Supabase
    (("sb_secret_",), r"[\w-]{20,60}"),
    (("rzp_live_",), "[A-Za-z0-9]{14,20}"),  # Razorpay
    (("xkeysib-", "xsmtpsib-"), r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
    (("mlsn.",), "[0-9a-f]{64}"),  # MailerSend
    (("pat-na1-", "pat-eu1-"), "[0-9a-f-]{36}"),  # HubSpot
    (("sgp_",), r"[\w-]{40,70}"),  # Sourcegraph, Segment
    (("sqp_", "squ_", "sqa_"), "[0-9a-f]{40}"),  # SonarQube
    (("AKCp",), "[A-Za-z0-9]{60,80}"),  # JFrog
    (("CFPAT-",), r"[\w-]{40,50}"),  # Contentful
    (("LTAI",), "[A-Za-z0-9]{17,21}"),  # Alibaba
    (("aio_",), "[A-Za-z0-9]{28}"),  # Adafruit
    (("CLOJARS_",), "[0-9a-f]{60}"),
    (("duffel_live_", "duffel_test_"), r"[\w=-]{43}"),
    (("shippo_live_", "shippo_test_"), "[0-9a-f]{40}"),
    (("tfp_",), r"[\w.=-]{40,60}"),  # Typeform
    (("tskey-",), r"[\w-]{20,100}"),  # Tailscale
    (("nfp_",), "[A-Za-z0-9]{36,40}"),  # Netlify
    (("pplx-",), "[A-Za-z0-9]{40,60}"),  # Perplexity
    (("xai-",), "[A-Za-z0-9]{60,90}"),
    (("bkua_",), "[0-9a-f]{40}"),  # Buildkite
    (("CCIPAT_",), r"\w{40,80}"),  # CircleCI
    (("sk_org_live_", "sk_org_test_"), "[A-Za-z0-9]{10,250}"),  # Stripe
    (("gAAAAAB",), r"[\w-]{60,4000}={0,2}"),  # Fernet tokens
    (("$2a$", "$2b$", "$2y$"), r"\d\d\$[./A-Za-z0-9]{53}"),  # password hashes: bcrypt, argon2, scrypt, PBKDF2
    (("$argon2",), r"(?:id|i|d)\$[\w=,+/$]{40,300}(?<!,)"),
    (("$scrypt$",), r"[\w=,+/$.]{40,300}(?<![,.])"),
    (("pbkdf2_sha256$", "pbkdf2_sha1$"), r"\d{1,9}\$[\w+/=$.-]{20,200}"),
    (("pbkdf2:", "scrypt:"), r"[\w:]{3,40}\$[\w./-]{1,64}\$[0-9a-f]{32,256}"),
)
_WITHOUT_PREFIX = (
    (".eJ", r"(?<![\w.-])\.eJ[\w-]{20,4000}(?:\.[\w-]{5,8}\.[\w-]{20,90}|:[\w-]{5,8}:[\w-]{20,90})"),  # Flask, Django
    ("Q~", r"(?<![\w.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}"),  # Azure: client secrets of Entra ID
    (".atlasv1.", r"(?<![\w.-])[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}"),  # Terraform Cloud
    ("$production$", r"access_token\$production\$[0-9A-Za-z]{16}\$[0-9a-f]{32}"),  # PayPal's Braintree
    ("-us", r"(?<![\w.-])[0-9a-f]{32}-us\d{1,2}"),  # Mailchimp
    (":AA", r"(?<![\w.-])\d{8,10}:AA[\w-]{32,34}"),  # Telegram's bots
)
_FORMATS = [
    *(
        (prefix, re.compile(rf"{re.escape(prefix)}(?<![\w.-]{re.escape(prefix)}){rest}(?![A-Za-z0-9])"))
        for prefixes, rest in _BY_PREFIX
        for prefix in prefixes
    ),
    *((marker, re.compile(rf"{pattern}(?![A-Za-z0-9])")) for marker, pattern in _WITHOUT_PREFIX),
]
"""Pairs of marker and pattern. A text that matches the pattern contains the marker; a prefix is found fastest."""
_FIRST_CHARACTERS = [
    *(
        re.escape(prefix) + ("[0-9a-f]{8}" if rest.startswith("[0-9a-f]") else "[A-Za-z0-9_+/=.$:,-]{8}")
        for prefixes, rest in _BY_PREFIX
        for prefix in prefixes
    ),
    *(re.escape(marker) for marker, _ in _WITHOUT_PREFIX),
]
_ANY_TOKEN = compiled("|".join(_FIRST_CHARACTERS))
"""The first characters of all formats in one pattern. Most texts do not match."""
_MARKERS = compiled("|".join(re.escape(marker) for marker, _ in _FORMATS))
_BY_START = {
    start: [(marker, pattern) for marker, pattern in _FORMATS if marker.startswith(start)]
    for start in dict.fromkeys(marker[:2] for marker, _ in _FORMATS)
}
_HOOK = re.compile(
    r"(?:(?<=hooks\.slack\.com/services/)|(?<=hooks\.slack\.com/workflows/)|(?<=hooks\.slack\.com/triggers/)"
    r"|(?<=discord\.com/api/webhooks/)|(?<=discordapp\.com/api/webhooks/)"
    r"|(?<=webhook\.office\.com/webhookb2/))[\w/@.-]{10,300}"
)
_HOOKS = ("hooks.slack.com", "/api/webhooks/", "webhook.office.com")

PREFILTER = (*(beginning.lower() for beginning in _FIRST_CHARACTERS), *map(re.escape, _HOOKS))
"""Every text in which `by_format` finds something matches one of these patterns, in lower case."""


def by_format(text: str) -> Iterator[Secret]:
    """Find tokens and keys by their format."""
    data = text.encode("utf-8", "replace")
    if _ANY_TOKEN.search(data):
        for start in {match[0][:2] for match in _MARKERS.finditer(data)}:
            for marker, pattern in _BY_START[start.decode()]:
                if marker in text:
                    for match in pattern.finditer(text):
                        yield Secret(match.start(), match.end(), match[0])
    if any(hook in text for hook in _HOOKS):
        for match in _HOOK.finditer(text):
            yield Secret(match.start(), match.end(), match[0])


PEM = "-----BEGIN "
"""How every PEM block begins."""
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,60}-----")
_IN_STRING = re.compile(r"\\{1,15}[nr]")
_STRING_END = re.compile(r"[\"'\n]")


def pem_blocks(text: str) -> Iterator[Secret]:
    """Find keys and certificates (RFC 7468). A block without an end extends to the end of its string or of the text."""
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
