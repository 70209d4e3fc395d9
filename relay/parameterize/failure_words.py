"""How strongly a line says that something failed (a line or a quoted text), in the words of people and programs of many languages.

Guarantee: pure, and linear in the line. Only the first `MAX_LINE` characters of a line are read.
"""

from __future__ import annotations

import re

from relay.memo import memoized

MAX_LINE = 2_000
"""Characters of a line that are read."""
STRONG = 3
"""The score of one word of failure. A line with less says nothing about a failure."""
WEAK = 2
"""The score of a word that only hints at a failure, such as `alarm` or `slow`, and of a line that names no cause."""
_MOST_WORDS = 3

_LATIN = """
abort(?:ed|ing|s)? | abnormal(?:ly)? | already\\s(?:running|exists?|in\\suse|locked|taken|defined|registered) | attack(?:s|ed)? | bad | banned | blocked | broken | broke | bounced | cannot | can(?:'|no)t | conflict(?:s|ing)? | corrupt(?:ed|ion)? | could\\s?n[o']t
| could\\snot | can\\snot | crash(?:ed|es|ing)? | crit(?:ical)? | damaged | dead | deadlock(?:ed)? | degraded | denied | denying | died | disconnected
| did\\snot | does\\snot | doesn't | didn't | down | dropped | duplicate | emerg(?:ency)? | err(?:or)?s? | (?:has|have|had|with)\\sno | exceed(?:ed|s|ing)? | exceptions?
| exhausted | expire[ds]? | fail(?:ed|s|ing|ure|ures|)? | fault(?:s|y|ed|ing)? | fatal | forbidden | full | halted | illegal | impossible
| incomplete | increased | infected | insufficient | interrupted | intrusion | invalid | killed | lacks? | leaked | limit\\s(?:reached|matched|hit)
| lost | malformed | malware | mismatch(?:ed|es)? | missed | missing | never | no\\s(?:space|free|memory|disk|route|response|answer|connection|permission|access|longer|such) | not\\s(?:be|found|enough|supported|available|allowed|permitted
|running|responding|reachable|valid|exist|a|an|in|ok|possible|authorized|yet|up)
| offline | oops | out\\sof | outdated | overdue | overflow(?:ed|s)? | overload(?:ed)? | panic(?:ked)? | problems? | refused | reject(?:ed|s|ion)?
| reset\\sby | rolled\\sback | segfault | segmentation | severe | stale | stopped | stuck | suspended | terminat(?:ed|ing) | throttled | time[ds]?[\\s-]?out
| timeout | too\\s(?:many|few|large|long|small|short|old|big|much|high|low|late) | trouble | truncated | unable | unauthori[sz]ed | uncaught | undefined
| undeliver(?:ed|able) | unexpected(?:ly)? | unhandled | unhealthy | unknown | unreachable | unrecoverable | unsupported | violat(?:ed|es|ion) | vulnerab(?:le|ility|ilities)
| warn(?:ing)?s? | wrong | isn't | wasn't | won't | NaN
| abgebrochen | gesperrt | nicht | abgelaufen | abgelehnt | abgestürzt | ausnahme | fehler(?:haft)? | fehlgeschlagen | fehlt | gescheitert | gestört | störung | konnten?\\snicht
| kann\\snicht | nicht\\s\\w+ | unbekannte[rsn]? | ungültige[rsn]? | unerwartete[rsn]? | verweigert | warnung | überschritten | zeitüberschreitung | defekt | ausgefallen | voll
| échec | échoué | erreurs? | exception\\snon\\sgérée | impossible | introuvable | refusée? | interdite? | expirée? | dépassée? | plantage | panne | invalide | manquante?
| avertissement | délai\\sd'attente | n'a\\spas\\s(?:pu|été) | saturée?
| errore? | fallito | fallita | fallimento | impossibile | rifiutat[oa] | negat[oa] | scadut[oa] | non\\s(?:riuscit[oa]|trovat[oa]|valid[oa]|valido) | eccezione | attenzione
| falló | fallo | fallido | fallida | error(?:es)? | excepción | advertencia | denegad[oa] | rechazad[oa] | agotad[oa] | no\\s(?:se\\spudo|encontrad[oa]|existe|válid[oa]) | caducad[oa]
| erros? | falha | falhou | exceção | negado | recusad[oa] | inválid[oa] | expirou | esgotado | não\\s\\w+
| fout(?:en)? | mislukt | geweigerd | verlopen | ongeldig | waarschuwing | niet\\s\\w+
| błąd | błędy | niepowodzenie | odmowa | wyjątek | nie\\s(?:można|udało|znaleziono) | ostrzeżenie | chyba | selhal[oa]? | výjimka | hata | başarısız | hiba | sikertelen | fel | misslyckades | virhe | fejl | feil
| ошибк[аиу] | сбой | отказано | не\\s\\w+ | исключение | недоступен | предупреждение | помилка | збій
"""
_CJK = """
오류 에러 실패 예외 거부 초과 장애 불가 만료 중단 경고 없습니다 못했습니다 않습니다 수\\s없 끊 부족 손상 다운
错误 失败 异常 拒绝 超时 无法 不能 未找到 找不到 不存在 警告 崩溃 中断 故障 超出 过期 告警 宕机
錯誤 失敗 異常 拒絕 逾時 無法 警告 故障
エラー 失敗 例外 拒否 タイムアウト できません できない 見つかりません 障害 異常 超過 期限切れ 不正 警告
"""
_WORDS = re.compile(r"(?<![\w-])(?:" + "".join(_LATIN.split()) + r")(?![\w-])|" + "|".join(_CJK.split()), re.IGNORECASE)
_HINTS = re.compile(
    r"(?<![\w-])(?:alarm(?:ed|s)?|alerts?|firing|fired|triggered|changed|suspicious|brute|spike[ds]?|slow|slower|delayed|late|lagging|lag|retry(?:ing)?|retries|skipp(?:ed|ing)|empty|negative|anomal\w{0,5}"
    r"|drift(?:ed)?|below|above|under|over|critically|low|high|threshold|breach(?:ed)?|attempts?|unusual|stale|pending|waiting|not|niedrig|hoch|langsam|lent|lento|alerte|alerta|allarme|тревога)(?![\w-])"
    r"|마이너스|음수|지연|알람|경보|주의|マイナス|遅延|アラート|警報|注意|负数|延迟|报警|告警",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"(?<!\w)(?:no|zero|without(?:\sany)?|0|keine?|ohne|sans|aucune?|sin|sem|zonder|без|free\sof)\s+(?:new\s+|other\s+|further\s+)?"
    r"(?:errors?|warnings?|failures?|problems?|faults?|fehler|warnungen|erreurs?|errores|erros|fouten|ошибок|failed)(?!\w)"
    r"|(?<!\w)(?:errors?|warnings?|failures?|failed|fehler|erreurs?|dropped|lost)\s?[:=]\s{0,20}(?:0|none|no|false|null|nil)(?![\w.])"
    r"|오류\s?(?:없음|0)|(?<!\w)error[-\s]free",
    re.IGNORECASE,
)
_TYPE = re.compile(
    r"(?<![\w@])(?:[A-Za-z_][\w]*(?:\.|::|\\))*[A-Z]\w{0,80}(?:Exception|Error|Failure|Fault|Panic|Violation|Interrupt|Denied|Timeout)(?!\w)"
    r"|(?<!\w)E_[A-Z_]{3,30}|SQLSTATE\[?\w{0,6}|ORA-\d{4,5}|(?<!\w)E(?:CONN|HOST|NET|NO|ACC|PERM|AI_|PIPE|TIMED)[A-Z]{2,12}(?!\w)"
    r"|(?<!\w)(?:errno|error\scode|signal)\s?[:=]?\s?[1-9x]\w{0,8}|(?<!\d)[45]\d\d[ -][45]\.\d\.\d{1,3}(?!\d)|(?<!\w)HRESULT|0x8[0-9A-Fa-f]{7}"
)
_LABEL = re.compile(
    r"^\W{0,8}(?:[\w./ -]{0,40}(?<![\w]))?(?:error(?:\smessage)?|fatal(?:\serror)?|critical|exception|failure|reason|cause|panic|err|fehler(?:meldung)?|fehlertext|ursache"
    r"|erreur|message\sd'erreur|cause|errore|motivo|causa|razón|erro|fout|oorzaak|błąd|ошибка|причина|오류|오류\s?메시지|에러|원인|사유|错误|错误信息|原因|錯誤|エラー|エラー内容)\s?[:：=]\s{0,20}\S",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"[\w/\\-]\.\w{1,10}(?::\d{1,6}(?!\d)|\(\d{1,6}[,)])|(?<!\w)line\s\d{1,7}(?!\d)|(?<!\w)on\sline\s|(?<!\w)at\s0x"
)
_COMMAND = re.compile(r"\+{1,4} |[$#>] ")
"""A command that a shell or a build prints before it runs it."""
_CODED = re.compile(r"(?<!\w)(?:fatal\s)?error(?:\s[A-Z]{0,6}\d{1,6})?:\s\S", re.IGNORECASE)
"""`total.ts(18,7): error TS2322: …`, `main.c:12: error: …`: what compilers and linters print."""
_INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z][a-z]{3})")
"""Between the words of a name: `DegradedArray`."""
_ENDED = re.compile(
    r"(?:wurde|ist)\smit\s(?:einem\s)?fehlern?\s(?:abgebrochen|beendet)|(?:ended|completed|finished|terminated|exited|aborted)\swith\s(?:an?\s)?(?:errors?|failures?|exit|status|code)"
    r"|(?:오류|에러|장애|예외)[가이]\s?발생(?:했|하였|되었|됐)|エラーが発生|例外が発生|发生(?:了)?(?:错误|异常)|發生(?:了)?錯誤|s'est\sproduite?|se\sha\sproducido|si\sè\sverificat[oa]|ist\saufgetreten|произошла\sошибка|検知しました|検出しました|発生しました|お知らせ|알려드립니다|확인\s바랍니다",
    re.IGNORECASE,
)
_CONSEQUENCE = re.compile(
    r"\W{0,6}(?:finished|exit(?:ing|ed|s)?|done|(?:build|deploy\w*|job|script|command|process|task|step|pipeline|run|backup|cron)\b.{0,400}\b(?:failed|failure|exited|returned|aborted|terminated|error|ended|finished|status)"
    r"|make(?:\[\d{1,3}\])?:|npm\sERR!|aborting|execution\shalted|giving\sup|returned\snon-zero|failed\swith\s(?:exit|status|code)|exit\s(?:code|status)|\d{1,6}\s(?:errors?|failures?|warnings?|problems?)(?:\s(?:found|generated|and|in|occurred))?\b"
    r"|(?:an?\s|the\sfollowing\s)?(?:errors?|exceptions?|problems?|failures?)\s(?:has|have|was|were|is|are)?\s?(?:occurred|detected|found|caught|raised|reported|started|began|starting)|error\s(?:running|executing)|(?:i'm|we're|we\sare|i\sam)\ssorry|we\sregret|main\sprocess\sexited|failed\sto\sstart)",
    re.IGNORECASE,
)
"""A line that says that a program ended because of an error, and not which."""
CONSEQUENCE = WEAK
"""The score of such a line."""
_ADVICE = re.compile(
    r"(?<!\w)(?:you\s(?:can|may|might|should|need|must|want|will|could)|your\s(?:host|administrator|system\sadmin\w*|it\sdep\w*|browser|inbox|account)|please|visit|click|contact|refer\sto"
    r"|ask\sfor|see\s(?:also|the)|for\s(?:more|further|details|help|assistance)|documentation|notif(?:y|ies)\syou|detects?\s(?:when|if)"
    r"|if\s(?:the|this|it|not|a|an|there)|in\scase|whenever|should\sthe|bitte|falls|siehe|veuillez|consultez|por\sfavor|consulte|prego|si\sprega|пожалуйста)(?!\w)"
    r"|바랍니다|하세요|하십시오|请|請|してください|ください",
    re.IGNORECASE,
)


