"""Read the template of a message from the source line that raised the error (grouping.components → parameterize).

    raise OutOfStock(f"only {left} left of {sku!r}")  →  "only " · left · " left of " · sku

A stack trace prints that line. Its literals are the fixed words of the message, and its holes are data.

    scan      a source line → literals, brackets and other text
    template  the fixed texts and the expressions between them
    python    the templates that a line of Python can format
    match     fit a template to a message: which parts of the message are data

Guarantee: pure functions, in time linear in the line and in the message. A source line is only split, never evaluated
or compiled, so each machine reads it in the same way, whichever Python it runs. This file imports nothing.
"""
