"""Turn a message into its template: fixed words stay, data becomes a placeholder (used by parse and grouping).

    patterns      the table of rules: what data looks like (ids, numbers, addresses, paths, times, names)
    replacements  functions that compute the replacement of a match, if it is more than a placeholder
    template      applies the rules to a text and records what was replaced
    known_data    replaces parts of a text that are known to be data, together with what the rules find
    source_template  reads the template of a message from the source line that raised the error
    arguments     replaces the arguments of a log message, using the template and types that our client sends

Guarantee: pure functions, in time linear in the text. This file imports nothing, so that a caller loads only the
module it needs.
"""
