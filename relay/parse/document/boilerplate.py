"""Recognize lines of a mail that say nothing about the error: greetings, signatures, notices about the mail, rules.

Used by `segment`. Guarantee: pure, and linear in the line.
"""

from __future__ import annotations

import re

from relay.memo import memoized

_MAX_LINE = 1_000

_GREETING = re.compile(
    r"\W{0,3}(?:hi|hello|hey|howdy|dear|greetings|good\s(?:morning|afternoon|evening|day)|hallo|guten\s(?:tag|morgen|abend)|moin|servus|liebe[rs]?|sehr\sgeehrte"
    r"|bonjour|bonsoir|salut|cher|chère|hola|buenos\s(?:días|dias)|buenas|estimad[oa]s?|ciao|buongiorno|gentile|olá|ola|prezad[oa]s?|hoi|beste|geachte|cześć|dzień\sdobry"
    r"|szanown[iy]|hej|ahoj|dobrý\sden|merhaba|здравствуйте|привет|добрый\sдень|안녕하세요|안녕하십니까|담당자님|您好|你好|尊敬的|こんにちは|お疲れ様です|お世話になっております|各位)"
    r"(?![\w'-])[\w\s.'@-]{0,60}[,!.:;，！。、]?\s*$",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"\W{0,3}(?:(?:best|kind|warm|many)?\s?(?:regards|wishes)|thanks?(?:\syou)?(?:\s(?:in\sadvance|a\slot|and\sregards))?|cheers|sincerely|(?:yours|your)\s[\w\s]{2,40}"
    r"|mit\s(?:freundlichen|besten|vielen)\s\w+|(?:viele|beste|liebe|freundliche)\s(?:grüße|grüsse|gruesse)|mfg|danke|cordialement|bien\sà\svous|merci|saludos|atentamente|gracias"
    r"|cordiali\ssaluti|grazie|atenciosamente|obrigad[oa]|met\svriendelijke\sgroet(?:en)?|groeten|pozdrawiam|с\sуважением|감사합니다|고맙습니다|此致|敬礼|谢谢|以上|よろしくお願いいたします|敬具)"
    r"(?:[,!.;，！。、]|\s*$).{0,40}$",
    re.IGNORECASE,
)
SIGNATURE_MARK = re.compile(r"--\s?$|_{20,}\s*$")
"""The line above a signature: `-- ` (RFC 3676, section 4.3), or the long line of mailing lists."""
_NOTICE = re.compile(
    r"(?:this|the\sfollowing)\s(?:is\san?|e-?mail|mail|message|notification|report|alert|mail)\b.{0,80}\b(?:automat|generated|sent|auto-generated|created\sby)"
    r"|(?:sent|generated|created|powered)\s(?:automatically\s)?by\b|(?:do|please\sdo|pls\sdo)\snot\s(?:reply|respond|answer)|unsubscribe|confidential|intended\s(?:only\s)?(?:solely\s)?for\sthe"
    r"|view\s(?:this|it|the).{0,40}\s(?:browser|online)|(?:non-?html|plain[\s-]text|html)\s.{0,40}(?:mail|e-?mail)\s?(?:client|reader|program)s?|html[\s-](?:e-?mail|message|mail|format|capable)"
    r"|sent\sfrom\smy|(?:another|a\snew|the\soriginal|the\sfirst|the\snext)\s(?:message|mail|e-?mail|notification|alert|link)\b.{0,60}\b(?:sent|e-?mailed|mailed)"
    r"|you(?:'re|\sare)?\s(?:have\s)?(?:receiv|get|see)(?:ed|ing|)?\sthis|(?:see|find|refer\sto)\s.{0,40}\battach|attached\s(?:is|are|please|you|the\slog)|as\s(?:an\s)?attachment|in\sthe\sattachment"
    r"|©|\(c\)\s(?:19|20)\d\d|copyright|all\srights\sreserved|for\s(?:more|further)\s(?:information|details|help)|for\sdetails\s(?:see|check|consult)|you\scan\s(?:also\s)?use\s"
    r"|(?:diese|dieses)\s(?:e-?mail|mail|nachricht)\b.{0,60}\b(?:automatisch|erzeugt|generiert)|automatisch\s(?:erstellt|generiert|erzeugt|gesendet)|bitte\snicht\s(?:auf|antworten)|nicht\sauf\sdiese"
    r"|généré\sautomatiquement|ne\spas\srépondre|message\sautomatique|generado\sautomáticamente|no\sresponda|generat[oa]\sautomaticamente|non\srispondere|gerad[oa]\sautomaticamente|não\sresponda"
    r"|automatisch\sverzonden|автоматически|не\sотвечайте|자동(?:으로)?\s?(?:발송|생성|전송)|발신\s?전용|회신하지|自动(?:发送|生成)|请勿(?:直接)?回复|自動(?:送信|生成|配信)|返信しないで",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\W{0,4}(?:[\w\s'-]{0,40}[:：]?\s{0,8})?[<(\[]?(?:https?|ftp|file)://\S{1,2000}[>)\]]?[.,]?\s*$|\W{0,3}(?:see|view|open|link|details|url|log)\s?:?\s?<[^>]{0,300}>\s*$",
    re.IGNORECASE,
)
_SIGNS = (
    "automat", "generated", "sent", "created", "powered", "reply", "respond", "answer", "unsubscribe", "confidential",
    "intended", "browser", "online", "html", "plain", "mailed", "you", "attach", "(c)", "copyright", "rights", "for more",
    "for further", "for details", "erzeugt", "generiert", "nicht ", "rispond", "automát", "©", "répond", "responda",
    "автомат", "отвеч", "자동", "발신", "회신", "自动", "请勿", "自動", "返信",
)  # fmt: skip
"""One of these texts is in every notice. To look for them first is faster by far."""
_RULE = re.compile(r"[\s=*_#~+|.<>^-]{3,}$|[─-╿\s]{3,}$")
_BANNER = re.compile(r"[*=#~+_-]{2,}\s?[\w .:'/&()-]{1,60}\s?[*=#~+_-]{2,}\s*$")
_LOG_MARK = re.compile(
    r"\W{0,3}(?:begin|end|start)(?:ning)?\s(?:of\s)?(?:\w+\s){0,4}(?:log|message|output|mail|report)\W{0,8}$",
    re.IGNORECASE,
)


@memoized(size=200_000, largest=1_200)
def is_greeting(line: str) -> bool:
    """Return True for a greeting: `Hi,`, `Sehr geehrte Damen und Herren,`, `안녕하세요.`"""
    return len(line) <= 80 and _GREETING.match(line) is not None


def is_sign_off(line: str) -> bool:
    """Return True for the line that ends a mail: `Best regards,`, `Your faithful employee,`."""
    return len(line) <= 80 and _SIGN_OFF.match(line) is not None


@memoized(size=200_000, largest=1_200)
def is_notice(line: str) -> bool:
    """Return True for a line about the mail itself: how it was sent, where to read more, that nobody reads replies."""
    text = line[:_MAX_LINE]
    lower = text.lower()
    if any(sign in lower for sign in _SIGNS) and _NOTICE.search(text):
        return True
    return ("://" in text or "<" in text) and _LINK.match(text) is not None


def is_rule(line: str) -> bool:
    """Return True for a line of separators: `======`, `* * *`."""
    return _RULE.match(line[:200]) is not None


def is_banner(line: str) -> bool:
    """Return True for a heading between separators: `***** Nagios *****`, `=== Report ===`."""
    return len(line) <= 120 and (_BANNER.match(line.strip()) is not None or _LOG_MARK.match(line) is not None)
