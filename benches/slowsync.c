/* Preloaded by benches/compare: a disk on which every sync takes SLOWSYNC_US microseconds longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *given = getenv("SLOWSYNC_US");
    int result = real(fd);
    usleep(given ? (useconds_t)atoi(given) : 5000);
    return result;
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
