/* A disk that can be made to fail, for the crash tests: loaded into the daemon by LD_PRELOAD.
 *
 * It acts on regular files below LARUM_DISK_ROOT, but for SQLite's `-shm` files, which are shared memory and rebuilt.
 * The harness steers it through the words of the file LARUM_DISK_CONTROL, which is mapped. Before each change of a
 * file it notes in LARUM_DISK_JOURNAL how to undo it; a sync notes that nothing before it can be undone any more. The
 * journal is written by plain write(2), so it is whole after a SIGKILL. A harness that undoes what was not synced has
 * what a power loss leaves. As on the usual file systems, the sync of a new file makes its name durable too, and
 * removing or renaming a file is durable at once. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The words of the control file; disk.rs has the same list. */
enum {
    OPERATIONS, /* counts writes, changes of length and syncs */
    KILL_IN,    /* the process kills itself at the n-th operation from now on; 0: never */
    KILL_AFTER, /* it does so after the operation, not before it */
    JOURNAL,    /* what was changed and not synced is noted */
    FULL,       /* nothing grows */
    SLOW_SYNC,  /* milliseconds that each sync takes */
    FAIL_SYNC,  /* so many syncs fail */
    SYNCS,      /* counts syncs */
    WORDS
};

static volatile int64_t *control;
static char root[PATH_MAX];
static size_t root_len;
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What is known of each descriptor. */
enum { UNKNOWN, OURS, OTHER };
#define MAX_FD 4096
static volatile char kinds[MAX_FD];

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

__attribute__((constructor)) static void start(void)
{
    const char *dir = getenv("LARUM_DISK_ROOT"), *words = getenv("LARUM_DISK_CONTROL");
    const char *undo = getenv("LARUM_DISK_JOURNAL");
    if (!dir || !words || !undo || !realpath(dir, root))
        return;
    root_len = strlen(root);
    int fd = REAL(open)(words, O_RDWR | O_CLOEXEC);
    int notes = REAL(open)(undo, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || notes < 0)
        abort();
    void *mapped = mmap(NULL, WORDS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REAL(close)(fd);
    if (mapped == MAP_FAILED)
        abort();
    /* Out of the way of the numbers that a test may look at. */
    journal = fcntl(notes, F_DUPFD_CLOEXEC, 900);
    REAL(close)(notes);
    control = mapped;
}

static int is_below_root(const char *path)
{
    size_t n = strlen(path);
    return strncmp(path, root, root_len) == 0 && path[root_len] == '/' && !(n > 4 && strcmp(path + n - 4, "-shm") == 0);
}

/* Whether a descriptor is a file of ours; gives what stat(2) says of it. */
static int is_ours(int fd, struct stat *st)
{
    if (!control || fd < 0 || fd >= MAX_FD || kinds[fd] == OTHER)
        return 0;
    if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))
        return 0;
    if (kinds[fd] == UNKNOWN) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n < 0)
            return 0;
        path[n] = 0;
        kinds[fd] = is_below_root(path) ? OURS : OTHER;
    }
    return kinds[fd] == OURS;
}

