"""`relay repair`: rebuild a damaged SQLite ledger from all rows that can still be read.

    rebuild  runs the repair: copy, salvage, mend the books, exchange the files
    salvage  copies every row that can be read

The damaged file stays beside the new one.
"""
