#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "mountplan.h"

/* The kernel's numbers: musl has no header for them, and they never change. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
enum {
  CONFIG_FLAG = 0,
  CONFIG_STRING = 1,
  CONFIG_CREATE = 6,
  CONTEXT_CLOSES_ON_EXEC = 1,
  MOUNT_CLOSES_ON_EXEC = 1,
  MOVE_FROM_EMPTY_PATH = 4,
  AT_WHOLE_TREE = 0x8000,
  AT_PATH_IS_EMPTY = 0x1000,
  TREE_CLONE = 1,
  ATTRIBUTE_IDMAP = 0x00100000,
};
struct mount_attributes {
  uint64_t set, clear, propagation, user_namespace;
};

int overlay_set_attributes(const char *target, unsigned long ms_flags) {
  struct mount_attributes attributes = {0};
  if (ms_flags & MS_RDONLY) attributes.set |= 1;
  if (ms_flags & MS_NOSUID) attributes.set |= 2;
  if (ms_flags & MS_NODEV) attributes.set |= 4;
  if (ms_flags & MS_NOEXEC) attributes.set |= 8;
  long result = syscall(SYS_mount_setattr, AT_FDCWD, target, AT_WHOLE_TREE, &attributes, sizeof attributes);
  return result == 0 ? 0 : -errno;
}

static int attach(int tree, const char *target) {
  return syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_FROM_EMPTY_PATH) == 0 ? 0 : -errno;
}

static int clone_tree(const char *source, bool deep) {
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, source, TREE_CLONE | O_CLOEXEC | (deep ? AT_WHOLE_TREE : 0));
  return tree < 0 ? -errno : tree;
}

int overlay_bind_mapped(const char *source, const char *target, int user_namespace) {
  fd_scoped int tree = clone_tree(source, false);
  if (tree < 0) return tree;
  struct mount_attributes attributes = {.set = ATTRIBUTE_IDMAP, .user_namespace = (uint64_t)user_namespace};
  if (syscall(SYS_mount_setattr, tree, "", AT_PATH_IS_EMPTY, &attributes, sizeof attributes) != 0) return -errno;
  return attach(tree, target);
}

int overlay_graft(int other, int own, const char *source, const char *target, bool deep) {
  if (setns(other, CLONE_NEWNS) != 0) return -errno;
  fd_scoped int tree = clone_tree(source, deep);
  if (setns(own, CLONE_NEWNS) != 0) return -errno;
  return tree < 0 ? tree : attach(tree, target);
}

static int set_string(int context, const char *key, const char *value) {
  return syscall(SYS_fsconfig, context, CONFIG_STRING, key, value, 0) == 0 ? 0 : -errno;
}

/* A path as an option's value: the kernel takes 255 bytes, longer ones go by a descriptor that must live until the mount. */
static int set_path(int context, const char *key, const char *path, int *holder) {
  if (strlen(path) < 256) return set_string(context, key, path);
  *holder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (*holder < 0) return -errno;
  char name[32];
  snprintf(name, sizeof name, "/proc/self/fd/%d", *holder);
  return set_string(context, key, name);
}

static int set_options(int context, const char *options) {
  while (*options != '\0') {
    char option[128];
    size_t n = strcspn(options, ",");
    if (n >= sizeof option) return -EINVAL;
    memcpy(option, options, n);
    option[n] = '\0';
    char *equals = strchr(option, '=');
    int result = 0;
    if (equals != NULL) {
      *equals = '\0';
      result = set_string(context, option, equals + 1);
    } else if (syscall(SYS_fsconfig, context, CONFIG_FLAG, option, NULL, 0) != 0) {
      result = -errno;
    }
    if (result < 0) return result;
    options += n;
    if (*options == ',') options++;
  }
  return 0;
}

static int configure(int context, const struct overlay *what, int *holders) {
  int result = set_string(context, "source", "overlay");
  for (size_t i = 0; result == 0 && i < what->lower_count; i++)
    result = set_path(context, "lowerdir+", what->lowers[i], &holders[i]);
  if (result == 0 && *what->upper != '\0') result = set_path(context, "upperdir", what->upper, &holders[LOWERS_MAX]);
  if (result == 0 && *what->work != '\0') result = set_path(context, "workdir", what->work, &holders[LOWERS_MAX + 1]);
  if (result == 0) result = set_options(context, what->options);
  if (result == 0 && syscall(SYS_fsconfig, context, CONFIG_CREATE, NULL, NULL, 0) != 0) result = -errno;
  return result;
}

static int mount_by_context(const struct overlay *what, int *holders) {
  fd_scoped int context = (int)syscall(SYS_fsopen, "overlay", CONTEXT_CLOSES_ON_EXEC);
  if (context < 0) return -errno;
  int result = configure(context, what, holders);
  if (result < 0) return result;
  fd_scoped int made = (int)syscall(SYS_fsmount, context, MOUNT_CLOSES_ON_EXEC, 0);
  if (made < 0) return -errno;
  return attach(made, what->target);
}

static int append(char *text, size_t size, const char *piece) {
  size_t length = strlen(text);
  return (size_t)snprintf(text + length, size - length, "%s", piece) < size - length ? 0 : -E2BIG;
}

/* mount(2) takes one page of options: the layers go by descriptor numbers, named relative to /proc/self/fd. */
static int mount_by_page(const struct overlay *what, int *holders) {
  char data[4096] = "lowerdir=";
  char piece[48];
  for (size_t i = 0; i < what->lower_count; i++) {
    fd_close(&holders[i]);
    holders[i] = open(what->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (holders[i] < 0) return -errno;
    snprintf(piece, sizeof piece, i == 0 ? "%d" : ":%d", holders[i]);
    if (append(data, sizeof data, piece) < 0) return -E2BIG;
  }
  if (*what->upper != '\0') {
    for (int i = LOWERS_MAX; i <= LOWERS_MAX + 1; i++) fd_close(&holders[i]);
    holders[LOWERS_MAX] = open(what->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
    holders[LOWERS_MAX + 1] = open(what->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (holders[LOWERS_MAX] < 0 || holders[LOWERS_MAX + 1] < 0) return -errno;
    snprintf(piece, sizeof piece, ",upperdir=%d,workdir=%d", holders[LOWERS_MAX], holders[LOWERS_MAX + 1]);
    if (append(data, sizeof data, piece) < 0) return -E2BIG;
  }
  if (*what->options != '\0' && (append(data, sizeof data, ",") < 0 || append(data, sizeof data, what->options) < 0)) return -E2BIG;
  fd_scoped int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (before < 0 || chdir("/proc/self/fd") != 0) return -errno;
  int result = mount("overlay", what->target, "overlay", 0, data) == 0 ? 0 : -errno;
  if (fchdir(before) != 0) return -errno;
  return result;
}

int overlay_mount(const struct overlay *what) {
  if (what->lower_count < 1 || what->lower_count > LOWERS_MAX || *what->target != '/') return -EINVAL;
  if ((*what->upper == '\0') != (*what->work == '\0')) return -EINVAL;
  int holders[LOWERS_MAX + 2];
  for (size_t i = 0; i < LOWERS_MAX + 2; i++) holders[i] = -1;
  int result = mount_by_context(what, holders);
  /* Kernels before 6.8 have no lowerdir+ (EINVAL), those before 5.2 no fsopen. */
  if (result == -ENOSYS || result == -EINVAL) result = mount_by_page(what, holders);
  for (size_t i = 0; i < LOWERS_MAX + 2; i++) fd_close(&holders[i]);
  return result;
}
