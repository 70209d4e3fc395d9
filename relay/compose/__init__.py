"""From the groups that are due to the bytes of a mail (pure steps of the digest).

    entries    what a digest says of each group, and which groups are shown in full
    correlate  which groups are one failure that was logged in two places
    notes      sentences about the digest as a whole
    item       one entry as the templates show it
    page       the whole digest as the templates show it
    highlight  a traceback in colours
    render     runs the templates: subject, text and HTML
    message    the mail with its headers, and its parts again
    example    a made-up digest, for `relay render` and the test mail

Pure but for the templates, which `render` reads once. Nothing is imported here: the pages load no template engine for
mails that they do not render.
"""
