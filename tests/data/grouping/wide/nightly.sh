#!/bin/bash
# Copies things at night (shell and its tools, as cron mails them).
case $1 in
copy) cp "$FILE" /nonexistent/ ;;
copy.msg) rm "$FILE" ;;
copy.func) tar -cf /nonexistent/all.tar "$FILE" ;;
copy.type) mkdir /proc/"$NAME" ;;
call) "backup-$1" "$FILE" ;;
call.msg) "$FILE" --now ;;
call.func) echo $(($AMOUNT / 0)) ;;
call.type) set -u; echo "$UNSET_NAME" ;;
fetch) curl -sS "http://127.0.0.1:1/$ID" ;;
fetch.msg) curl -sS "http://$HOST.invalid/$ID" ;;
fetch.func) wget -nv -t1 "http://127.0.0.1:1/$ID" ;;
sql) psql -h 127.0.0.1 -p 1 -c "select $ID" ;;
sql.msg) sqlite3 "$FILE" "select $ID" ;;
sql.func) python3 -c "import sys; sys.exit('table of ' + sys.argv[1] + ' is empty')" "$NAME" ;;
esac