static void forget_fd(int fd)
{
    if (fd >= 0 && fd < MAX_FD)
        kinds[fd] = UNKNOWN;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Counts an operation; whether it is the one at which to die. */
static int is_last(void)
{
    control[OPERATIONS]++;
    int64_t left = control[KILL_IN];
    if (left <= 0)
        return 0;
    control[KILL_IN] = left - 1;
    if (left == 1 && !control[KILL_AFTER])
        die();
    return left == 1;
}

/* One entry of the journal; disk.rs reads it. */
struct entry {
    uint64_t kind; /* 'C'reated, 'W'ritten, 'S'ynced, 'R'emoved */
    uint64_t file;
    uint64_t offset; /* where `old_len` bytes follow that stood there */
    uint64_t old_size;
    uint64_t old_len;
};

static void note(struct entry entry, const void *old)
{
    if (!control[JOURNAL])
        return;
    struct iovec parts[2] = {{&entry, sizeof entry}, {(void *)old, entry.old_len}};
    if (REAL(writev)(journal, parts, 2) != (ssize_t)(sizeof entry + entry.old_len))
        abort();
}

/* Notes the bytes from `offset` on, at most `len`, before they are changed. */
static void note_bytes(int fd, const struct stat *st, off_t offset, size_t len)
{
    if (!control[JOURNAL])
        return;
    struct entry entry = {'W', st->st_ino, offset, st->st_size, 0};
    char *old = NULL;
    if (offset < st->st_size && len > 0) {
        size_t wanted = (size_t)(st->st_size - offset) < len ? (size_t)(st->st_size - offset) : len;
        char link[64];
        /* The descriptor may be for writing only. */
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int readable = REAL(open)(link, O_RDONLY | O_CLOEXEC);
        old = malloc(wanted);
        if (readable < 0 || !old || REAL(pread)(readable, old, wanted, offset) != (ssize_t)wanted)
            abort();
        REAL(close)(readable);
        entry.old_len = wanted;
    }
    note(entry, old);
    free(old);
}

static ssize_t plain_write(int fd, const void *bytes, size_t len, off_t offset)
{
    return offset < 0 ? REAL(write)(fd, bytes, len) : REAL(pwrite)(fd, bytes, len, offset);
}

/* A write at the file's own place where `offset` is negative. */
static ssize_t write_to(int fd, const void *bytes, size_t len, off_t offset)
{
    struct stat st;
    if (!is_ours(fd, &st))
        return plain_write(fd, bytes, len, offset);
    pthread_mutex_lock(&lock);
    int last = is_last();
    fstat(fd, &st);
    off_t at = offset;
    if (at < 0)
        at = fcntl(fd, F_GETFL) & O_APPEND ? st.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t done = -1;
    int error = ENOSPC;
    if (!control[FULL] || at + (off_t)len <= st.st_size) {
        note_bytes(fd, &st, at, len);
        done = plain_write(fd, bytes, len, offset);
        error = errno;
    }
    if (last)
        die();
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int n, off_t offset)
{
    ssize_t sum = 0;
    for (int i = 0; i < n; i++) {
        ssize_t done = write_to(fd, parts[i].iov_base, parts[i].iov_len, offset < 0 ? -1 : offset + sum);
        if (done < 0)
            return sum > 0 ? sum : -1;
        sum += done;
        if ((size_t)done < parts[i].iov_len)
            break;
    }
    return sum;
}

ssize_t write(int fd, const void *bytes, size_t len) { return write_to(fd, bytes, len, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) { return write_to(fd, bytes, len, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) { return write_to(fd, bytes, len, offset); }

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    struct stat st;
    return is_ours(fd, &st) ? write_parts(fd, parts, n, -1) : REAL(writev)(fd, parts, n);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    struct stat st;
    return is_ours(fd, &st) ? write_parts(fd, parts, n, offset) : REAL(pwritev)(fd, parts, n, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t offset) { return pwritev(fd, parts, n, offset); }

int ftruncate(int fd, off_t length)
{
    struct stat st;
    if (!is_ours(fd, &st))
        return REAL(ftruncate)(fd, length);
    pthread_mutex_lock(&lock);
    int last = is_last();
    fstat(fd, &st);
    int done = -1, error = ENOSPC;
    if (!control[FULL] || length <= st.st_size) {
        note_bytes(fd, &st, length, length < st.st_size ? (size_t)(st.st_size - length) : 0);
        done = REAL(ftruncate)(fd, length);
        error = errno;
    }
    if (last)
        die();
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int sync_to(int fd, int (*sync)(int))
{
    struct stat st;
    if (!is_ours(fd, &st))
        return sync(fd);
    if (control[SLOW_SYNC] > 0)
        usleep(control[SLOW_SYNC] * 1000);
    pthread_mutex_lock(&lock);
    int last = is_last();
    control[SYNCS]++;
    int done = -1, error = EIO;
    if (control[FAIL_SYNC] > 0) {
        control[FAIL_SYNC]--;
    } else {
        /* What is noted stands for the disk: the real one need not be waited for. */
        done = control[JOURNAL] ? 0 : sync(fd);
        error = errno;
        if (done == 0)
            note((struct entry){'S', st.st_ino, 0, 0, 0}, NULL);
    }
    if (last)
        die();
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int fsync(int fd) { return sync_to(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_to(fd, REAL(fdatasync)); }

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
    struct stat before;
    int is_new = control && (flags & O_CREAT) && fstatat(dir, path, &before, 0) != 0;
    int truncates = control && (flags & O_TRUNC) && !is_new;
    /* An old file is emptied where it can be noted. */
    int fd = REAL(openat)(dir, path, truncates ? flags & ~O_TRUNC : flags, mode);
    if (fd < 0)
        return fd;
    int error = errno;
    forget_fd(fd);
    struct stat st;
    if (is_new && is_ours(fd, &st)) {
        pthread_mutex_lock(&lock);
        note((struct entry){'C', st.st_ino, 0, 0, 0}, NULL);
        pthread_mutex_unlock(&lock);
    }
    if (truncates && ftruncate(fd, 0) != 0 && errno != EINVAL) {
        error = errno;
        REAL(close)(fd);
        fd = -1;
    }
    errno = error;
    return fd;
}

#define MODE(flags, last)                                \
    mode_t mode = 0;                                     \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {             \
        va_list rest;                                    \
        va_start(rest, last);                            \
        mode = va_arg(rest, mode_t);                     \
        va_end(rest);                                    \
    }

int open(const char *path, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_at(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd)
{
    forget_fd(fd);
    return REAL(close)(fd);
}

/* The number of a removed file may be given to another: what was noted of it counts no more. */
static void note_removed(int dir, const char *path)
{
    struct stat st;
    if (control && fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1) {
        pthread_mutex_lock(&lock);
        note((struct entry){'R', st.st_ino, 0, 0, 0}, NULL);
        pthread_mutex_unlock(&lock);
    }
}

int unlink(const char *path)
{
    note_removed(AT_FDCWD, path);
    return REAL(unlink)(path);
}

int unlinkat(int dir, const char *path, int flags)
{
    note_removed(dir, path);
    return REAL(unlinkat)(dir, path, flags);
}

int rename(const char *from, const char *to)
{
    note_removed(AT_FDCWD, to);
    return REAL(rename)(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    note_removed(to_dir, to);
    return REAL(renameat)(from_dir, from, to_dir, to);
}
