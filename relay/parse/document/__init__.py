"""Read the text of a mail as a document: which part of it is the error (between mime and report).

    records          log records: where they begin, with their level
    fields           labelled values, and what their labels mean
    boilerplate      greetings, signatures, notices about the mail
    segment          split a text into blocks
    statement        choose the lines that say what failed
    document         combine them with the known layouts

Guarantee: any text gives a Document, in time linear in the text; all modules are pure. This file imports nothing.
"""
