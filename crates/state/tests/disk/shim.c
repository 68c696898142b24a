/* Stands between a process and its disk (LD_PRELOAD): writes down what it does to files under a folder, and fails where told to.
 *
 *   BRAID_DISK_ROOT   the folder, an absolute path
 *   BRAID_DISK_TRACE  where to write down, in order, what was done
 *   BRAID_DISK_FAULT  full:N   from N bytes on, writing fails with ENOSPC
 *                     sync:N   the N-th sync and all after fail with EIO, and sync nothing
 *                     lie:N    the N-th sync and all after say that they did, and do not
 *
 * An entry is a letter and four numbers of 8 bytes (inode, offset, length of the first text, length of the second), then the texts:
 *   C create   the file's path                     W write     the data
 *   T truncate to the offset                       S sync      of a file, or of a folder, whose path is the first text
 *   R rename   from, to                            U unlink    path
 *   M mkdir    path                                X rmdir     path
 * What is done through system calls without the C library is not seen. Of what the store does that is preallocation, which adds zeros, and a
 * rename, which the sync that follows gives away (image.rs).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *fault;
static int trace = -1;
static uint64_t fault_at, written, syncs;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  root = getenv("BRAID_DISK_ROOT");
  const char *to = getenv("BRAID_DISK_TRACE");
  fault = getenv("BRAID_DISK_FAULT");
  if (fault && strchr(fault, ':')) fault_at = strtoull(strchr(fault, ':') + 1, NULL, 10);
  if (root && to) trace = REAL(open64)(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static int is_fault(const char *kind) { return fault && strncmp(fault, kind, strlen(kind)) == 0; }

static int is_ours(const char *path) {
  size_t length = root ? strlen(root) : 0;
  return trace >= 0 && path && length && strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

/* The path of an open file, if it is one of ours. */
static int path_of(int fd, char *path) {
  if (trace < 0 || fd == trace) return 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

static uint64_t inode_of(int fd) {
  struct stat64 about;
  return fstat64(fd, &about) == 0 ? about.st_ino : 0;
}

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t put = REAL(write)(trace, at, length);
    if (put <= 0) abort();
    at += put;
    length -= (size_t)put;
  }
}

static void note(char kind, uint64_t inode, uint64_t offset, const void *a, size_t a_length, const void *b, size_t b_length) {
  uint64_t numbers[4] = {inode, offset, a_length, b_length};
  put(&kind, 1);
  put(numbers, sizeof numbers);
  put(a, a_length);
  put(b, b_length);
}

static int open_file(int folder, const char *path, int flags, mode_t mode) {
  __typeof__(&openat64) open_real = REAL(openat64);
  if (!is_ours(path)) return open_real(folder, path, flags, mode);
  pthread_mutex_lock(&turn);
  int was_there = access(path, F_OK) == 0;
  int fd = open_real(folder, path, flags, mode), error = errno;
  if (fd >= 0 && (flags & O_CREAT) && !was_there) note('C', inode_of(fd), 0, path, strlen(path), "", 0);
  if (fd >= 0 && (flags & O_TRUNC) && was_there) note('T', inode_of(fd), 0, "", 0, "", 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return fd;
}

#define WITH_MODE(call) \
  mode_t mode = 0; \
  if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
  return call

int open(const char *path, int flags, ...) { WITH_MODE(open_file(AT_FDCWD, path, flags, mode)); }
int open64(const char *path, int flags, ...) { WITH_MODE(open_file(AT_FDCWD, path, flags, mode)); }
int openat(int folder, const char *path, int flags, ...) { WITH_MODE(open_file(folder, path, flags, mode)); }
int openat64(int folder, const char *path, int flags, ...) { WITH_MODE(open_file(folder, path, flags, mode)); }

/* How much of a write the disk has room for; 0 with an error set if none. */
static size_t room_for(size_t length) {
  if (!is_fault("full:")) return length;
  if (written >= fault_at) { errno = ENOSPC; return 0; }
  uint64_t room = fault_at - written;
  return length < room ? length : (size_t)room;
}

static ssize_t write_at(int fd, const void *bytes, size_t length, int64_t offset) {
  char path[PATH_MAX];
  if (length == 0 || !path_of(fd, path))
    return offset < 0 ? REAL(write)(fd, bytes, length) : REAL(pwrite64)(fd, bytes, length, offset);
  pthread_mutex_lock(&turn);
  size_t room = room_for(length);
  ssize_t done = -1;
  if (room > 0) {
    int64_t at = offset;
    if (at < 0) at = lseek64(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    done = offset < 0 ? REAL(write)(fd, bytes, room) : REAL(pwrite64)(fd, bytes, room, offset);
    if (done > 0) {
      written += (uint64_t)done;
      note('W', inode_of(fd), (uint64_t)at, bytes, (size_t)done, "", 0);
    }
  }
  int error = errno;
  pthread_mutex_unlock(&turn);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return write_at(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return write_at(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return write_at(fd, bytes, length, offset); }

/* A write of several parts may always do less than all: here the first that is not empty. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return REAL(writev)(fd, parts, count);
  for (int i = 0; i < count; i++)
    if (parts[i].iov_len > 0) return write_at(fd, parts[i].iov_base, parts[i].iov_len, -1);
  return 0;
}

static int sync_file(int fd, int (*sync_real)(int)) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return sync_real(fd);
  pthread_mutex_lock(&turn);
  syncs++;
  int result = 0, error = 0;
  if (is_fault("sync:") && syncs >= fault_at) {
    result = -1;
    error = EIO;
  } else if (!(is_fault("lie:") && syncs >= fault_at)) {
    /* The trace is what counts as the disk; the real one is not waited for. */
    note('S', inode_of(fd), 0, path, strlen(path), "", 0);
  }
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}

int fsync(int fd) { return sync_file(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, REAL(fdatasync)); }

static int truncate_file(int fd, off64_t length) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return REAL(ftruncate64)(fd, length);
  pthread_mutex_lock(&turn);
  int result = REAL(ftruncate64)(fd, length), error = errno;
  if (result == 0) note('T', inode_of(fd), (uint64_t)length, "", 0, "", 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}

int ftruncate(int fd, off_t length) { return truncate_file(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncate_file(fd, length); }

/* Runs a call that changes names, and writes it down if it succeeded. */
#define NAMES(is_seen, call, kind, a, b) \
  if (!(is_seen)) return call; \
  pthread_mutex_lock(&turn); \
  int result = call, error = errno; \
  if (result == 0) note(kind, 0, 0, a, strlen(a), b, strlen(b)); \
  pthread_mutex_unlock(&turn); \
  errno = error; \
  return result

int rename(const char *from, const char *to) { NAMES(is_ours(from), REAL(rename)(from, to), 'R', from, to); }
int unlink(const char *path) { NAMES(is_ours(path), REAL(unlink)(path), 'U', path, ""); }
int mkdir(const char *path, mode_t mode) { NAMES(is_ours(path), REAL(mkdir)(path, mode), 'M', path, ""); }
int rmdir(const char *path) { NAMES(is_ours(path), REAL(rmdir)(path), 'X', path, ""); }

int unlinkat(int folder, const char *name, int flags) {
  char path[2 * PATH_MAX];
  int is_seen = is_ours(name);
  if (is_seen) snprintf(path, sizeof path, "%s", name);
  else if (folder != AT_FDCWD && path_of(folder, path)) {
    is_seen = 1;
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/%s", name);
  }
  NAMES(is_seen, REAL(unlinkat)(folder, name, flags), flags & AT_REMOVEDIR ? 'X' : 'U', path, "");
}
