# The workloads of the crash sweep, as directories to be copied for every point. Sourced by `crash.sh`.
# Every task notes in `$CH_SIDE/truth`, which no crash touches, that its work really happened.

# W1: eight tasks, two workers, one failure and retry.
w1() {
  mkdir -p "$1"
  echo 'retryDelays = [5, 5]' > "$1/specter.toml"
  {
    echo '# Tasks'; echo
    for n in 1 2 3 4 5 6 7 8; do
      needs=''; [ "$n" -gt 4 ] && needs=" (depends on T00$((n - 4)))"
      # T003 fails once on purpose, and each crash costs the task in flight an attempt: so many that they never run
      # out. What the sweep asks is whether work is lost or repeated, not how the budget of attempts is spent.
      retries=''; [ "$n" = 3 ] && retries=' retries=9'
      printf -- '- [ ] T00%s [P] Step %s%s\n\n  ```sh run%s\n' "$n" "$n" "$needs" "$retries"
      case $n in
        3) echo '  test -e "$CH_SIDE/retried" || { touch "$CH_SIDE/retried"; echo "connection refused" >&2; exit 1; }' ;;
      esac
      printf '  echo T00%s >> "$CH_SIDE/truth"\n  ```\n\n' "$n"
    done
  } > "$1/tasks.md"
}

# W3: ten tasks, three of which are a person at an editor: lines above everything saved from a stale buffer, a task not
# yet run gets another title, one more task and a box ticked by hand (see editor.py). T010 is added by the third.
w3() {
  mkdir -p "$1"
  printf 'retryDelays = [5, 5]\n' > "$1/specter.toml"
  {
    printf '# Tasks\n\nSome words.\n\n'
    task T001 '[P] Step 1'
    task T002 '[P] Step 2 (depends on T001)'
    edit T003 '[P] Save a stale text with lines above (depends on T002)' 1
    task T004 '[P] Step 4 (depends on T003)'
    edit T005 '[P] Give T007 another title (depends on T003)' 2
    task T006 '[P] Step 6 (depends on T005)'
    task T007 '[P] Step 7 (depends on T006)'
    edit T008 '[P] Add a task and tick one (depends on T005)' 3
    task T009 '[P] Ticked by a person (depends on T008)'
  } > "$1/tasks.md"
}

task() {
  printf -- '- [ ] %s %s\n\n  ```sh run retries=9\n  echo "$SPECTER_TASK_ID" >> "$CH_SIDE/truth"\n  ```\n\n' "$1" "$2"
}

edit() {
  printf -- '- [ ] %s %s\n\n  ```sh run retries=9\n  python3 "$CH_EDITOR" %s && echo "$SPECTER_TASK_ID" >> "$CH_SIDE/truth"\n  ```\n\n' "$1" "$2" "$3"
}

# W2: six tasks in working trees of their own, two at a time, merged back into a repository with a user's staged, changed
# and untracked files; checkpoints after each; one failure and retry. The project is `p`, the working trees are beside it.
w2() {
  mkdir -p "$1/p"
  (
    cd "$1/p"
    git init -q -b main
    for pair in user.name=User user.email=user@example.org gc.auto=0 maintenance.auto=false core.logAllRefUpdates=true; do
      git config "${pair%%=*}" "${pair#*=}"
    done
    rm -rf .git/hooks
    echo 'retryDelays = [5, 5]' > specter.toml
    seq -f 'line %g' 1 30 > shared.txt
    mkdir -p src
    echo gone > src/gone.txt
    echo mine > mine.txt
    {
      echo '# Tasks'; echo
      for n in 1 2 3 4 5 6; do
        needs=''; [ "$n" -gt 2 ] && needs=" (depends on T00$((n - 2)))"
        printf -- '- [ ] T00%s [P] Step %s%s\n\n  ```sh run retries=9\n' "$n" "$n" "$needs"
        [ "$n" = 3 ] && echo '  test -e "$CH_SIDE/retried" || { touch "$CH_SIDE/retried"; echo "connection refused" >&2; exit 1; }'
        printf '  echo T00%s > src/T00%s.txt; sed -i "%ss/$/ T00%s/" shared.txt; rm -f src/gone.txt\n' "$n" "$n" "$((n * 5 - 2))" "$n"
        printf '  echo T00%s >> "$CH_SIDE/truth"\n  ```\n\n' "$n"
      done
    } > tasks.md
    git add -A
    git commit -qm first
    echo changed >> mine.txt
    echo staged > staged.txt
    git add staged.txt
    echo untracked > untracked.txt
    # No object of the user's goes unsynced into the first crash.
    git status > /dev/null
  )
}
