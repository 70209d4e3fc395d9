"""Read labelled values (`Exception type: ValueError`) and say what a label means (segment → statement).

The labels are those of reports by people and programs in many languages. A label that is not known describes the
circumstances: it is shown, but does not identify the error.

Guarantee: pure, and linear in the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from relay.memo import memoized


class Meaning(StrEnum):
    """What a label says about the error."""

    TYPE = "type"
    """The type of an exception."""
    MESSAGE = "message"
    """What happened."""
    LEVEL = "level"
    PLACE = "place"
    """The file or function that reported the error."""
    SUBJECT = "subject"
    """The thing that failed: a service, check, device, job, task."""
    TRACE = "trace"
    """The heading of a stack trace."""
    STATE = "state"
    """Whether something failed: `Status: failed`, `Result: OK`."""
    HOST = "host"
    OTHER = "other"


_LABELS: Mapping[Meaning, str] = {
    Meaning.TYPE: """
        exception type|exception class|exception name|error type|error class|error name|class of exception|exceptiontype|errortype|exception|type of error|type of exception|fault type
        |ausnahmetyp|fehlertyp|fehlerklasse|ausnahme|type d'exception|type d'erreur|tipo de error|tipo de excepción|tipo di errore|tipo de erro|예외 유형|예외 타입|오류 유형|예외|异常类型|错误类型|例外の種類|エラー種別
    """,
    Meaning.MESSAGE: """
        exception message|error message|message|msg|error|errors|err|error text|error description|error details|errormessage|exceptionmessage|exception value|fatal|fatal error|critical|critical error|panic|reason|cause|caused by|verursacht durch|causé par|causado por|causato da|root cause|failure reason|failure|fault
        |problem|details|detail|description|summary|output|plugin output|additional info|info|event message|event|alert|alarm|status information|result message|what|what happened|stderr|abort reason|diagnostic-code|diagnostic
        |fehlermeldung|fehler|fehlertext|meldung|nachricht|ursache|grund|beschreibung|ereignis|problem|erreur|message d'erreur|cause|raison|motif|description|mensaje|mensaje de error|motivo|causa|descripción|detalle
        |errore|messaggio|messaggio di errore|descrizione|mensagem|mensagem de erro|erro|razão|descrição|melding|foutmelding|oorzaak|reden|komunikat|błąd|przyczyna|ошибка|сообщение|причина|описание
        |오류|오류 메시지|오류 내용|오류내용|에러|에러 메시지|에러 내용|메시지|내용|원인|사유|错误|错误信息|错误消息|消息|信息|原因|描述|详情|エラー|エラーメッセージ|エラー内容|メッセージ|内容|原因|理由|詳細|錯誤訊息|訊息
    """,
    Meaning.LEVEL: """
        level|loglevel|log level|severity|priority|levelname|level name|urgency|stufe|schweregrad|priorität|dringlichkeit|niveau|gravité|sévérité|nivel|severidad|gravedad|livello|gravità|gravidade|ernst|poziom|уровень|важность
        |레벨|로그 레벨|등급|심각도|级别|日志级别|严重性|严重程度|レベル|重要度|重大度
    """,
    Meaning.PLACE: """
        file|source|source file|location|where|function|method|module|class|script|script name|logger|logger name|category|channel|component|controller|action|view|view name|route|endpoint|stored procedure|procedure|line of code|at|target site
        |datei|quelle|funktion|methode|modul|klasse|komponente|fichier|fonction|méthode|archivo|función|método|clase|origen|funzione|metodo|arquivo|função|bestand|functie|plik|файл|функция|модуль
        |파일|위치|함수|메서드|모듈|클래스|문제 위치|文件|位置|函数|方法|模块|类|ファイル|場所|関数|モジュール|クラス
    """,
    Meaning.SUBJECT: """
        service|service name|servicename|service desc|check|check name|device|disk|drive|volume|job|job name|jobname|task|task name|taskname|task id|dag|dag id|pipeline|project|stage|step|unit|queue|topic|monitor|trigger|trigger name|item|item name
        |plugin|theme|extension|repository|repo|backup|backup set|policy|dataset|database|instance|process name|program|application|app|command|cronjob|cron job|package|worker|workflow|suite|test|test case|probe|sensor|array|md device|filesystem|mount point|interface
        |name|alarm name|alarm|certificate|alertname|rule|alert name|resource|object
        |dienst|prüfung|gerät|laufwerk|auftrag|aufgabe|projekt|warteschlange|anwendung|befehl|tâche|périphérique|projet|file d'attente|commande|servicio|tarea|dispositivo|trabajo|proyecto|servizio|attività|serviço|tarefa|dienstnaam|taak|usługa|zadanie|служба|задача|устройство
        |서비스|작업|작업명|장치|디스크|프로젝트|배치|배치명|잡|애플리케이션|服务|任务|设备|磁盘|项目|作业|队列|サービス|タスク|ジョブ|ジョブ名|デバイス|ディスク|プロジェクト
    """,
    Meaning.TRACE: """
        stack trace|stacktrace|stack|trace|traceback|backtrace|back trace|call stack|callstack|exception details|exception stack|full trace|stapelüberwachung|stapel|aufrufliste|pile d'appels|trace de la pile|seguimiento de la pila|rastreo
        |스택 트레이스|스택트레이스|스택|호출 스택|堆栈|堆栈跟踪|调用堆栈|スタックトレース|スタック
    """,
    Meaning.STATE: """
        state|status|result|outcome|exit code|exit status|exitcode|return code|returncode|rc|status code|http status|http status code|http code|response code|error code|errorcode|exception code|fault code|errno|fehlercode|code d'erreur|código de error|오류 코드|错误代码|エラーコード|build status|job status|termination|zustand|ergebnis|rückgabewert|statut|état|résultat|estado|resultado|stato|risultato|resultaat|wynik|состояние|статус|результат|код возврата
        |상태|결과|종료 코드|状态|结果|退出码|状態|結果|終了コード
    """,
    Meaning.HOST: """
        host|hostname|host name|server|server name|machine|machine name|computer|computer name|node|rechner|rechnername|computername|maschine|hôte|serveur|machine|equipo|servidor|ordinateur|macchina|komputer|хост|сервер|компьютер|호스트|호스트명|서버|서버명|主机|主机名|服务器|ホスト|ホスト名|サーバ|サーバー|サーバー名
    """,
}
_MEANING = {label.strip(): meaning for meaning, text in _LABELS.items() for label in " ".join(text.split()).split("|")}

_FIELD = re.compile(
    r"[ \t\u3000>*•·|+■□◆◇●○▶・※※-]{0,40}\*{0,2}\[?(?P<label>[^\W\d_][\w \u3000'().#-]{0,38}?[\w)]|[^\W\d_]{1,20})\]?\*{0,2}[ \t\u3000.]{0,40}"
    r"(?:[:：](?!//)(?!\d\d(?!\w))(?![\w:\\])|[:：](?=[\"'])|(?<=\w)=(?=['\"\s])|[ \t]=[ \t]|\t+)[ \t]{0,200}[\u3000]{0,20}(?P<value>\S.*)?$"
)
"""`label: value`, `label = value`, `label='value'`, `label . . . : value`. Not `http://`, `12:30`, `C:\\`, `std::move`."""
_NUMBERED = re.compile(r"\d{2,}$")
"""The end of a label that is no label: `line 3243: …`."""
_MAX_LINE = 4_000
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u00ab": "\u00bb", "\u201e": "\u201c", "`": "'"}


class Field(NamedTuple):
    """One labelled value."""

    label: str
    """In lower case, without marks around it."""
    value: str
    """Without the quotes around it; "" if it stands on the lines below."""
    meaning: Meaning


@memoized(size=400_000, largest=1_500)
def field_of(line: str) -> Field | None:
    """Return the labelled value in `line`; None for a line of another form."""
    match = _FIELD.match(line[:_MAX_LINE])
    if match is None:
        return None
    label = " ".join(match["label"].lower().split())
    if label.count(" ") > 4 or len(label) < 2 or _NUMBERED.search(label):
        return None
    return Field(label, unquoted((match["value"] or "").strip()), meaning_of(label))


def meaning_of(label: str) -> Meaning:
    """Return what `label` (in lower case) says about the error."""
    found = _MEANING.get(label) or _MEANING.get(label.rstrip(".s"))
    return found or _meaning_of_words(label.split())


def is_known(label: str) -> bool:
    """Return True if `label` (in lower case) has a meaning of its own, and not only by one of its words."""
    return label in _MEANING or label.rstrip(".s") in _MEANING


_HEADS = {
    **dict.fromkeys(
        ("message", "error", "reason", "cause", "description", "problem", "failure", "fehler", "grund", "erreur"),
        Meaning.MESSAGE,
    ),
    **dict.fromkeys(
        ("service", "job", "task", "check", "device", "alarm", "monitor", "dienst", "auftrag"), Meaning.SUBJECT
    ),
    **dict.fromkeys(("state", "status", "result"), Meaning.STATE),
}
_NOT_ITS_TEXT = frozenset(
    [
        "info",
        "id",
        "code",
        "count",
        "time",
        "date",
        "number",
        "no",
        "level",
        "url",
        "link",
        "log",
        "file",
        "count",
        "path",
        "type",
        "class",
        "source",
        "started",
        "duration",
        "start",
        "end",
        "owner",
        "user",
        "author",
    ]
)


def _meaning_of_words(words: list[str]) -> Meaning:
    """Return the meaning of a label that contains a known one: `reason for state change`, `problem name`, `job run`."""
    if len(words) < 2 or _NOT_ITS_TEXT & set(words):
        return Meaning.OTHER
    return next((_HEADS[word.rstrip("s")] for word in words if word.rstrip("s") in _HEADS), Meaning.OTHER)


def unquoted(text: str) -> str:
    """Return `text` without the quotes around the whole of it."""
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    return text
