#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "mountplan.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#endif
#define TREE_CLONE 1u
#define MOVE_THE_DESCRIPTOR 0x4u

/* A container's first process is the child of its monitor until it is reaped. */
static int parent_of(const char *pid) {
  char path[64];
  int parent = 0;
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return -errno;
  char line[512];
  char *end = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');
  fclose(file);
  return end != NULL && sscanf(end, ") %*c %d", &parent) == 1 && parent > 1 ? parent : -ESRCH;
}

static int clone_there(int there, int own, const char *source) {
  if (setns(there, CLONE_NEWNS) != 0) return -errno;
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, source, TREE_CLONE | O_CLOEXEC);
  int error = errno;
  if (setns(own, CLONE_NEWNS) != 0) _exit(1); /* in another one's mounts nothing of ours must go on */
  return tree < 0 ? -error : tree;
}

/* A number that is a stranger's by now has nothing mounted there: its folder is then of the same file system as ours. */
static int take(const char *pid, const char *source, const char *target) {
  char path[64];
  struct stat found;
  struct stat place;
  int parent = parent_of(pid);
  if (parent < 0) return parent;
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", parent);
  fd_scoped int there = open(path, O_RDONLY | O_CLOEXEC);
  fd_scoped int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  fd_scoped int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (there < 0 || own < 0 || here < 0) return -errno;
  fd_scoped int tree = clone_there(there, own, source);
  /* Entering a mount namespace changes the working folder to its root. */
  if (fchdir(here) != 0) return -errno;
  if (tree < 0) return tree;
  if (fstat(tree, &found) != 0 || stat(target, &place) != 0) return -errno;
  if (found.st_dev == place.st_dev) return -ESRCH;
  return syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_THE_DESCRIPTOR) == 0 ? 0 : -errno;
}

int mount_shared(const char *pid, const char *source, char *target, const char *const new_mount[4]) {
  int result = mount_make_target(target, S_IFDIR);
  if (result < 0) return result;
  if (strcmp(pid, "0") != 0 && take(pid, source, target) == 0) return 0;
  return mount_new(new_mount[0], new_mount[1], target, new_mount[2], new_mount[3]);
}
