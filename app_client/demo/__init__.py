"""`python -m app_client.demo`: a small Flask shop that fails in the seven ways of Flask's guide.

    shop          the Flask app, with the recipe of the guide word for word
    dependencies  what the shop depends on, all failing: a locked database, a full disk, a slow service
    visits        the requests that make the shop fail

It listens on this machine only, and sends to this machine unless `--host` says otherwise.
"""
