"""`python -m app_client.demo`: a small shop that fails in the guide's seven ways, and its visitors.

    shop          the Flask app, with the guide's recipe word for word
    surroundings  what the shop depends on: a locked database, a full disk, a slow service
    visits        who comes, and what makes the shop fail

It listens on and sends to this machine only.
"""
