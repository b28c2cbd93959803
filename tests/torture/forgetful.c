/* A disk that forgets what was not synced, by LD_PRELOAD.

   For files below FORGETFUL_ROOT it keeps a second tree at FORGETFUL_DISK, as it would be found after a power cut: a
   write goes there only when the process that made it syncs the file. What another process wrote and has not synced
   stays out, which is harsher than a real disk. Shared memory of SQLite (-shm) never goes there: no disk has it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct range {
    char path[PATH_MAX];
    off_t offset, length;
    struct range *next;
};

static struct range *unsynced;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

/* The file's path below the root, or NULL for any other file. */
static const char *within(const char *path) {
    const char *root = getenv("FORGETFUL_ROOT");
    size_t length = root ? strlen(root) : 0;
    const char *end = strrchr(path, '-');
    if (!length || strncmp(path, root, length) || path[length] != '/' || (end && !strcmp(end, "-shm"))) return NULL;
    return path + length;
}

static const char *path_of(int fd, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return within(buffer);
}

static void on_disk(const char *path, char *buffer) {
    snprintf(buffer, PATH_MAX, "%s%s", getenv("FORGETFUL_DISK"), path);
}

static void note(int fd, off_t offset, ssize_t length) {
    char buffer[PATH_MAX];
    const char *path = length > 0 ? path_of(fd, buffer) : NULL;
    if (!path) return;
    struct range *new = malloc(sizeof *new);
    strcpy(new->path, path);
    new->offset = offset;
    new->length = length;
    pthread_mutex_lock(&lock);
    new->next = unsynced;
    unsynced = new;
    pthread_mutex_unlock(&lock);
}

static void carry_over(int from, int to, const struct range *range) {
    ssize_t (*write_at)(int, const void *, size_t, off_t) = real("pwrite64");
    char *bytes = malloc(range->length);
    ssize_t length = pread(from, bytes, range->length, range->offset);
    if (length > 0 && write_at(to, bytes, length, range->offset) != length) abort();
    free(bytes);
}

static void sync_file(int fd) {
    int (*truncate_to)(int, off_t) = real("ftruncate64");
    char buffer[PATH_MAX], target[PATH_MAX];
    const char *path = path_of(fd, buffer);
    if (!path) return;
    on_disk(path, target);
    int disk = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (disk < 0) abort();
    pthread_mutex_lock(&lock);
    for (struct range **at = &unsynced; *at;) {
        struct range *range = *at;
        if (strcmp(range->path, path)) {
            at = &range->next;
            continue;
        }
        carry_over(fd, disk, range);
        *at = range->next;
        free(range);
    }
    struct stat now, then;
    if (!fstat(fd, &now) && !fstat(disk, &then) && then.st_size > now.st_size && truncate_to(disk, now.st_size)) abort();
    pthread_mutex_unlock(&lock);
    close(disk);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    ssize_t (*write_at)(int, const void *, size_t, off_t) = real("pwrite64");
    ssize_t written = write_at(fd, bytes, count, offset);
    note(fd, offset, written);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t (*write_on)(int, const void *, size_t) = real("write");
    ssize_t written = write_on(fd, bytes, count);
    int told = errno;
    if (written > 0) note(fd, lseek(fd, 0, SEEK_CUR) - written, written);
    errno = told;
    return written;
}

int fsync(int fd) {
    int (*sync_all)(int) = real("fsync");
    sync_file(fd);
    return sync_all(fd);
}

int fdatasync(int fd) {
    int (*sync_data)(int) = real("fdatasync");
    sync_file(fd);
    return sync_data(fd);
}

int unlink(const char *path) {
    int (*remove_it)(const char *) = real("unlink");
    char target[PATH_MAX];
    const char *known = within(path);
    if (known) {
        on_disk(known, target);
        remove_it(target);
    }
    return remove_it(path);
}
