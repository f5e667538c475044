#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

/* linux/loop.h: not all C libraries bring it. */
enum { GET_STATUS = 0x4C05, CONFIGURE = 0x4C0A, GET_FREE = 0x4C82 };
enum { GOES_WITH_LAST_USER = 4, DIRECT_IO = 16 };

struct loop_status {
  uint64_t device, inode, rdevice, offset, size_limit;
  uint32_t number, encryption, key_size, flags;
  unsigned char file_name[64], crypt_name[64], key[32];
  uint64_t init[2];
};

struct loop_setup {
  uint32_t fd, block_size;
  struct loop_status status;
  uint64_t reserved[8];
};

#define TRIES 64

static int open_device(int number) {
  char path[32];
  snprintf(path, sizeof path, "/dev/loop%d", number);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* The device that has the image already, or -1. */
static int find_device(const struct stat *image) {
  DIR *folder = opendir("/sys/block");
  if (folder == NULL) return -1;
  int found = -1;
  for (const struct dirent *entry; found < 0 && (entry = readdir(folder)) != NULL;) {
    int number;
    char path[64];
    if (sscanf(entry->d_name, "loop%d", &number) != 1) continue;
    snprintf(path, sizeof path, "/sys/block/loop%d/loop", number);
    if (access(path, F_OK) != 0) continue; /* it has no file */
    fd_scoped int device = open_device(number);
    struct loop_status status;
    if (device < 0 || ioctl(device, GET_STATUS, &status) != 0) continue;
    if (status.inode == image->st_ino && status.device == image->st_dev) found = fd_take(&device);
  }
  closedir(folder);
  return found;
}

static int make_device(int image) {
  fd_scoped int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -errno;
  for (int tries = 0; tries < TRIES; tries++) {
    int number = ioctl(control, GET_FREE);
    if (number < 0) return -errno;
    fd_scoped int device = open_device(number);
    if (device == -ENXIO || device == -ENOENT) continue; /* somebody took it and let it go meanwhile */
    if (device < 0) return device;
    struct loop_setup setup = {.fd = (uint32_t)image, .status = {.flags = GOES_WITH_LAST_USER | DIRECT_IO}};
    if (ioctl(device, CONFIGURE, &setup) == 0) return fd_take(&device);
    if (errno != EBUSY) return -errno; /* else somebody took it meanwhile */
  }
  return -EBUSY;
}

int disk_mount(const char *image, const char *target) {
  /* Two devices of one image would be two file systems that destroy each other. A descriptor of its own: the device keeps the other one, and would keep its lock. */
  fd_scoped int lock = open(image, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  fd_scoped int file = open(image, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  struct stat facts;
  if (lock < 0 || file < 0 || flock(lock, LOCK_EX) != 0 || fstat(file, &facts) != 0) return -errno;
  if (!S_ISREG(facts.st_mode)) return -EINVAL;
  fd_scoped int device = find_device(&facts);
  if (device < 0) device = make_device(file);
  if (device < 0) return device;
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", device);
  char path[64];
  ssize_t length = readlink(source, path, sizeof path - 1);
  if (length < 0) return -errno;
  path[length] = '\0';
  /* What is deleted inside comes back to the host. */
  return mount(path, target, "ext4", 0, "discard") == 0 ? 0 : -errno;
}
