#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "builtin.h"
#include "fail.h"
#include "fd.h"
#include "liveview.h"
#include "mountplan.h"
#include "within.h"

/* Where the scratch root is put: any folder that is on every machine will do, as it is covered in this namespace only. */
static const char scratch_root[] = "/tmp";

static const char *const programs[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "gnu", "nix"};
#define PROGRAM_FOLDERS (sizeof programs / sizeof *programs)

static int bind_descriptor(int fd, const char *name, const char *flags) {
  char source[32];
  char target[64];
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  snprintf(target, sizeof target, "%s/%s", scratch_root, name);
  return mount_bind(source, target, flags);
}

/* A folder is bound read-only, a symlink of merged-usr is made again. The host's root is held by `host`. */
static int copy_program_folder(int host, int scratch, const char *name) {
  struct stat facts;
  if (fstatat(host, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : -errno;
  if (S_ISLNK(facts.st_mode)) {
    char target[256];
    ssize_t n = readlinkat(host, name, target, sizeof target - 1);
    if (n < 0) return -errno;
    target[n] = '\0';
    return symlinkat(target, scratch, name) == 0 ? 0 : -errno;
  }
  if (!S_ISDIR(facts.st_mode)) return 0;
  fd_scoped int folder = openat(host, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || mkdirat(scratch, name, 0755) != 0) return -errno;
  return bind_descriptor(folder, name, "ro,nodev");
}

static int add_null(int host, int scratch) {
  fd_scoped int null = openat(host, "dev/null", O_PATH | O_CLOEXEC);
  if (null < 0) return -errno;
  if (mkdirat(scratch, "dev", 0755) != 0) return -errno;
  fd_scoped int file = openat(scratch, "dev/null", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return -errno;
  return bind_descriptor(null, "dev/null", "");
}

static int build(int host, int tree, bool deep, struct failure *failure) {
  if (mount("scratch", scratch_root, "tmpfs", MS_NOSUID | MS_NODEV, "size=256k,mode=0755") != 0)
    return fail(failure, "mount", errno, "cannot mount a scratch root");
  fd_scoped int scratch = open(scratch_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (scratch < 0) return fail(failure, "mount", errno, "scratch root");
  for (size_t i = 0; i < PROGRAM_FOLDERS; i++) {
    int result = copy_program_folder(host, scratch, programs[i]);
    if (result < 0) return fail(failure, "mount", -result, "cannot show /%s in the scratch root", programs[i]);
  }
  int result = add_null(host, scratch);
  if (result < 0) return fail(failure, "mount", -result, "cannot show /dev/null in the scratch root");
  if (mkdirat(scratch, "tree", 0755) != 0) return fail(failure, "mount", errno, "cannot make /tree");
  result = bind_descriptor(tree, "tree", deep ? "rec,nosuid,nodev,noexec" : "nosuid,nodev,noexec");
  if (result < 0) return fail(failure, "mount", -result, "cannot show the tree");
  if (mount(NULL, scratch_root, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
    return fail(failure, "mount", errno, "cannot make the scratch root read-only");
  return 0;
}

/* After this nothing of the host's root can be reached any more. On an initramfs pivot_root is refused: chroot must do. */
static int pivot(const char *start, struct failure *failure) {
  if (chdir(scratch_root) != 0) return fail(failure, "mount", errno, "%s", scratch_root);
  if (syscall(SYS_pivot_root, ".", ".") == 0) {
    if (umount2(".", MNT_DETACH) != 0) return fail(failure, "mount", errno, "cannot let go of the host's root");
  } else if (mount(scratch_root, "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) {
    return fail(failure, "mount", errno, "cannot change the root");
  }
  return chdir(start) == 0 ? 0 : fail(failure, "mount", errno, "%s", start);
}

static int start_in(const char *root, const char *folder, struct failure *failure) {
  fd_scoped int tree = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (tree < 0) return fail(failure, "mount", errno, "%s", root);
  fd_scoped int inside = open_inside(tree, folder);
  if (inside < 0) return fail(failure, "folder", -inside, "%s", folder);
  return fchdir(inside) == 0 ? 0 : fail(failure, "folder", errno, "%s", folder);
}

/* In the container's own user namespace, where it has one: files then have the owners that it sees. */
static int settle(const char *root, const char *folder, struct failure *failure) {
  int result = live_enter_users(failure);
  if (result == 0 && folder != NULL) result = start_in(root, folder, failure);
  if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) result = fail(failure, "spawn", errno, "no_new_privs");
  return result;
}

int tree_enter(const char *tree, const char *folder, bool deep, struct failure *failure) {
  fd_scoped int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (host < 0) return fail(failure, "mount", errno, "/");
  fd_scoped int inside = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (inside < 0) return fail(failure, "mount", errno, "%s", tree);
  int result = build(host, inside, deep, failure);
  if (result == 0) result = pivot("/tree", failure);
  return result == 0 ? settle("/tree", folder, failure) : result;
}

int tree_become_root(const char *tree, const char *folder, struct failure *failure) {
  int result = mount_bind(tree, scratch_root, "rec,nosuid,nodev,noexec");
  if (result < 0) return fail(failure, "mount", -result, "cannot show %s", tree);
  result = pivot("/", failure);
  if (result == 0) result = settle("/", folder, failure);
  return result == 0 ? builtin_drop_rights(failure) : result;
}
