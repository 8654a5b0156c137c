/* slow_flush: preloaded into PostgreSQL by test/bench-writes: a flush of the WAL takes
 * SLOW_FLUSH_US microseconds more, as on slower disks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    const char *us = getenv("SLOW_FLUSH_US");
    long ns = us ? strtol(us, NULL, 10) * 1000 : 0;
    nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
    return real(fd);
}
