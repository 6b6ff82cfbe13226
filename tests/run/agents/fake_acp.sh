# An agent for tests, after orders.sh, that speaks the Agent Client Protocol: notes in $HOME/fake what it was told.
# `$HOME/fake-acp` holds what goes wrong before a prompt: a method that it never answers, or `auth`.
case "${1:-}" in --version) echo "0.0.2 (Fake ACP)"; exit 0 ;; esac
trouble=$(cat "$HOME/fake-acp" 2> /dev/null || true)
calls=$(ls "$notes" | grep -c "^acp\.$task-" || true)
call=$((calls + 1))
heard="$notes/acp.$task-$call"
: > "$heard"
session="fake-$task-$call"

answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"%s","data":%s}}\n' "$1" "$2" "$3" "$4"; }
update() { printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"%s","update":%s}}\n' "$session" "$1"; }
say() { update "{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{\"type\":\"text\",\"text\":\"$1\"}}"; }
tool() { update "{\"sessionUpdate\":\"tool_call\",\"toolCallId\":\"$1\",\"title\":\"$2\",\"kind\":\"edit\",\"status\":\"in_progress\",\"locations\":[{\"path\":\"$3\"}]}"; }
ended() { update "{\"sessionUpdate\":\"tool_call_update\",\"toolCallId\":\"$1\",\"status\":\"$2\"}"; }
hear() { IFS= read -r line && printf '%s\n' "$line" >> "$heard"; }
# The next answer to a request of ours.
heard_answer() { while hear; do case "$line" in *'"id":"'"$1"'"'*) return 0 ;; esac; done; exit 0; }

begin_write() { tool "$1" "Write $2" "$PWD/$2"; }
end_write() { ended "$1" completed; }

own() {
    verb=$1
    shift
    case "$verb" in
        ask)
            printf '{"jsonrpc":"2.0","id":"q%s","method":"session/request_permission","params":{"sessionId":"%s","options":[{"optionId":"yes","name":"Y","kind":"allow_once"},{"optionId":"no","name":"N","kind":"reject_once"}],"toolCall":{"toolCallId":"p%s","title":"Writing","kind":"edit","locations":[{"path":"%s"}]}}}\n' "$step" "$session" "$step" "$1"
            heard_answer "q$step"
            case "$line" in
                *'"optionId":"yes"'*) printf '%s\n' asked > "$1"; ended "p$step" completed ;;
                *) ended "p$step" failed ;;
            esac
            ;;
        request) printf '{"jsonrpc":"2.0","id":"r%s","method":"%s","params":{}}\n' "$step" "$1"; heard_answer "r$step" ;;
        garbage) echo 'this is no JSON {"at all'; echo '[1,2'; echo '"text"'; update '{"sessionUpdate":"of_version_9"}' ;;
        huge) printf '{"jsonrpc":"2.0","method":"x","params":"'; head -c "$1" /dev/zero | tr '\0' x; echo '"}' ;;
        die) printf '{"jsonrpc":"2.0","meth'; kill -KILL $$ ;;
        leave) exit 0 ;;
        # Called off, it says so; `deaf` does not listen.
        hang) while hear; do case "$line" in *session/cancel*) answer "$id" '{"stopReason":"cancelled"}'; return ;; esac; done; exit 0 ;;
        deaf) sleep 600 ;;
        stay) answer "$id" '{"stopReason":"end_turn"}'; trap '' TERM; sleep 600 ;;
        error) code=$1 word=$2; shift 2; refuse "$id" "$code" "$*" "{\"errorKind\":\"$word\"}"; exit 1 ;;
    esac
}

step=0
prompt() {
    # Orders stand in one line of JSON, with `\n` between them.
    printf '%s\n' "$line" | sed 's/\\n/\
/g' | sed 's/".*//' | note_orders
    obey
    say "done"
    answer "$id" '{"stopReason":"end_turn","usage":{"inputTokens":100,"cachedReadTokens":20,"outputTokens":10,"totalTokens":110}}'
}

while hear; do
    id=$(printf '%s\n' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    method=$(printf '%s\n' "$line" | sed -n 's/.*"method":"\([a-z_/]*\)".*/\1/p')
    [ "$method" != "$trouble" ] || continue
    case "$method" in
        initialize) answer "$id" '{"protocolVersion":1,"agentCapabilities":{"loadSession":true,"sessionCapabilities":{"resume":{}}}}' ;;
        session/new)
            if [ "$trouble" = auth ]; then refuse "$id" -32000 "Authentication required" null; else answer "$id" "{\"sessionId\":\"$session\"}"; fi ;;
        session/resume) session=$(printf '%s\n' "$line" | sed -n 's/.*"sessionId":"\([^"]*\)".*/\1/p'); answer "$id" '{}' ;;
        session/prompt) prompt ;;
    esac
done
# Some leave with an error once their input is closed.
exit 1
