"""When an error is reported to whom (pure decisions of the digest step).

    group   the life cycle of one group: new, ongoing, again, spike, back, ended
    route   the next digest of one route: which groups are due, which are included early
    budget  how many mails one recipient still gets

Pure: `now` is an argument and each decision is a value. Nothing is imported here: who needs one module loads that one.
"""
