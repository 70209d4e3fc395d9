"""The words by which people and programs of many languages say that something failed (→ failure_words).

All words are in lower case. A language is a paragraph; a new one is a new paragraph. Scripts without blanks between
words have texts of their own, which are found anywhere in a line.

Guarantee: data only.
"""

from __future__ import annotations

WORDS = frozenset(
    """
    abort aborted aborting aborts abnormal abnormally attack attacked attacks bad banned blocked broken broke
    bounced can't cannot cant couldn't couldnt conflict conflicting conflicts corrupt corrupted corruption crash
    crashed crashes crashing crit critical damaged dead deadlock deadlocked degraded denied denying died didn't
    disconnected doesn't down dropped duplicate emerg emergency err error errors errs exceed exceeded exceeding
    exceeds exception exceptions exhausted expire expired expires fail failed failing fails failure failures
    fatal fault faulted faulting faults faulty forbidden full halted illegal impossible incomplete increased
    infected insufficient interrupted intrusion invalid isn't killed lack lacks leaked locked lost malformed malware
    mismatch mismatched mismatches missed missing nan never offline oops outdated overdue overflow overflowed
    overflows overload overloaded panic panicked problem problems refused reject rejected rejection rejects
    segfault segmentation severe stale stopped stuck suspended terminated terminating throttled time-out
    timed-out timeout times-out trouble truncated unable unauthorised unauthorized uncaught undefined
    undeliverable undelivered unexpected unexpectedly unhandled unhealthy unknown unreachable unrecoverable
    unsupported violated violates violation vulnerabilities vulnerability vulnerable warn warning warnings warns
    wasn't won't wrong

    abgebrochen abgelaufen abgelehnt abgestürzt ausgefallen ausnahme defekt fehler fehlerhaft fehlgeschlagen
    fehlt gescheitert gesperrt gestört nicht störung überschritten unbekannte unbekannter unbekanntes
    unbekannten unerwartete unerwarteter unerwartetes unerwarteten ungültige ungültiger ungültiges ungültigen
    verweigert voll warnung zeitüberschreitung

    avertissement dépassé dépassée échec échoué erreur erreurs expiré expirée interdit interdite introuvable
    invalide manquant manquante panne plantage refusé refusée saturé saturée

    attenzione eccezione errore errori fallimento fallita fallito impossibile negata negato rifiutata rifiutato
    scaduta scaduto

    advertencia agotada agotado caducada caducado denegada denegado errores excepción fallida fallido fallo
    falló rechazada rechazado

    erro erros esgotado exceção expirou falha falhou inválida inválido não negado recusada recusado

    fout fouten geweigerd mislukt niet ongeldig verlopen waarschuwing

    błąd błędy niepowodzenie odmowa ostrzeżenie wyjątek chyba selhal selhala selhalo výjimka hata başarısız hiba
    sikertelen fel misslyckades virhe fejl feil

    исключение не недоступен отказано ошибка ошибки ошибку предупреждение сбой збій помилка
    """.split()
)
"""Words of failure. Each paragraph is a language, or some that are related."""

PHRASES = {
    "already": "running exists exist in locked taken defined registered",
    "can": "not",
    "could": "not",
    "did": "not",
    "does": "not",
    "has": "no",
    "have": "no",
    "had": "no",
    "with": "no",
    "limit": "reached matched hit",
    "no": "space free memory disk route response answer connection permission access longer such"
    " encontrado encontrada existe válido válida",
    "not": "be found enough supported available allowed permitted running responding reachable valid exist a an in ok"
    " possible authorized yet up",
    "out": "of",
    "reset": "by",
    "rolled": "back",
    "time": "out",
    "timed": "out",
    "times": "out",
    "too": "many few large long small short old big much high low late",
    "kann": "nicht",
    "konnte": "nicht",
    "konnten": "nicht",
    "délai": "d'attente",
    "non": "riuscita riuscito trovata trovato valida valido gérée",
    "n'a": "pas",
    "se": "pudo",
    "nie": "można udało znaleziono",
}
"""Phrases of two words: the first one, and the second ones that make it a failure."""

TEXTS = """
    오류 에러 실패 예외 거부 초과 장애 불가 만료 중단 경고 없습니다 못했습니다 않습니다 끊 부족 손상 다운
    错误 失败 异常 拒绝 超时 无法 不能 未找到 找不到 不存在 警告 崩溃 中断 故障 超出 过期 告警 宕机
    錯誤 失敗 異常 拒絕 逾時 無法
    エラー 例外 拒否 タイムアウト できません できない 見つかりません 障害 超過 期限切れ 不正
    """.split()
"""Texts of failure in scripts without blanks between words."""

HINTS = frozenset(
    """
    above alarm alarmed alarms alert alerts anomalies anomalous anomaly attempt attempts below breach breached brute
    changed critically delayed drift drifted empty fired firing high lag lagging late low negative not over pending
    retries retry retrying skipped skipping slow slower spike spiked spikes suspicious threshold under unusual
    waiting
    alerta alerte allarme hoch langsam lent lento niedrig тревога
    """.split()
)
"""Words that only hint at a failure."""

HINT_TEXTS = "마이너스 음수 지연 알람 경보 주의 マイナス 遅延 アラート 警報 注意 负数 延迟 报警".split()

LABELS = frozenset(
    [
        "cause", "critical", "err", "error", "error message", "exception", "failure", "fatal", "fatal error", "panic",
        "reason", "fehler", "fehlermeldung", "fehlertext", "ursache", "erreur", "message d'erreur", "errore", "motivo",
        "causa", "razón", "erro", "fout", "oorzaak", "błąd", "ошибка", "причина", "오류", "오류 메시지", "에러", "원인",
        "사유", "错误", "错误信息", "原因", "錯誤", "エラー", "エラー内容",
    ]
)  # fmt: skip
"""Labels of a message about a failure."""
