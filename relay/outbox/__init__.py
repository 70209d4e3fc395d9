"""The step from the outbox to the upstream: messages are claimed, sent, and their outcome is stored.

    step    sends what is due, one try at a time
    retry   when a message is tried again, and when it is a dead letter (pure)
    advice  what is wrong with the upstream and what to do about it, in words (pure)

Nothing is imported here: commands and pages that only give advice load no SMTP client.
"""
