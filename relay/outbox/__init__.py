"""The outbox step: claim one message, send it to the upstream, store the outcome (ledger → outbox → deliver).

    step          sends due messages, one try per call
    retry         computes the time of the next try, and decides when a message becomes a dead letter (pure)
    check         connects and logs in to the upstream while no message is sent
    upstream_log  the log lines for an upstream that failed or works again
    holds         which recipients wait because their budget is used up
    advice        says what is wrong with the upstream and what to do about it (pure)
    token_advice  the same for access tokens (pure)

This file imports nothing, so that commands and pages that only give advice load no SMTP client.
"""
