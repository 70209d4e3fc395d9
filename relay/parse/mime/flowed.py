"""Join the lines of a text in format=flowed (RFC 3676) into its paragraphs.

Guarantee: linear in the text.
"""

from __future__ import annotations


def unfolded(text: str, *, delete_space: bool) -> str:
    """Return `text` with each flowed line joined to the next (RFC 3676, section 4.1).

    A line that ends with a space is flowed, except the signature mark. `delete_space` is the parameter DelSp: the space
    is not part of the text. A space at the beginning of a line is stuffed, and removed. Quoted lines stay as they are.
    """
    done: list[str] = []
    pending = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith(">"):
            done += [pending] if pending else []
            pending = ""
            done.append(line)
            continue
        whole = pending + line.removeprefix(" ")
        if whole.endswith(" ") and whole != "-- ":
            pending = whole[:-1] if delete_space else whole
        else:
            done.append(whole)
            pending = ""
    return "\n".join([*done, pending] if pending else done)
