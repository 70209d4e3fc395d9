"""From a message to its template: the fixed words stay, data becomes a placeholder (used by parse and grouping).

    patterns      what data looks like: ids, numbers, addresses, paths, moments, names behind known words
    replacements  the patterns as one expression, and what each match is replaced by
    template      applies them to a text and keeps what was found
    arguments     finds the template by the arguments that our own client names

Pure, without state; time grows linearly with the text. Nothing is imported here: who needs one module loads that one.
"""