def has_failure_word(text: str) -> bool:
    """Return True if `text` has a word of failure, also if it names no cause: `Backup failed`."""
    return _WORDS.search(text[:MAX_LINE]) is not None


@memoized(size=400_000, largest=2_000)
def score(line: str) -> int:
    """Return how strongly `line` says that something failed: 0 for nothing, `STRONG` and more for a failure.

    Advice to the reader ("if the error occurs again, contact your host") says less than its words.
    """
    text = line[:MAX_LINE]
    if not text or text.isspace():
        return 0
    text = _INSIDE.sub(" ", _NONE.sub(" ", text))
    words = 0
    for _ in _WORDS.finditer(text):
        words += 1
        if words >= _MOST_WORDS:
            break
    if _COMMAND.match(text):
        return 0
    found = STRONG * min(words, 1) + max(0, words - 1)
    found += 4 if _TYPE.search(text) else 0
    found += 3 if _LABEL.match(text) else 2 if _CODED.search(text) else 0
    found += 1 if found and _PLACE.search(text) else 0
    if found > CONSEQUENCE and (_CONSEQUENCE.match(text) or (_ENDED.search(text) and not _TYPE.search(text))):
        found = CONSEQUENCE
    if found and _ADVICE.search(text):
        return max(0, found - 4)
    return found or (WEAK if _HINTS.search(text) else 0)
