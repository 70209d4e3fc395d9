"""Words and codes in replies of mail servers, by the cause that they show (see `reply` for the order of the search)."""

from __future__ import annotations

from relay.model.cause import Cause

CODES = {
    Cause.TOO_LARGE: r"5\.2\.3|5\.3\.4",
    Cause.MAILBOX_FULL: r"[45]\.2\.2",
    Cause.SENDING_LIMIT: r"5\.4\.5|5\.1\.9[0-9]|5\.7\.23[23]|5\.7\.508|5\.7\.705",
    Cause.RATE: r"[45]\.7\.28|5\.2\.12[01]|5\.2\.253",
    Cause.TOO_MANY_RECIPIENTS: r"[45]\.5\.3",
    Cause.CREDENTIALS: r"5\.7\.(?:3|8|9|11|14|30|57|139)",
    Cause.SENDER: r"5\.1\.[78]|5\.7\.60|5\.2\.252",
    Cause.REPUTATION: r"[45]\.7\.(?:2[0-79]|509|511|515|6\d\d|703|708)",
    Cause.ACCOUNT: r"5\.7\.(?:50[1-57]|750|700)",
    Cause.RECIPIENT_RESTRICTED: r"5\.7\.(?:12\d|13[0-8])",
    Cause.UNKNOWN_RECIPIENT: r"5\.1\.(?:1|2|3|4|6|10|20)|5\.4\.(?:1|4|31\d)",
    Cause.CONTENT: r"5\.6\.\d+|5\.4\.14",
}
"""Enhanced status codes that mean one thing. The generic ones (5.0.0, 5.2.0, 5.2.1, 5.4.6, 5.7.0, 5.7.1) do not decide.
Those with three digits are Exchange's."""

LOGIN: tuple[tuple[Cause, str], ...] = (
    (Cause.SMTP_AUTH_OFF, r"SmtpClientAuthentication is disabled"),
    (Cause.PASSWORDS_OFF, r"basic auth\w* is (?:disabled|not supported)|\b5\.7\.30\b"),
    (Cause.APP_PASSWORD, r"application-specific password|\bapp(?:lication)? password"),
)
"""Replies to a login that say exactly which setting at the provider is missing. They count before any code."""

