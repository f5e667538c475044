#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

#define LARGEST (4 * 1024 * 1024)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

/* Out of the way of what a program is given by number. */
#define LOWEST 64

static struct {
  char path[4096];
  struct stat source;
} kept;
static int kept_fd = -1; /* apart: a large structure without values takes no room in the program's file */
static int self = -1;

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_memory(const char *name) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create(name, flags | MFD_EXEC);
  return fd < 0 && errno == EINVAL ? memfd_create(name, flags) : fd; /* before Linux 6.3 every one may be executed */
}

static bool copy_whole(int from, int to, off_t size) {
  while (size > 0) {
    ssize_t moved = sendfile(to, from, NULL, (size_t)size);
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) return false;
    size -= moved;
  }
  return true;
}

/* A descriptor of the copy, for reading and executing alone, or -1. */
static int seal(const char *path, const char *name, struct stat *source) {
  fd_scoped int program = open(path, O_RDONLY | O_CLOEXEC);
  if (program < 0 || fstat(program, source) != 0 || !S_ISREG(source->st_mode) || source->st_size > LARGEST) return -1;
  fd_scoped int memory = open_memory(name);
  if (memory < 0 || !copy_whole(program, memory, source->st_size) || fchmod(memory, 0555) != 0) return -1;
  /* Exactly these: the runtimes compare. */
  if (fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) return -1;
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", memory);
  fd_scoped int readable = open(again, O_RDONLY | O_CLOEXEC); /* what is open for writing cannot be executed */
  return readable < 0 ? -1 : fcntl(readable, F_DUPFD_CLOEXEC, LOWEST);
}

void sealed_keep(const char *path) {
  if (strlen(path) >= sizeof kept.path) return;
  kept_fd = seal(path, "runtime", &kept.source);
  memcpy(kept.path, path, strlen(path) + 1);
}

void sealed_keep_self(void) {
  struct stat ignored;
  self = seal("/proc/self/exe", "slipway-shim", &ignored);
}

int sealed_self(void) {
  return self;
}

int sealed_find(const char *path) {
  struct stat facts;
  if (kept_fd < 0 || strcmp(path, kept.path) != 0 || stat(path, &facts) != 0) return -1;
  return is_same(&facts, &kept.source) ? kept_fd : -1;
}
