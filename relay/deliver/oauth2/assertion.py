"""Signed statements (JWT) in place of a secret: an application's certificate, Google's service account (RFC 7523)."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from relay.deliver.oauth2.errors import TokenFailed

LIFETIME = 600
"""Seconds for which a statement is valid. Microsoft recommends five to ten minutes; Google accepts up to an hour."""


def certificate_auth(private_key: str, certificate: Path | None, token_endpoint: str) -> Any:
    """Return how an application proves itself with its private key (RFC 7523 section 2.2).

    With `certificate` (Microsoft), the statement names the certificate by its SHA-256. Raises TokenFailed.
    """
    _rsa_key(private_key, "private_key")
    if certificate is None:
        return PrivateKeyJWT(token_endpoint, alg="RS256")
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise TokenFailed("certificate holds no certificate in PEM form that can be read") from error
    thumbprint = base64.urlsafe_b64encode(found.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    return PrivateKeyJWT(token_endpoint, headers={"x5t#S256": thumbprint}, alg="PS256")


def service_account_assertion(key_file: str, mailbox: str, audience: str, scope: str, now: datetime) -> str:
    """Return the statement that `mailbox` agrees, signed with the key of Google's JSON file. Raises TokenFailed."""
    try:
        key = json.loads(key_file)
        account, private_key = str(key["client_email"]), str(key["private_key"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        text = "service_account_file is no JSON key of a service account: it has no client_email or private_key"
        raise TokenFailed(text) from error
    header = {"alg": "RS256", **({"kid": str(key["private_key_id"])} if key.get("private_key_id") else {})}
    signed: str = sign_jwt_bearer_assertion(
        _rsa_key(private_key, "private_key in service_account_file"),
        account,
        audience,
        subject=mailbox,
        issued_at=int(now.timestamp()),
        expires_in=LIFETIME,
        claims={"scope": scope},
        header=header,
    )
    return signed


def _rsa_key(pem: str, name: str) -> RSAKey:
    try:
        return RSAKey.import_key(pem)
    except (ValueError, TypeError, JoseError) as error:
        raise TokenFailed(f"{name} cannot be used: it must be an RSA key in PEM form without a password") from error