WORDS: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (Cause.EHLO_NAME, (r"\b(?:helo|ehlo)\b",)),
    (
        Cause.ENCRYPTION,
        (
            r"starttls",
            r"must use tls",
            r"(?:tls|ssl|encrypt\w*)[^.]{0,20} required",
            r"require[sd]? (?:tls|ssl|encryption)",
        ),
    ),
    (Cause.TOO_MANY_RECIPIENTS, (r"too many recipients(?! (?:received )?(?:today|this|per|in))",)),
    (
        Cause.MAILBOX_FULL,
        (
            r"(?:mail ?box|inbox|user|account|recipient)\S* (?:\w+ ){0,2}(?:full|over ?quota|over its quota)\b",
            r"full (?:mail|in)box",
            r"(?:mail ?box|disk|storage|space)[^.]{0,20} quota",
            r"exceed\w* (?:its |the |his )?(?:storage|disk|mail ?box)",
            r"over storage",
            r"insufficient (?:system )?(?:storage|disk|resources)",
            r"no space left",
            r"exhausted[^.]{0,10} storage",
            r"not enough (?:disk|storage|space)",
            r"\bover ?quota\b",
        ),
    ),
    (
        Cause.SENDING_LIMIT,
        (
            r"quota",
            r"credits?\b[^.]{0,10} exceeded",
            r"\b(?:hourly|daily|weekly|monthly|24[- ]hours?|per[- ]?(?:hour|day)|an hour|today|tomorrow)\b",
            r"limit(?:s|ation)?\b[^.]{0,30}(?:exceeded|reached|hit)",
            r"(?:exceed|reach)(?:ed|s)?\b[^.]{0,40}(?:limit|allowed number|threshold|max\w*)",
            r"(?:over|above) (?:the |your )?limit",
            r"too many (?:messages|mails?|e-?mails|recipients)\b",
            r"send too many",
            r"sending limit",
        ),
    ),
    (
        Cause.RATE,
        (
            r"(?<!bounce )(?<!complaint )\brate\b",
            r"throttl",
            r"too (?:quick|fast|frequent)\w*",
            r"too many (?:concurrent|connections|requests|logins?|auth)",
            r"unusual (?:rate|amount)",
            r"slow down",
            r"busy",
        ),
    ),
    (
        Cause.RELAYING,
        (
            r"relay\w*\b[^.]{0,20}(?:denied|permitted|not allowed|prohibited|refused|disallowed(?! as)|rejected)",
            r"(?:allowed|unable|permitted) to relay",
            r"(?:cannot|can't|do not|don't|won't|no) relay",
            r"\bip\b[^.]{0,20} not (?:allowed|authori[sz]ed|registered|in whitelist)",
            r"unauthori[sz]ed ip",
            r"credentials for relay",
            r"rcpthosts",
            r"allowed hosts",
        ),
    ),
    (
        Cause.CREDENTIALS,
        (
            r"authenticat(?!e your domain)",
            r"must log ?in",
            r"username and password",
            r"password",
            r"invalid credentials",
            r"smtp auth",
            r"smtp authori[sz]ation",
            r"unauthori[sz]ed user",
        ),
    ),
    (
        Cause.ACCOUNT,
        (
            (
                r"(?:account|domain|user|tenant|subscription|sender|credential)s?\b.{0,40}\b(?:suspended|disabled|"
                r"deactivated|locked|blocked|on hold|probation|not (?:yet )?(?:active|activated|approved)|pending|"
                r"frozen|banned)"
            ),
            r"not (?:yet )?(?:been )?activated",
            r"(?:suspended|disabled|blocked|paused)\b.{0,20} account",
            r"domain.{0,60} not allowed to send",
            r"sending (?:\w+ )?(?:disabled|paused)",
            r"pending (?:review|approval)",
            r"unusual sending activity",
            r"sandbox",
            r"not authori[sz]ed to perform",
        ),
    ),
    (
        Cause.SENDER,
        (
            (
                r"(?:sender|\bfrom\b|envelope|return[- ]path).{0,60}\b(?:not (?:owned|verified|allowed|"
                r"authori[sz]ed|permitted|valid|registered|exist|found|confirmed|accepted)|verif\w+|"
                r"unauthori[sz]ed|mismatch|reject\w*|denied|invalid|unvalidated|unknown|(?:does not|doesn'?t|"
                r"must) match|does not belong)"
            ),
            r"not (?:allowed|authori[sz]ed|permitted)[^.]{0,20} (?:send|use|relay)\w*[^.]{0,20}(?:as|from)",
            r"(?:disallowed|send) as\b",
            r"sendas",
            r"(?:e-?mail address|identit\w+)[^.]{0,20} not verified",
            r"unverified (?:sender|address|email)",
            r"not owned by",
            r"not a sender signature",
            r"not local sender",
        ),
    ),
    (
        Cause.CONTENT,
        (
            r"\bspam\b",
            r"virus",
            r"malware",
            r"phish",
            r"\bits content",
        ),
    ),
    (
        Cause.REPUTATION,
        (
            r"black ?-?list",
            r"block ?-?list",
            r"\bblocked\b",
            r"\brbl\b",
            r"dnsbl",
            r"spamhaus",
            r"reputation",
            r"\bptr\b",
            r"reverse (?:dns|hostname)",
            r"\bspf\b",
            r"\bdkim\b",
            r"\bdmarc\b",
            r"unauthenticated",
            r"dynamic ip",
            r"bad dns",
            r"\bbanned\b",
            r"client host rejected",
            r"is filtered",
            r"black ip",
        ),
    ),
    (
        Cause.CONTENT,
        (
            r"content",
            r"attachment",
            r"header",
            r"unsolicited",
            r"suspicious",
            r"policy",
        ),
    ),
    (
        Cause.UNKNOWN_RECIPIENT,
        (
            r"no such (?:user|recipient|mailbox|address|person)",
            (
                r"(?:user|recipient|mailbox|address|account)\b[^.]{0,60}(?:unknown|not found|n[o']t exist|"
                r"unavailable|rejected|invalid|disabled|inactive)"
            ),
            r"unknown (?:user|recipient|mailbox|address|local)",
            r"unrouteable",
        ),
    ),
)
"""Regular expressions for words that tell the cause, the most telling ones first. Case does not matter."""

SIZE = (
    r"(?:message|mail|content|data|attachments?)\b[^.]{0,20}(?:too (?:large|big|long)|size)",
    r"too (?:large|big)\b",
    r"size (?:limit|exceed\w*)",
    r"(?:maximum|max|fixed|permitted|allowed) (?:message |mail )?size",
    r"\bbytes\b",
)
"""Words that speak of the size of a message."""

STORE = (r"quota", r"mail ?box size", r"(?:mail ?box|storage|disk)\b.{0,20} full")
"""Words that speak of what is stored already, not of the size of this message."""
