"""Turn due groups into the bytes of a mail (pure steps of the digest).

    entries    the entry of each group in a digest, and which entries are shown in full
    correlate  which groups are one failure that was logged in two places
    notes      sentences about the digest as a whole
    item       one entry as the templates get it
    outline    the whole digest as the templates get it
    highlight  a traceback in colours
    render     runs the templates: subject, text and HTML
    message    the mail with its headers; reading its parts back
    example    an invented digest, for `relay render` and for checking templates

Pure except for the templates, which `render` reads once. This package imports nothing at import time: the web pages
show stored mails without loading the template engine.
"""
