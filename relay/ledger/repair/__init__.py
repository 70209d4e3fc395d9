"""`relay repair`: a damaged ledger on SQLite becomes a whole one with all that can still be read of it.

    rebuild  the order of the work: copy, salvage, mend the books, exchange the files
    salvage  copies every row that can be read

The damaged file stays beside the new one.
"""
