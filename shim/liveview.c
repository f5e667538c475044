#include "liveview.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define TREE_CLONE 1u
#define TREE_CLOSES_ON_EXEC O_CLOEXEC
#define WHOLE_TREE 0x8000u
#define OF_THE_DESCRIPTOR 0x1000u
#define MOVE_THE_DESCRIPTOR 0x4u
#define ATTRIBUTE_NOSUID 2u
#define ATTRIBUTE_NODEV 4u
#define ATTRIBUTE_NOEXEC 8u
/* Each round takes away what lay on top: more than a few is somebody's mischief. */
#define ROUNDS_MAX 16

struct attributes {
  uint64_t set, clear, propagation, users;
};

/* Of the process that was last looked at; closed by the exec, or with the process. */
static int users_of_container = -1;

static bool same_namespace(int left, int right) {
  struct stat one;
  struct stat other;
  return fstat(left, &one) == 0 && fstat(right, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static int open_namespace(const char *process, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/%s", process, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* ---- cloning ---- */

static int clone_tree(bool deep) {
  unsigned flags = TREE_CLONE | TREE_CLOSES_ON_EXEC | (deep ? WHOLE_TREE : 0);
  fd_scoped int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/", flags);
  if (tree < 0) return -errno;
  struct attributes tame = {
      .set = ATTRIBUTE_NOSUID | ATTRIBUTE_NODEV | ATTRIBUTE_NOEXEC,
      .propagation = MS_PRIVATE,
  };
  unsigned reach = OF_THE_DESCRIPTOR | (deep ? WHOLE_TREE : 0);
  if (syscall(SYS_mount_setattr, tree, "", reach, &tame, sizeof tame) != 0) return -errno;
  return fd_take(&tree);
}

/* The clone is made over there, and put up here. */
static int take_tree(int there, int here, bool deep) {
  if (setns(there, CLONE_NEWNS) != 0) return -errno;
  int tree = clone_tree(deep);
  if (setns(here, CLONE_NEWNS) != 0) _exit(1); /* in a container's mounts nothing of ours must go on */
  return tree;
}

/* ---- the kernel's own file systems ---- */

static bool is_one_of(const char *word, const char *const *list) {
  for (; *list != NULL; list++)
    if (strcmp(word, *list) == 0) return true;
  return false;
}

/* What holds people's files. All else is an interface to the kernel, or unknown, which is no better. */
static bool holds_files(unsigned device_major, const char *type) {
  static const char *const known[] = {"overlay", "tmpfs", "ramfs", "btrfs", "bcachefs", "zfs", "nfs", "nfs4", "cifs",
                                      "smb3", "9p", "virtiofs", "ceph", "fuse", "hugetlbfs", "vboxsf", "lustre", "gpfs",
                                      "ecryptfs", "aufs", NULL};
  return device_major != 0 || strncmp(type, "fuse.", 5) == 0 || is_one_of(type, known);
}

/* The table writes blanks, tabs, line feeds and backslashes as three octal digits. */
static void unescape(char *text) {
  char *to = text;
  for (const char *from = text; *from != '\0'; to++) {
    unsigned value;
    if (*from == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
      *to = (char)value;
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = '\0';
}

/* Whether the line is of a mount at or below the target that must go; its path then. */
static bool must_go(char *line, const char *target, const char **path) {
  unsigned device_major;
  int at = 0;
  if (sscanf(line, "%*u %*u %u:%*u %*s %n", &device_major, &at) != 1 || at == 0) return false;
  char *mount_point = line + at;
  char *rest = strchr(mount_point, ' ');
  if (rest == NULL) return false;
  *rest++ = '\0';
  char *type = strstr(rest, " - ");
  if (type == NULL) return false;
  type += 3;
  type[strcspn(type, " \n")] = '\0';
  unescape(mount_point);
  size_t length = strlen(target);
  bool inside = strncmp(mount_point, target, length) == 0 && (mount_point[length] == '/' || mount_point[length] == '\0');
  *path = mount_point;
  return inside && !holds_files(device_major, type);
}

/* One pass over the table: how many were found, or -errno. */
static int take_away_found(const char *target) {
  FILE *table = fopen("/proc/self/mountinfo", "re");
  if (table == NULL) return -errno;
  char *line = NULL;
  size_t size = 0;
  int found = 0;
  while (getline(&line, &size, table) > 0) {
    const char *path;
    if (!must_go(line, target, &path)) continue;
    found++;
    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW); /* one that is covered or gone already: the next round tells */
  }
  free(line);
  fclose(table);
  return found;
}

static int take_away_kernel_file_systems(const char *target) {
  for (int round = 0; round < ROUNDS_MAX; round++) {
    int found = take_away_found(target);
    if (found <= 0) return found;
  }
  return -EBUSY;
}

/* ---- ---- */

int live_view(const char *pid, const char *target, bool deep) {
  char parent[16];
  snprintf(parent, sizeof parent, "%d", getppid());
  fd_scoped int there = open_namespace(pid, "mnt");
  fd_scoped int here = open_namespace("self", "mnt");
  fd_scoped int host = open_namespace(parent, "mnt");
  fd_scoped int users = open_namespace(pid, "user");
  fd_scoped int own_users = open_namespace("self", "user");
  if (there < 0 || users < 0) return -ESRCH;
  if (here < 0 || host < 0 || own_users < 0) return -EIO;
  if (same_namespace(there, host)) return -EXDEV;
  fd_scoped int tree = take_tree(there, here, deep);
  if (tree < 0) return tree;
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_THE_DESCRIPTOR) != 0) return -errno;
  fd_close(&users_of_container);
  if (!same_namespace(users, own_users)) users_of_container = fd_take(&users);
  return take_away_kernel_file_systems(target);
}

int live_enter_users(struct failure *failure) {
  if (users_of_container < 0) return 0;
  if (setns(users_of_container, CLONE_NEWUSER) != 0) return fail(failure, "mount", errno, "cannot enter the user namespace");
  if (setresgid(0, 0, 0) != 0 || setgroups(0, NULL) != 0 || setresuid(0, 0, 0) != 0)
    return fail(failure, "mount", errno, "cannot become root of the user namespace");
  /* Other rights, other creature: the kernel forgets whose death ours is. */
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : fail(failure, "spawn", errno, "prctl");
}
