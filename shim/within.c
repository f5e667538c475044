#include "within.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "mountplan.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define RESOLVE_NO_MAGIC 0x02u
#define RESOLVE_BENEATH_ROOT 0x08u
#define RESOLVE_INSIDE_ROOT 0x10u
/* The kernel gives up on a path while somebody renames folders in it: often enough tried, it gets through. */
#define ATTEMPTS 1000

static int open_resolved(int root, const char *path, uint64_t resolve) {
  struct {
    uint64_t flags, mode, resolve;
  } rules = {.flags = O_PATH | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGIC};
  int fd = -1;
  for (int i = 0; i < ATTEMPTS && fd < 0; i++) {
    fd = (int)syscall(SYS_openat2, root, path, &rules, sizeof rules);
    if (fd < 0 && errno != EAGAIN) break;
  }
  return fd < 0 ? -errno : fd;
}

int open_inside(int root, const char *path) {
  return open_resolved(root, path, RESOLVE_INSIDE_ROOT);
}

static int make_last(int parent, const char *name, bool is_folder) {
  if (is_folder) return mkdirat(parent, name, 0755) == 0 ? 0 : -errno;
  fd_scoped int file = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
  return file < 0 ? -errno : 0;
}

/* Opens the path, making folder after folder, and at the end a folder or a file. */
static int open_or_make(int root, char *path, bool is_folder) {
  fd_scoped int at = open_inside(root, "/");
  for (char *name = path + strspn(path, "/"); at >= 0 && *name != '\0';) {
    char *end = name + strcspn(name, "/");
    char *next = end + strspn(end, "/");
    char kept = *end;
    *end = '\0';
    fd_scoped int inside = open_inside(root, path);
    if (inside == -ENOENT) {
      int result = make_last(at, name, is_folder || *next != '\0');
      if (result == 0) inside = open_inside(root, path);
      else inside = result;
    }
    *end = kept;
    if (inside < 0) return inside;
    fd_close(&at);
    at = fd_take(&inside);
    name = next;
  }
  return fd_take(&at);
}

int mount_within(const char *root, const char *path, const char *source, const char *flags) {
  char copy[4096];
  char target[32];
  struct stat facts;
  if (strlen(path) >= sizeof copy) return -ENAMETOOLONG;
  strcpy(copy, path);
  if (stat(source, &facts) != 0) return -errno;
  fd_scoped int tree = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (tree < 0) return -errno;
  fd_scoped int place = open_or_make(tree, copy, S_ISDIR(facts.st_mode));
  if (place < 0) return place;
  snprintf(target, sizeof target, "/proc/self/fd/%d", place);
  int result = mount_bind(source, target, "rec");
  if (result < 0) return result;
  /* The descriptor is of what is covered now. */
  fd_scoped int top = open_inside(tree, path);
  if (top < 0) return top;
  snprintf(target, sizeof target, "/proc/self/fd/%d", top);
  return mount_restrict(target, flags);
}

int mount_picked(const char *how, const char *root, const char *path, char *target, const char *flags) {
  bool beneath = strcmp(how, "beneath") == 0;
  char source[32];
  struct stat facts;
  if (!beneath && strcmp(how, "inside") != 0) return -EINVAL;
  fd_scoped int tree = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (tree < 0) return -errno;
  fd_scoped int place = open_resolved(tree, path, beneath ? RESOLVE_BENEATH_ROOT : RESOLVE_INSIDE_ROOT);
  if (place < 0) return place;
  if (fstat(place, &facts) != 0) return -errno;
  int result = mount_make_target(target, facts.st_mode);
  if (result < 0) return result;
  snprintf(source, sizeof source, "/proc/self/fd/%d", place);
  return mount_bind(source, target, flags);
}
