"""The table of rules that say which parts of a message are data (applied by `template`).

Order matters: at each position, the first rule that matches wins. Every repetition is bounded, so the whole table takes
time linear in the text. A pattern has no capturing groups.

An unnecessary rule does little harm if the location of an error is known: it only removes words that are the same in
every mail. A missing rule splits one error into many groups, one for each value of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from relay.parameterize import replacements


class Rule(NamedTuple):
    """A rule for one kind of data, or for text that only looks like data and must stay."""

    name: str
    kind: str
    """The name in the placeholder, e.g. `number` for `<number>`; "" if the match stays unchanged."""
    starts: str
    """What a match begins with: `d` for a digit, `l` for a letter, `m` for a mark. Checked before the pattern is tried.

    Upper case: the rule can also match at a plain number (`D`) or a plain word (`L`) that is followed by a space.
    """
    pattern: str
    why: str
    replace: Callable[[str], str] | None = None
    """Computes the replacement of the match, if it is more than the placeholder."""


# --- Text that stays --------------------------------------------------------------------------------------------------

_OTHER_CASES = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}
"""Characters that Python treats as another case of these letters, besides the upper-case letter."""


def any_case(patterns: Iterable[str]) -> str:
    """Return a pattern for any of `patterns`, ignoring case. Each must begin with a letter.

    The alternatives are grouped by their first letter, so most of them are rejected at once.
    """
    by_first: dict[str, list[str]] = {}
    for pattern in patterns:
        by_first.setdefault(pattern[0], []).append(pattern[1:])
    alternatives = (
        f"[{first}{first.upper()}{_OTHER_CASES.get(first, '')}](?i:{'|'.join(rest)})"
        for first, rest in by_first.items()
    )
    return f"(?:{'|'.join(alternatives)})"


_STANDARDS = any_case((
    r"utf[-_]?\d{1,2}(?:[-_]?(?:le|be|sig)|mb[34])?", r"iso[-_]?\d{4,5}(?:[-_]\d{1,2})?", r"latin[-_]?\d",
    r"cp[-_]?(?:125\d|437|65001|7[37]\d|8[5-7]\d|9(?:32|36|49|50))", r"windows[-_]125\d", r"uint\d{1,3}", r"int\d{1,3}",
    r"float\d{1,3}", "bool8", r"complex\d{2,3}", r"sha[-_]?\d{1,3}(?:[-_]\d{3})?", "md[245](?! :)",
    r"base[-_]?(?:16|32|58|64|85)", "blake2[bs]", "ed25519", "x86(?:[-_]64)?", "amd64", "arm64", "aarch64",
    r"http/?[123](?:\.\d)?", "h[23]", r"tls(?:v|/)?1(?:\.\d)?", "sslv?[23]", "ipv?[46]", "oauth[12]?", "saml2",
    r"x\.?509", r"pkcs#?\d{1,2}", r"rfc ?\d{3,4}", "sqlite3", "psycopg[23]?", "urllib[23]", "python[23]", "boto3", "s3",
    "ec2", "k8s", "p12", "mp[34]", "h26[45]", "bz2", "bzip2", "lz4", "i18n", "l10n", "log4j2?", "web3",
)) + r"(?![A-Za-z0-9]|@[\w-]{1,63}\.[A-Za-z])"  # fmt: skip
_STATUS = (
    any_case((
        r"http(?:/[\d.]{1,3})?(?: status| error)?", "status(?:[ _]code)?", "errno", "error(?:[ _]?code| number)?",
        "code", "sqlstate", "sqlcode", "signal", "exit(?:ed)?(?: with)?(?: code| status)?", "winerror", "rc", "hresult",
    ))
    + r"(?: ?[:=#(\[]{1,2} ?| )-?(?:0x[0-9A-Fa-f]{8}|\d[0-9A-Z]{0,4})(?![\w.,]\w|\w)"
)  # fmt: skip
_VENDOR_CODE = (
    r"(?:(?:ORA|TNS|PLS|SP2|CVE|RFC|ERR|SQLSTATE\[|WinError)[-_ ]?|KB|E|CS|TS)\d{3,6}(?:-\d{4,7})?(?!\w|-\w)\]?"
)
_SMTP_CODE = r"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}(?![\w.])"
_DRIVER_CODE = r"(?<![Ss] )\((?=\d{4}, [\"'b])\d{4}"
_NAME_IN_CODE = (
    r"(?:attributes?|arguments?:?|parameter|module|named?|codec|column|table|relation|field|method|function:?|[Cc]lass"
    r"|[Ii]nterface|[Tt]rait|[Ee]num|type"
    r"|option|encoding|operator|keyword|constraint|index|property|symbol|variable|constant|label|reading|setting|command"
    r"|event|result|for key)"
    r" (?:'[A-Za-z_.:-]{1,60}'|\"[A-Za-z_.:\\-]{1,60}\"(?:\.\"[A-Za-z_]{1,60}\"){0,3}|`[A-Za-z_.:-]{1,60}`)"
)
_TYPE_IN_QUOTES = (
    r"'(?:NoneType|str|int|float|bool|bytes|bytearray|list|tuple|dict|set|frozenset|object|type|function|method|module"
    r"|generator|coroutine|Decimal|datetime\.\w{1,10}|undefined|null|nil)'"
)
_CALL_IN_QUOTES = r"[\"'`][\w.:$]{1,120}\([\w.,$\[\] ]{0,200}\)[\"'`]"

# --- Times and amounts ------------------------------------------------------------------------------------------------

_MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAYS = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\b\.?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[A-Z]{2,3}T)\b)?(?: ?[+-]\d\d:?\d\d\b)?(?: \([A-Z][A-Za-z ]{2,40}\))?"
_LOG_HOST = r"(?: [\w.-]{1,80}(?= [\w./@-]{1,60}\[\d{1,10}\]: ))?"
"""The host name of a log line that continues with a program and its process id: `web-1 systemd[1]: `."""
_ISO = (
    rf"\d{{4}}(?:-\d\d-|/\d\d/|\.\d\d\.)\d\d(?:(?:[T ]|, ?)\d\d:?\d\d(?::?\d\d(?:[.,]\d{{1,9}})?)?{_ZONE})?(?!\d)"
    f"{_LOG_HOST}"
)
_DAY_AND_ISO = rf"{_DAYS},? {_ISO}"
_MONTH_BETWEEN = rf"\d{{4}}-{_MONTHS}-\d\d(?:[ T]{_CLOCK}{_ZONE})?(?!\w)|\d{{1,2}}-{_MONTHS} {_CLOCK}(?![\w:])"
_DAY_MONTH_YEAR = rf"[0-3]?\d(?:-[01]?\d-|/[01]?\d/|\.[01]?\d\.)(?:19|20)?\d\d(?:,? {_CLOCK})?(?!\w|[-/.]\w)"
_DAY_FIRST = rf"(?:{_DAYS},? )?\d{{1,2}}[ -]{_MONTHS}[ -]\d{{4}}(?:,?(?:[ T:]|::){_CLOCK}{_ZONE})?"
_MONTH_FIRST = (
    rf"(?:{_DAYS},? )?{_MONTHS} {{1,2}}\d{{1,2}}(?:,? \d{{4}})?(?:,? {_CLOCK}{_ZONE})?(?: \d{{4}})?(?![\d:])"
    f"{_LOG_HOST}"
)
_COMPACT_TIME = r"(?:19|20)\d\d[01]\d[0-3]\d(?:[T_-]?[0-2]\d[0-5]\d(?:[0-5]\d)?Z?)?(?!\w)"
_DURATION = (
    r"(?:\d{1,4} days?, )?\d{1,3}:\d\d:\d\d(?:\.\d{1,6})?(?![\w:])"
    r"|(?:\d{1,6}+(?:\.\d{1,6}+)?+(?:ms|us|µs|ns|s|m|h|d|hrs?|mins?|secs?)){1,4}(?!\w)"
)
_AMOUNT_OF_TIME = (
    r"\d{1,15}+(?:[.,]\d{1,9}+)?+ ?"
    r"(?:seconds?|milliseconds?|minutes?|hours?|days?|weeks?|sec|msec|mins?|hrs?|ms|s)(?!\w)"
)
_SIZE = r"\d{1,15}+(?:[.,]\d{1,6}+)?+ ?(?:[KMGTP]i?B|[kKMGT]b?|B|bytes?|[кКМГТ]?Б|octets)(?!\w)"
_NUMBER = r"\d{1,40}(?:[.,]\d{1,40}){0,12}(?:[eE][+-]?\d{1,4})?%?(?![A-Za-z0-9_]|-[A-Za-z0-9])"

# --- Names of hosts, files and things ---------------------------------------------------------------------------------

_HEX = r"[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}(?!\w)"
_HASH = r"(?=[0-9]{0,63}[a-fA-F])(?=[a-fA-F]{0,63}[0-9])(?:[0-9a-f]{7,128}|[0-9A-F]{7,128})(?!\w)"
_TRACE_ID = rf"(?:{_HEX}{{1,32}}-){{1,4}}{_HEX}{{16,64}}(?:-{_HEX}{{1,16}}){{0,2}}(?![\w-])"
_ADDRESS = r"0[xX][0-9a-fA-F]{1,64}(?!\w)"
_IPV4 = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:/\d{1,2})?(?::\d{1,5})?(?!\w|\.\w)"
_IPV4_END = r"\d{1,3}(?:\.\d{1,3}){3}"
_PEER = rf"(?=[\w.@-]{{1,60}}/\d)[A-Za-z][\w.@-]{{0,60}}/{_IPV4}"
_IPV6 = rf"(?:{_HEX}{{1,4}}:{{1,2}}){{2,7}}(?:{_HEX}{{1,4}}|{_IPV4_END})?(?:%\w{{1,15}})?(?:/\d{{1,3}})?(?![\w:])"
_IPV6_SHORT = rf"::(?:{_HEX}{{1,4}}:){{0,6}}(?:{_IPV4_END}|{_HEX}{{1,4}})(?![\w:])"
_MAC = rf"(?:(?:{_HEX}{{2}}:){{5}}|(?:{_HEX}{{2}}-){{5}}){_HEX}{{2}}(?!\w)"
_URL = (
    r"[A-Za-z][A-Za-z0-9+.-]{1,14}://"
    r"(?:[^\s'\"<>`|{}\\^\[\]]|\[(?:masked|[0-9a-fA-F:.]{2,45})\]){0,2000}(?<![.,;:!?)])"
)
_EMAIL = r"<?[A-Za-z0-9_][\w.+=-]{0,63}@[A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{1,62}){0,8}>?"
_TOP_DOMAINS = (
    r"(?:com|org|net|edu|gov|mil|io|dev|cloud|local|internal|intranet|lan|home|corp|example|invalid|test|localdomain"
    r"|eu|de|uk|fr|nl|us|ru|jp|cn|br|au|ch|se|es|pl)"
)
_HOST = rf"(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{1,8}}{_TOP_DOMAINS}(?::\d{{1,5}})?(?![\w-]|\.\w)"
_NUMBERED_HOST = (
    r"(?=[A-Za-z.-]{0,200}\d)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){2,10}"
    r"[a-z]{2,10}(?::\d{1,5})?(?![\w-]|\.\w)"
)
_NUMBERED_MACHINE = (
    r"(?=[a-z-]{1,80}\d)(?:(?<= on )|(?<= host )|(?<= server )|(?<= node )|(?<= machine )|(?<= from )|(?<=\[))"
    r"[a-z]{1,20}(?:-[a-z]{1,20}){0,3}-\d{1,4}(?![\w.-])"
)
_HOST_LABEL = (
    r"(?:Host(?:[ _-]?[Nn]ame)?|HOST|Server|Node|Machine|Computer"
    r"|(?<![^\n \t]. )(?<![^\n \t] )(?:host(?:[ _-]?name)?|server|node|machine|computer)) {0,8}:[ \t]{1,20}"
    r"[A-Za-z0-9][\w.-]{0,80}(?=[ \t]{0,20}(?:\n|\Z))"
)
_UNIX_PATH = r"~?(?:/[\w.@+~%=:,-]{1,200}){2,40}/?(?<![.,:])"
_CODE = r"~?(?:/[\w.@+~%=:,-]{1,200}){1,40}\.(?:pm|pl|cgi|psgi|swift)(?=,? line \d)"
_WINDOWS_PATH = r"[A-Za-z]:[\\/](?:[\w.@+~%$ -]{1,120}[\\/]){0,30}[\w.@+~%$-]{0,120}"
_SHARE_PATH = r"\\\\[\w.-]{1,80}(?:\\[\w.@+~%$ -]{1,120}){1,30}"

_MEDIA = (
    r"pdf|docx?|xlsx?|pptx?|od[stp]|[ct]sv|rtf|jpe?g|png|gif|tiff?|bmp|webp|heic|mp[34]|mov|avi|wav|eml|ics|parquet"
)
_ARCHIVES = r"(?:tar\.)?(?:zip|tgz|gz|bz2|xz|zst|7z|rar|bak|dump)"
_FILE = (
    r"(?=[\w-]{1,80}+\.)(?:"
    rf"[\w-]{{1,80}}+(?:\.[\w-]{{1,40}}+){{0,4}}?\.(?:{_MEDIA}|{_ARCHIVES})(?![\w-]|\.\w)"
    r"|(?=[A-Za-z._-]{0,80}\d)[\w-]{1,80}+(?:\.[\w-]{1,40}+){0,4}?\.(?:xml|json|ya?ml|txt|log|sql|html?)(?![\w-]|\.\w))"
)
"""The name of a document is data. `settings.json` is part of the program and stays; `orders-0417.json` is data."""
_POD = r"[a-z][a-z0-9-]{0,60}?-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}(?![A-Za-z0-9-])"
_DISK = r"(?:(?:dev|device|disk|drive) (?:sd|hd|vd|xvd)[a-z]{1,2}|(?:sd|hd|vd|xvd)[a-z]{1,2}(?=\d))\d{0,3}(?!\w)"
_KEY = r"Key \S{1,200} (?=is missing in the map)|enum constant [\w.$]{1,200}\.\w{1,100}"

# --- Quotations -------------------------------------------------------------------------------------------------------

_REQUEST_LINE = (
    r"\"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) [^\"\s]{1,2000}"
    r"(?: HTTP/[\d.]{1,3}\"(?: (?:status:? ?)?[1-5]\d\d(?!\S))?|\")"
)
_JSON_EXCERPT = r"(?:\.{3})?\"[^\n]{0,60}?\"(?:\.{3})? is not valid JSON"
_ERROR_TEXT = (
    r"(?:err|error|msg|message|reason|cause)(?:=|: )\"(?=[^\"\n]{1,500} )"
    r"[^\"\\\n]{0,500}+(?:\\.[^\"\\\n]{0,500}+){0,50}\""
)
_QUOTED = (
    r"'(?:[^'\\\n]{0,1000}+'|(?:[^'\\\n]|\\.){0,1000}')(?![A-Za-z0-9])"
    r"|\"(?:[^\"\\\n]{0,1000}+\"|(?:[^\"\\\n]|\\.){0,1000}\")|`[^`\n]{0,200}`"
    r"|\u2018[^\u2019\n]{0,500}\u2019|\u201c[^\u201d\n]{0,500}\u201d|\u00ab[^\u00bb\n]{0,500}\u00bb|\u201e[^\u201c\n]{0,500}\u201c"
)
_REPR = r"<[A-Z][\w.]{0,80}:? [^<>\n]{1,300}>"
_ASSIGNED = (
    r"[A-Za-z_\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3][\w.-]{0,60}=(?!=)(?:<[^<>\s]{0,200}>|'[^'\n]{0,500}'"
    r"|\"[^\"\\\n]{0,500}+(?:\\.[^\"\\\n]{0,500}+){0,50}\"|[^\s,;&'\"()\[\]{}<>=]{0,500})"
)
_IN_PARENTHESES = (
    r"[(\uff08](?:[a-z]{2,20} [A-Z0-9][\w.-]{0,40}|(?:[a-z]{2,20} )?by [\w.-]{2,40}"
    r"|[^\x00-\x7f()\uff08\uff09]{1,20} [A-Za-z0-9][\w.-]{0,40})[)\uff09]"
)

# --- People -----------------------------------------------------------------------------------------------------------

_NOT_A_NAME = (
    r"(?!(?:is|was|are|were|has|have|had|not|no|with|without|and|or|in|on|at|to|of|for|from|by|does|did|do|can|could|cannot"
    r"|must|may|will|would|should|unknown|already|names?|ids?|data|errors?|failed|objects?|sessions?|type|service|accounts?"
    r"|the|an?|info|who|that|agent|input|model|table|lists?|field|groups?|requests?|profile|authentication|connection"
    r"|exists|timed|closed|disconnected|created|deleted|only)\b)"
)
_LOGIN = (
    rf"(?:user|User|username|login|customer|Customer|client|tenant|employee|member|owner|author|Author) {_NOT_A_NAME}"
    r"[a-zß-ÿ][a-z0-9ß-ÿ._-]{1,40}(?![\w@:/=]|\((?!uid=))"
)
_NOT_A_HANDLE = (
    r"(?!\w{1,30}_(?:ids?|at|by|on|name|type|kind|keys?|code|count|dates?|time|url|uri|path|file|dir|size|limit|total"
    r"|status|state|values?|number|token|email|mail|address|index|list|data|flag|items?|users?|orders?|price|amount|rate|hash"
    r"|text|title|version|info|config|settings|options|args|table|view|field|column)\b)"
)
"""Snake case of a name in code, such as `order_id`; not a user name."""
_HANDLE = (
    r"(?=[A-Za-zü]{2,12} [a-zß-ÿ]{1,30}[._])"
    r"(?:by|for|from|to|of|By|For|From|von|für|durch|por|para|pour|par|player|guest|patient|student|driver|tenant|operator"
    r"|seller|buyer|agent|reader|subscriber|Benutzer|Nutzer|Kunde|usuario|utente|cliente|utilisateur)"
    rf" {_NOT_A_HANDLE}[a-zß-ÿ]{{1,30}}[._][a-zß-ÿ]{{1,30}}(?!\w|[@/(=-]|[.:][^\s])"
)
_HTTP_PHRASES = (
    r"(?:Already Reported|Bad (?:Gateway|Request)|Content Too|Expectation Failed|Failed Dependency|Gateway Timeout"
    r"|Insufficient Storage|Internal Server|Length Required|Loop Detected|Method Not|Misdirected Request"
    r"|Moved Permanently|Multiple Choices|Network Authentication|No Content"
    r"|Not (?:Acceptable|Found|Implemented|Modified)|Partial Content|Payment Required|Permanent Redirect"
    r"|Precondition (?:Failed|Required)|Request (?:Entity|Timeout)|Reset Content|Service Unavailable|Temporary Redirect"
    r"|Too (?:Early|Many)|Unprocessable (?:Content|Entity)|Upgrade Required|Use Proxy)"
)
"""Status phrases of HTTP (RFC 9110, section 15): two capitalized words, but not the name of a person."""
_FULL_NAME = r"[A-ZÀ-Þ][a-zß-ÿ']{1,30} [A-ZÀ-Þ][a-zß-ÿ']{1,30}"
_PERSON = (
    r"(?=[A-Za-zàü]{1,9}:? [A-ZÀ-Þ])"
    r"(?:by|for|from|to|of|with|and|customer|user|von|für|an|mit|de|à|por|para|pour|di|da|ask|contact|van|klant"
    r"|cliente|(?:Author|Customer|Contact|Owner|Sender|Recipient|Patient|Reporter|Assignee|Committer|Guest):)"
    rf" (?!{_HTTP_PHRASES}){_FULL_NAME}(?![\w:])"
)
_PEOPLE = rf"\((?!{_HTTP_PHRASES}){_FULL_NAME}(?:, {_FULL_NAME}){{0,50}}\)"

_GREETED = (
    r"(?:Hi|Hello|Hey|Dear|Hallo|Liebe|Lieber|Bonjour|Salut|Hola|Ciao) [A-ZÀ-Þ][\w'-]{1,30}(?: [A-ZÀ-Þ][\w'-]{1,30})?"
    r"(?=[,!])"
)

# --- Words with digits ------------------------------------------------------------------------------------------------

_WORD = r"[A-Za-z0-9_]{1,128}(?:[-.#][A-Za-z0-9_]{1,128}){0,12}"

RULES: tuple[Rule, ...] = (
    Rule("standard", "", "L", _STANDARDS, "names of standards identify an error: utf-8 is not latin-1"),
    Rule("status", "", "L", _STATUS, "a status, errno or exit code says what went wrong"),
    Rule("vendor code", "", "L", _VENDOR_CODE, "ORA-00942 is the error itself"),
    Rule("smtp code", "", "D", _SMTP_CODE, "550 5.1.1 is the error itself (RFC 3463)"),
    Rule("driver code", "", "m", _DRIVER_CODE, "database drivers put the server's error number first: (1062, 'Dup…')"),
    Rule("url", "url", "l", _URL, "contains hosts, ids and queries"),
    Rule("email", "email", "dlm", _EMAIL, "an address of a person; a Message-ID has the same form"),
    Rule("uuid", "uuid", "dl", _UUID, "new for each object (RFC 9562)"),
    Rule("trace id", "trace", "d", _TRACE_ID, "the id of a request, as in W3C traceparent or AWS X-Ray"),
    Rule("day and iso time", "time", "L", _DAY_AND_ISO, "Tue 2025-06-24 08:15:00 UTC, as systemd prints it"),
    Rule("month between", "time", "d", _MONTH_BETWEEN, "2025-Feb-07; 07-Feb 08:15"),
    Rule("iso time", "time", "d", _ISO, "ISO 8601 and similar"),
    Rule("day/month/year", "time", "d", _DAY_MONTH_YEAR, "27/11/2025"),
    Rule("day first", "time", "DL", _DAY_FIRST, "Thu, 07 Mar 2024 08:15:00 +0100 (RFC 5322)"),
    Rule("month first", "time", "L", _MONTH_FIRST, "Mar 07, 2024; Thu Mar  7 08:15:00 2024 (ctime)"),
    Rule("ipv4", "ip", "d", _IPV4, "an address, with or without a port"),
    Rule("peer", "ip", "l", _PEER, "a name and its address, as OpenVPN and Java write them"),
    Rule("mac", "mac", "dl", _MAC, "the address of a network card"),
    Rule("duration", "duration", "D", _DURATION, "12ms, 0:00:13.5, 1h30m"),
    Rule("clock", "time", "d", _CLOCK + r"(?![\w:])", "a time of day"),
    Rule("ipv6", "ip", "dl", _IPV6, "RFC 4291"),
    Rule("short ipv6", "ip", "m", _IPV6_SHORT, "::1"),
    Rule("compact time", "time", "D", _COMPACT_TIME, "20240307T081500"),
    Rule("address", "address", "d", _ADDRESS, "the memory address of an object"),
    Rule("hash", "hash", "dl", _HASH, "a digest or a commit"),
    Rule("host", "host", "l", _HOST, "the same error occurs on many hosts"),
    Rule("numbered host", "host", "dl", _NUMBERED_HOST, "three or more parts with a number, in any domain"),
    Rule("windows path", "path", "l", _WINDOWS_PATH, "depends on the installation or on the user"),
    Rule("share", "path", "m", _SHARE_PATH, "a file on a share"),
    Rule(
        "code",
        "path",
        "m",
        _CODE,
        "at /srv/shop/Cart.pm line 7: the file name identifies the error",
        replacements.file_name,
    ),
    Rule("path", "path", "m", _UNIX_PATH, "depends on the installation or on the user"),
    Rule("file", "path", "dl", _FILE, "a document; files of the program itself stay"),
    Rule(
        "pod",
        "id",
        "l",
        _POD,
        "web-7d4b9c6f88-x2x5m: Kubernetes names a pod after its deployment",
        replacements.pod,
    ),
    Rule("numbered machine", "host", "l", _NUMBERED_MACHINE, "on web-12: the same error occurs on many hosts"),
    Rule(
        "host label",
        "host",
        "L",
        _HOST_LABEL,
        "Host: mars, as reports name the host they describe",
        replacements.after_colon,
    ),
    Rule("disk", "id", "L", _DISK, "sda1: the kernel numbers disks in the order of detection", replacements.device),
    Rule(
        "key",
        "value",
        "L",
        _KEY,
        "Kotlin and Java print a missing key without quotes",
        replacements.after_key,
    ),
    Rule("size", "size", "D", _SIZE, "5 MB"),
    Rule("amount of time", "duration", "D", _AMOUNT_OF_TIME, "3.2 seconds, 11 days"),
    Rule("number", "number", "D", _NUMBER, "ids, amounts, counts"),
    Rule("name in code", "", "L", _NAME_IN_CODE, "module 'x', attribute 'y': names from the code"),
    Rule("type in quotes", "", "m", _TYPE_IN_QUOTES, "'NoneType' object: the type identifies the error"),
    Rule("call in quotes", "", "m", _CALL_IN_QUOTES, '"Map.get(Object)" is a name from the code'),
    Rule(
        "request line",
        "url",
        "m",
        _REQUEST_LINE,
        "a line of an access log: the method and a 5xx status stay",
        replacements.after_method,
    ),
    Rule(
        "json excerpt",
        "text",
        "m",
        _JSON_EXCERPT,
        "V8 prints an excerpt of the invalid text, with its quotes",
        replacements.not_json,
    ),
    Rule("quoted", "text", "m", _QUOTED, "input of a user or content of a file", replacements.statement),
    Rule(
        "quoted bytes",
        "text",
        "l",
        rf"[bBrRuU]{{1,2}}(?:{_QUOTED})",
        "the same, as Python prints bytes",
        replacements.statement,
    ),
    Rule(
        "error text",
        "text",
        "L",
        _ERROR_TEXT,
        'err="no such table" or error: "no such table": the words identify the error',
        replacements.error_text,
    ),
    Rule("object", "value", "m", _REPR, "<Order: Order 17>: the repr of an object", replacements.after_class),
    Rule("assigned", "value", "l", _ASSIGNED, "key=value: the key stays", replacements.after_equals),
    Rule("login", "name", "L", _LOGIN, "user ada: the noun shows that a name follows", replacements.after_noun),
    Rule("handle", "name", "L", _HANDLE, "by ada.lovelace", replacements.after_noun),
    Rule("person", "name", "L", _PERSON, "for Ada Lovelace", replacements.after_noun),
    Rule("greeted", "name", "L", _GREETED, "Dear Ada, the beginning of a mail to a person", replacements.after_noun),
    Rule("people", "name", "m", _PEOPLE, "(Ada Lovelace, Grace Hopper)"),
    Rule(
        "in parentheses",
        "value",
        "m",
        _IN_PARENTHESES,
        "(carrier DHL), (asked by ada)",
        replacements.last_in_parentheses,
    ),
    Rule("word", "id", "dl", _WORD, "a word with digits in it", replacements.word),
)
