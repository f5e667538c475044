#include "null.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fd.h"

enum { CONFIG_CREATE = 6, CLOSES_ON_EXEC = 1 };

static int open_in(int folder) {
  static const char name[] = "null";
  if (mknodat(folder, name, S_IFCHR | 0666, makedev(1, 3)) != 0) return -errno;
  int fd = openat(folder, name, O_RDWR | O_CLOEXEC);
  int result = fd < 0 ? -errno : fd;
  if (fd >= 0 && fchmod(fd, 0666) != 0) result = -errno;
  (void)unlinkat(folder, name, 0);
  if (result < 0) fd_close(&fd);
  return result;
}

/* A file system that nobody sees: where the folder at hand is may be mounted nodev. */
static int private_folder(void) {
  fd_scoped int context = (int)syscall(SYS_fsopen, "tmpfs", CLOSES_ON_EXEC);
  if (context < 0) return -errno;
  if (syscall(SYS_fsconfig, context, CONFIG_CREATE, NULL, NULL, 0) != 0) return -errno;
  int mount = (int)syscall(SYS_fsmount, context, CLOSES_ON_EXEC, 0);
  return mount < 0 ? -errno : mount;
}

int null_open(void) {
  fd_scoped int folder = private_folder();
  if (folder < 0 && folder != -ENOSYS) return folder;
  return open_in(folder < 0 ? AT_FDCWD : folder);
}
