"""What is recorded at the moment of an error: the exception, its frames, the machine's state, the situation it shows.

    report      the record as plain values, with its chain of exceptions
    frames      which frame of a traceback is the app's own
    snapshot    disk, memory and load at that moment
    situations  which of the guide's seven situations it looks like
    text        a text for every object, whatever its `str` does

Nothing here raises: what cannot be read is left out.
"""
