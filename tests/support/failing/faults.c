/* A disk that fails: loaded before a process (LD_PRELOAD), it has calls on files fail as the file $FAULT says.
 *
 * A line there is "CALL ERRNO PART": each CALL on a file whose path holds PART fails with the number ERRNO.
 * Nothing fails while there is no such file. Calls: pwrite, pread, fsync (fdatasync too), rename.
 *
 * And a clock that is wrong: by the number of seconds in the file $CLOCK_OFF_BY.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int told(const char *variable, char *text, size_t size) {
    const char *name = getenv(variable);
    int saved = errno;
    if (!name) return 0;
    long file = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    long length = file < 0 ? 0 : syscall(SYS_read, file, text, size - 1);
    if (file >= 0) syscall(SYS_close, file);
    errno = saved;
    if (length <= 0) return 0;
    text[length] = 0;
    return 1;
}

static int ordered(const char *call, const char *path) {
    char text[256], wanted[32], part[128];
    int number;
    if (!told("FAULT", text, sizeof text)) return 0;
    if (sscanf(text, "%31s %d %127s", wanted, &number, part) != 3) return 0;
    return !strcmp(call, wanted) && strstr(path, part) ? number : 0;
}

static int ordered_for(const char *call, int fd) {
    char link[64], path[4096];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0) return 0;
    path[length] = 0;
    return ordered(call, path);
}

#define FAIL(number) do { int found = (number); if (found) { errno = found; return -1; } } while (0)
#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*writer)(int, const void *, size_t, off_t);
typedef ssize_t (*reader)(int, void *, size_t, off_t);
typedef int (*syncer)(int);
typedef int (*renamer)(const char *, const char *);

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { FAIL(ordered_for("pwrite", fd)); REAL("pwrite", writer); return real(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { FAIL(ordered_for("pwrite", fd)); REAL("pwrite64", writer); return real(fd, data, size, at); }
ssize_t pread(int fd, void *data, size_t size, off_t at) { FAIL(ordered_for("pread", fd)); REAL("pread", reader); return real(fd, data, size, at); }
ssize_t pread64(int fd, void *data, size_t size, off_t at) { FAIL(ordered_for("pread", fd)); REAL("pread64", reader); return real(fd, data, size, at); }
int fsync(int fd) { FAIL(ordered_for("fsync", fd)); REAL("fsync", syncer); return real(fd); }
int fdatasync(int fd) { FAIL(ordered_for("fsync", fd)); REAL("fdatasync", syncer); return real(fd); }
int rename(const char *from, const char *to) { FAIL(ordered("rename", to)); REAL("rename", renamer); return real(from, to); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    char text[64];
    long result = syscall(SYS_clock_gettime, clock, now);
    if (!result && clock == CLOCK_REALTIME && told("CLOCK_OFF_BY", text, sizeof text)) now->tv_sec += atol(text);
    return result;
}
