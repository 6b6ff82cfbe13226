#!/bin/sh
# What the agents for tests share, before what each does in its own way: lines of a prompt that begin with `fake: ` are
# orders, noted and obeyed one after the other. `first ORDER` counts in the first call for a task only, `later ORDER` in
# all others. Each agent has `say`, `begin_write ID PATH`, `end_write ID`, and `own VERB WORDS` for orders of its own.
set -u
notes="$HOME/fake"
mkdir -p "$notes"
task=${SPECTER_TASK_ID:-none}

order() {
    step=$((step + 1))
    verb=$1
    shift
    case "$verb" in
        first) if [ "$call" = 1 ]; then order "$@"; fi ;;
        later) if [ "$call" != 1 ]; then order "$@"; fi ;;
        say) say "$*" ;;
        write)
            path=$1
            shift
            begin_write "w$step" "$path"
            mkdir -p "$(dirname "$path")"
            printf '%s\n' "$*" > "$path"
            end_write "w$step"
            ;;
        *) own "$verb" "$@" ;;
    esac
}

# From the prompt on its input.
note_orders() { sed -n 's/^ *\(- \)\{0,1\}fake: //p' > "$notes/orders.$task"; }

# Not in a pipe: an order may end all.
obey() {
    while IFS= read -r words <&3; do
        # shellcheck disable=SC2086 # the words of an order are its arguments
        set -f; set -- $words; set +f
        order "$@"
    done 3< "$notes/orders.$task"
}

