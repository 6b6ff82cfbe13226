/* What a run of one task cannot do without: the files, syncs and processes of `specter implement`, and nothing that decides
 * or checks. `benches/compare one` runs it beside specter, for what is left to win is the distance between the two.
 *
 * The order is the promise, so the syncs follow each other: directories and the start (while the task runs), the task's end,
 * the box, the run's end. Each waits for the disk.
 *
 * Where a start's time goes, counted on the machine the project was made on (an x86-64 virtual machine; instructions by
 * callgrind, traps by `perf record -e page-faults`, both without the task's own process; system calls by strace, with it):
 *                               instructions   page traps   system calls
 *   this program                     150,000           90            290
 *   specter                        2,200,000          280            670
 *     linking (three libraries, 12,000 addresses)   530,000      ~110     50
 *     the command line             ~500,000
 *     std's look at its own stack   107,000
 * A trap costs 1 to 2 us there, ten more where another thread has to be interrupted for it: a page that is copied because
 * another process has it, too. So the guardian is forked while there is one thread and little memory (350 traps before), and
 * what a start runs lies side by side in the program (`benches/layout`). A fifth of the traps that are left are tables that
 * hold addresses. A statically linked specter takes a tenth less processor time, but the tests that shift its clock and
 * `slow-disk` need a library they can stand in front of.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char text[2048];

static void need(int works, const char *what) {
    if (!works) {
        perror(what);
        exit(1);
    }
}

static void put(const char *name, size_t length) {
    char temporary[256];
    snprintf(temporary, sizeof temporary, "%s.tmp", name);
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    need(file >= 0 && write(file, text, length) == (ssize_t)length && rename(temporary, name) == 0, name);
    close(file);
}

static void sync_name(const char *directory) {
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    need(file >= 0 && fsync(file) == 0, directory);
    close(file);
}

static void record(int journal, size_t length) {
    need(write(journal, text, length) == (ssize_t)length, "journal");
}

int main(void) {
    char found[2048], *command[] = {"true", NULL};
    static const char *directories[] = {".specter",       ".specter/runs",  ".specter/runs/1",
                                        ".specter-state", ".specter-state/checkpoints", ".specter-memory"};
    memset(text, 'x', sizeof text);
    int tasks = open("tasks.md", O_RDWR | O_CLOEXEC);
    need(tasks >= 0 && read(tasks, found, sizeof found) > 0, "tasks.md");
    for (size_t n = 0; n < sizeof directories / sizeof *directories; n++)
        need(mkdir(directories[n], 0700) == 0, directories[n]);
    put(".specter/.gitignore", 20);
    int lock = open(".specter/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    need(flock(lock, LOCK_EX) == 0 && pwrite(lock, text, 149, 0) == 149, "lock");
    int journal = open(".specter/runs/1/journal.ndjson", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    need(journal >= 0, "journal");

    int line[2], output[2];
    need(pipe2(line, O_CLOEXEC) == 0, "pipe");
    pid_t guardian = fork(), task;
    if (guardian == 0) {
        close(line[1]);
        _exit(read(line[0], found, 1) < 0);
    }
    need(guardian > 0, "fork");

    record(journal, 423);
    need(pipe2(output, O_CLOEXEC) == 0, "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    need(posix_spawnp(&task, "true", &actions, NULL, command, environ) == 0, "true");
    close(output[1]);
    sync_name(".specter/runs/1");
    sync_name(".specter/runs");
    sync_name(".specter");
    sync_name(".");
    while (read(output[0], found, sizeof found) > 0) {}
    waitpid(task, NULL, 0);

    record(journal, 336);
    need(fdatasync(journal) == 0, "journal");
    need(pwrite(tasks, "x", 1, 12) == 1 && fdatasync(tasks) == 0, "tasks.md");
    record(journal, 349);
    need(fdatasync(journal) == 0, "journal");
    put(".specter/implementation.log", 526);
    put(".specter/history.ndjson", 166);
    put(".specter-state/checkpoints/checkpoint-001.md", 219);
    put(".specter-state/current-session.md", 316);
    put(".specter-state/checkpoints/latest.md", 219);
    put(".specter/implementation-metrics.json", 1873);
    put(".specter/implementation-context.md", 496);
    put(".specter-memory/CHANGES-COMPLETED.md", 236);
    put(".specter-memory/CHANGES-PLANNED.md", 123);
    put(".specter-memory/WORKFLOW-PROGRESS.md", 593);
    close(line[1]);
    waitpid(guardian, NULL, 0);
    return write(1, text, 501) < 0;
}
