# An agent for tests, after orders.sh: speaks as Claude Code does on its output, and notes in $HOME/fake how it was called.
session=none
args="$*"
while [ $# -gt 0 ]; do
    case "$1" in
        --version) echo "0.0.1 (Fake)"; exit 0 ;;
        --session-id) session=$2; mode=new; shift ;;
        --resume) session=$2; mode=resume; shift ;;
    esac
    shift
done
prompt=$(cat)
calls=$(ls "$notes" | grep -c "^$task-" || true)
call=$((calls + 1))
printf '%s\n' "$prompt" > "$notes/$task-$call.prompt"
env | sort > "$notes/env.$task-$call"
echo "$args" > "$notes/args.$task-$call"
echo "$mode $session" > "$notes/session.$task-$call"

say() { printf '{"type":"assistant","message":{"content":[{"type":"text","text":"%s"}]},"session_id":"%s"}\n' "$1" "$session"; }
began() { printf '{"type":"assistant","message":{"content":[{"type":"tool_use","id":"%s","name":"%s","input":{"%s":"%s"}}]},"session_id":"%s"}\n' "$1" "$2" "$3" "$4" "$session"; }
ended() { printf '{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"%s","is_error":%s,"content":"%s"}]},"session_id":"%s"}\n' "$1" "$2" "${3:-ok}" "$session"; }
finish() {
    printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"%s","total_cost_usd":0.0125,"usage":{"input_tokens":100,"cache_read_input_tokens":20,"output_tokens":10}}\n' "$1" "$session"
    exit 0
}
fail() {
    printf '{"type":"result","subtype":"success","is_error":true,"api_error_status":%s,"result":"%s","session_id":"%s"}\n' "$1" "$2" "$session"
    exit 1
}

printf '{"type":"system","subtype":"init","session_id":"%s","model":"fake-1"}\n' "$session"
begin_write() { began "$1" Write file_path "$2"; }
end_write() { ended "$1" false; }
own() {
    verb=$1
    shift
    case "$verb" in
        by) if [ "$(basename "$0")" = "$1" ]; then shift; order "$@"; fi ;;
        into) # TASK PATH: a file in the working tree of a task that is at work
            until grep -q '^PWD=' "$notes/env.$1-1" 2> /dev/null; do sleep 0.05; done
            path=$(sed -n 's/^PWD=//p' "$notes/env.$1-1")/$2
            began "i$step" Write file_path "$path"
            echo stray > "$path"
            ended "i$step" false
            touch "$notes/into.$1"
            ;;
        await) until [ -e "$notes/$1" ]; do sleep 0.05; done ;;
        run)
            began "r$step" Bash command "$*"
            sh -c "$*" > /dev/null 2>&1
            if [ $? = 0 ]; then ended "r$step" false; else ended "r$step" true; fi
            ;;
        try) # as `run`, and tells what it printed
            began "t$step" Bash command "$*"
            if said=$(sh -c "$*" 2>&1); then failed=false; else failed=true; fi
            ended "t$step" "$failed" "$(printf %s "$said" | tr -d '"\\\n')"
            ;;
        ask) finish "$*" ;;
        block)
            printf '%s\nOPTIONS: 80 | 8080\nDEFAULT: 8080\n' "$*" > "$SPECTER_BLOCKED_FILE"
            finish "I cannot go on"
            ;;
        where) finish "made $PWD/$1" ;;
        stderr) echo "$*" >&2 ;;
        garbage) echo 'this is no JSON {"at all'; echo '<html>' ;;
        quiet) exit "$1" ;;
        error) code=$1; shift; fail "$code" "$*" ;;
        cut) printf '{"type":"assistant","mess'; kill -KILL $$ ;;
        hang) sleep 600 ;;
        tidy-hang)
            trap 'echo interrupted > "$notes/tidied.$task-$call"; exit 130' INT
            sleep 600 & wait
            ;;
        deaf-hang) trap '' INT; sleep 600 ;;
        wait-in-tool) began "h$step" Bash command "sleep"; sleep 600 ;;
        chatter) while :; do printf '{"type":"system","subtype":"api_retry","attempt":%s}\n' "$$"; sleep 0.2; done ;;
        daemon)
            setsid sh -c 'sleep 600 & echo $! > "$0"; wait' "$notes/daemon" > /dev/null 2>&1 &
            # By this name it is told of.
            until [ "$(cat "/proc/$(cat "$notes/daemon" 2> /dev/null)/comm" 2> /dev/null)" = sleep ]; do sleep 0.05; done
            ;;
        events) awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) { printf "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\",\"id\":\"e%d\",\"name\":\"Bash\",\"input\":{\"command\":\"echo %d\"}}]}}\n{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"e%d\",\"is_error\":false,\"content\":\"%d\"}]}}\n", i, i, i, i } }' ;;
        flood) yes '{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"more and more of it"}}}' | head -n "$1" ;;
        line) head -c "$1" /dev/zero | tr '\0' x; echo ;;
    esac
}
step=0
printf '%s\n' "$prompt" | note_orders
obey
finish "done"
