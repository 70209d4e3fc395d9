"""Access tokens for the login at the upstream (OAuth 2.0): get, store and refresh them (settings → session).

    token      an access token, when to refresh it, and the replies of token endpoints (pure)
    bearer     the SMTP login with a token: XOAUTH2 and OAUTHBEARER (pure)
    secrets    what must not be shown: tokens, keys, assertions (pure)
    errors     the failure of the way to a token
    source     the token for one login: from memory, a file, or a new one, under the lock
    files      the stored tokens and the lock, in files that only their owner can read
    endpoint   requests to the authorisation server, with Authlib
    assertion  the signed statements that stand for a secret: certificates and service accounts
    programs   tokens that another program gives: by a command, or in a file
    sign_in    a person logs in once: `relay login`

This file imports nothing, so that a relay with a password loads no HTTP client.

Guarantee: a token is refreshed once, by one process at a time on this machine. A secret is never part of a text that is
shown, of the ledger or of a log. A stored secret lies in a file of mode 0600. An endpoint that is down or slow does not
stop the delivery as long as the last token is valid.
"""
