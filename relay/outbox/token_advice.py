"""What to do if there is no access token for the login at the upstream (pure).

`deliver.oauth2` writes what happened into `UpstreamState.detail`. The codes that begin with AADSTS are Microsoft's; the
others are those of RFC 6749 section 5.2, with the descriptions of Google. The first line that matches counts.
"""

from __future__ import annotations

import re

_ENTRA = "in the Microsoft Entra admin center, App registrations, your application"
_CLOCK = "set this machine's clock (NTP): signed statements and certificates are valid only at the right time"
_LOGIN = "run `relay login` and log in as the mailbox"
_SCOPE = "check [upstream.oauth2] scope: without the setting, the relay asks for what its provider needs"

_ADVICE: tuple[tuple[str, str], ...] = (
    (r"clock (?:is|may be)|AADSTS700024|AADSTS500133|short-lived token|reasonable timeframe|not yet valid", _CLOCK),
    (r"certificate has expired", f"ask the provider, or {_CLOCK}"),
    (
        r"libraries are missing",
        "install the extra: docs/providers.md has the commands for pip and for the container image",
    ),
    (r"nobody has logged in", _LOGIN),
    (r"another process has been asking", "nothing to do unless it continues: then stop the process that hangs"),
    (r"token_command", "run the command by hand as the relay's user: it must print a token, or JSON with access_token"),
    (r"token_file", "check the program that writes the file, and that the relay's user may read it"),
    (r"AADSTS7000222", f"the client secret has expired: create a new one {_ENTRA}, Certificates & secrets"),
    (
        r"AADSTS7000215",
        f"the client secret is wrong: use the Value, not the Secret ID, of one {_ENTRA}, Certificates & secrets",
    ),
    (r"AADSTS7000(?:12|27)\b", f"upload the certificate {_ENTRA}, Certificates & secrets"),
    (r"AADSTS7000218", f'set "Allow public client flows" to Yes {_ENTRA}, Authentication; or set client_secret_file'),
    (r"AADSTS700016", "check client_id (Application ID) and tenant: this tenant has no such application"),
    (r"AADSTS(?:90002|900023|50059|900384)\b", 'check [upstream.oauth2] tenant: copy the "Directory (tenant) ID"'),
    (
        r"AADSTS6500[1-9]|AADSTS90094",
        f'grant consent: {_ENTRA}, API permissions, "Grant admin consent"; for device_code run `relay login` again',
    ),
    (r"AADSTS(?:53003|530\d\d|50105|50158)\b", "a policy of the organization blocks this login: ask its administrator"),
    (
        r"AADSTS(?:50034|50057|50053)\b",
        "the mailbox is unknown, disabled or locked: check username, or ask its administrator",
    ),
    (r"AADSTS(?:70011|1002012|500011|650053|28002|28003)\b|invalid_scope|invalid_resource", _SCOPE),
    (
        r"AADSTS(?:50173|50076|50078|50079|70008|700082|700084|54005|50089|70043|65004)\b|interaction_required",
        f"the login is no longer valid (password changed, revoked, or too long unused): {_LOGIN}",
    ),
    (
        r"invalid email|user id",
        "[upstream] username must be a mailbox of this Google Workspace: a service account acts only for those",
    ),
    (
        r"JWT signature|account not found",
        (
            "the key of the service account was deleted: create a new one in the Google Cloud console, "
            "IAM & Admin, Service accounts, Keys"
        ),
    ),
    (
        r"unauthorized_client",
        (
            "allow the application: in Google's Admin console, Security, API controls, Domain-wide delegation, with "
            "the client ID of the service account and the scope https://mail.google.com/; elsewhere allow this grant"
        ),
    ),
    (r"admin_policy_enforced|org_internal", "the organization does not trust this application: ask its administrator"),
    (r"(?:deleted|disabled)_client", "the application was deleted or disabled at the provider: create another one"),
    (
        r"invalid_grant",
        (
            f"the login was revoked or has expired: {_LOGIN}, or set a new refresh token. At Google, an application in "
            'the publishing status "Testing" is logged out after 7 days: publish it'
        ),
    ),
    (r"access_denied|authorization_declined", f"the login was refused: {_LOGIN}, and agree"),
    (r"expired_token|code has expired", "the code was not used in time: run `relay login` again"),
    (r"invalid_client|\b401\b", "check client_id and client_secret_file: the provider does not accept them"),
    (r"unsupported_grant_type", "the provider does not support this grant: set another [upstream.oauth2] grant"),
    (
        r"\b429\b|temporarily_unavailable|\b5\d\d\b|server_error",
        "nothing to do unless it continues: the provider has a fault",
    ),
    (
        r"no token endpoint|reply holds no|\b[34]\d\d\b",
        "check [upstream.oauth2] tenant and token_endpoint: this is not the address of a token endpoint",
    ),
    (
        r"certificate was not accepted",
        "check the address of the endpoint; for a certificate authority of your own set [upstream] ca_file",
    ),
    (r"no reply within|cannot connect|connection broke", "check the network, the firewall and the proxy (HTTPS_PROXY)"),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in _ADVICE)

FALLBACK = "check [upstream.oauth2] and the application at the provider; docs/providers.md has every step"

LOGIN_REFUSED = (
    "the server does not accept the token for this mailbox: check that username is the mailbox; Microsoft: permission "
    "SMTP.SendAsApp with admin consent, New-ServicePrincipal, and Add-MailboxPermission (docs/providers.md); Google: "
    "the scope https://mail.google.com/"
)
"""What to do if the upstream refuses a token that the provider gave."""


def token_advice(detail: str) -> str:
    """Return what to do about a failure to get a token; `detail` says what happened."""
    return next((advice for pattern, advice in _PATTERNS if pattern.search(detail)), FALLBACK)
