/*
 * Unpacks an archive into the working folder. The daemon has read the tar and checked every name; what comes here, on
 * standard input, is one record an entry:
 *
 *   u8 type (f file, d directory, l symlink, h hard link, c and b devices, p pipe; e ends it all)
 *   u32 mode, uid, gid, nanoseconds, major, minor, length of the path, of the link's target, of the attributes
 *   u64 seconds (signed), size
 *   path, target, attributes (each u32 length, name, u32 length, value), and for a file its bytes
 *
 * Paths are relative, without `..`; symlinks on the way are followed inside this process' root, which is the tree. The
 * last part never is. As docker cp does: directories are merged, everything else takes the place of what was there.
 *
 * Status: 1 failed, 3 refused, 4 read-only, 5 no space; the words are on standard error.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "builtin.h"
#include "fd.h"
#include "frame.h"

#define HEAD_LENGTH 53u
#define NAME_LENGTH 4096u
#define ATTRIBUTES_LENGTH (1u << 20)
#define DEPTH_MAX 256
#define TRIES 8

struct entry {
  char type;
  uint32_t mode, uid, gid, major, minor;
  uint64_t size;
  struct timespec time;
  char path[NAME_LENGTH + 1];
  char target[NAME_LENGTH + 1];
  unsigned char attributes[ATTRIBUTES_LENGTH];
  uint32_t attributes_length;
};

/* A directory's time is set when all is in it. */
struct dated {
  struct dated *next;
  struct timespec time;
  char path[];
};

static struct entry entry;
static const char *folder = "";
static bool keeps_kinds;
static struct dated *dated;
/* The folder of the entry before: archives come sorted. */
static int parent_fd = -1;
static char parent_path[NAME_LENGTH + 1];

static int status_of(int error) {
  if (error == EROFS) return 4;
  return error == ENOSPC || error == EDQUOT ? 5 : 1;
}

static int give_up(const char *what, int error) {
  dprintf(2, "%s %s/%s: %s", what, folder, entry.path, strerror(error));
  return status_of(error);
}

static int refuse(const char *format) {
  dprintf(2, format, folder, entry.path);
  return 3;
}

/* ---- reading ---- */

static bool read_text(char *text, uint32_t length) {
  text[length] = '\0';
  return length == 0 || fd_read_exactly(0, text, length) > 0;
}

static bool read_entry(void) {
  unsigned char head[HEAD_LENGTH];
  if (fd_read_exactly(0, head, sizeof head) <= 0) return false;
  entry.type = (char)head[0];
  entry.mode = get_u32(head + 1);
  entry.uid = get_u32(head + 5);
  entry.gid = get_u32(head + 9);
  entry.time.tv_nsec = (long)get_u32(head + 13);
  entry.major = get_u32(head + 17);
  entry.minor = get_u32(head + 21);
  uint32_t path_length = get_u32(head + 25);
  uint32_t target_length = get_u32(head + 29);
  entry.attributes_length = get_u32(head + 33);
  entry.time.tv_sec = (time_t)get_u64(head + 37);
  entry.size = get_u64(head + 45);
  if (path_length > NAME_LENGTH || target_length > NAME_LENGTH || entry.attributes_length > ATTRIBUTES_LENGTH) return false;
  if (!read_text(entry.path, path_length) || !read_text(entry.target, target_length)) return false;
  return entry.attributes_length == 0 || fd_read_exactly(0, entry.attributes, entry.attributes_length) > 0;
}

/* ---- the folder of an entry ---- */

static void forget_parent(void) {
  fd_close(&parent_fd);
}

static int open_folder(const char *path) {
  return open(*path == '\0' ? "." : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int make_folders(char *path) {
  for (char *slash = strchr(path, '/');; slash = strchr(slash + 1, '/')) {
    if (slash != NULL) *slash = '\0';
    int made = mkdir(path, 0755);
    int error = errno;
    if (slash != NULL) *slash = '/';
    if (made != 0 && error != EEXIST) return -error;
    if (slash == NULL) return 0;
  }
}

/* A descriptor that stays ours; `name` becomes the last part. Missing folders are made. */
static int open_parent(const char *path, const char **name) {
  char text[NAME_LENGTH + 1];
  const char *slash = strrchr(path, '/');
  size_t length = slash == NULL ? 0 : (size_t)(slash - path);
  memcpy(text, path, length);
  text[length] = '\0';
  *name = slash == NULL ? path : slash + 1;
  if (parent_fd >= 0 && strcmp(text, parent_path) == 0) return parent_fd;
  forget_parent();
  int fd = open_folder(text);
  if (fd < 0 && errno == ENOENT) {
    int result = make_folders(text);
    if (result < 0) return result;
    fd = open_folder(text);
  }
  if (fd < 0) return -errno;
  strcpy(parent_path, text);
  return parent_fd = fd;
}

/* ---- what was there ---- */

static int remove_all(int parent, const char *name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return -errno;
  if (depth == DEPTH_MAX) return -ELOOP;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (directory == NULL) return -errno;
  int result = 0;
  for (struct dirent *each; result == 0 && (each = readdir(directory)) != NULL;)
    if (strcmp(each->d_name, ".") != 0 && strcmp(each->d_name, "..") != 0) result = remove_all(fd, each->d_name, depth + 1);
  closedir(directory);
  if (result == 0 && unlinkat(parent, name, AT_REMOVEDIR) != 0) result = -errno;
  return result;
}

/* Makes room for the entry: 0, 1 when a directory is there to be merged with, a status above that. */
static int make_room(int parent, const char *name, int *status) {
  struct stat facts;
  *status = 0;
  if (fstatat(parent, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) *status = give_up("lstat", errno);
    return 0;
  }
  bool was_directory = S_ISDIR(facts.st_mode);
  bool becomes_directory = entry.type == 'd';
  if (was_directory && becomes_directory) return 1;
  if (keeps_kinds && was_directory) *status = refuse("cannot overwrite directory \"%s/%s\" with non-directory");
  if (keeps_kinds && becomes_directory) *status = refuse("cannot overwrite non-directory \"%s/%s\" with directory");
  if (*status != 0) return 0;
  int result = remove_all(parent, name, 0);
  if (result < 0) *status = give_up("remove", -result);
  if (was_directory) forget_parent(); /* by another path it may have been in there */
  return 0;
}

/* ---- making it ---- */

static void set_attributes(int fd) {
  for (uint32_t at = 0; at < entry.attributes_length;) {
    char name[256];
    if (entry.attributes_length - at < 4) return;
    uint32_t name_length = get_u32(entry.attributes + at);
    at += 4;
    if (name_length >= sizeof name || entry.attributes_length - at < name_length + 4) return;
    memcpy(name, entry.attributes + at, name_length);
    name[name_length] = '\0';
    at += name_length;
    uint32_t length = get_u32(entry.attributes + at);
    at += 4;
    if (entry.attributes_length - at < length) return;
    (void)fsetxattr(fd, name, entry.attributes + at, length, 0); /* as Docker: where it cannot be, it is left out */
    at += length;
  }
}

/* The owner first: changing it takes setuid and capabilities away. */
static int dress(int fd) {
  if (fchown(fd, entry.uid, entry.gid) != 0 || fchmod(fd, entry.mode) != 0) return -errno;
  set_attributes(fd);
  return 0;
}

static int dress_by_name(int parent, const char *name) {
  const struct timespec times[2] = {entry.time, entry.time};
  if (fchownat(parent, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

static int copy_bytes(int fd) {
  for (uint64_t left = entry.size; left > 0;) {
    ssize_t n = read(0, scratch, left < sizeof scratch ? (size_t)left : sizeof scratch);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -EPIPE;
    int result = fd_write_all(fd, scratch, (size_t)n);
    if (result < 0) return result;
    left -= (uint64_t)n;
  }
  return 0;
}

static int make_file(int parent, const char *name) {
  fd_scoped int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  int result = copy_bytes(fd);
  const struct timespec times[2] = {entry.time, entry.time};
  if (result == 0) result = dress(fd);
  if (result == 0 && futimens(fd, times) != 0) result = -errno;
  if (result < 0) unlinkat(parent, name, 0);
  return result == -EEXIST ? -EIO : result; /* its bytes are read: there is no second try */
}

static int remember_time(void) {
  size_t length = strlen(entry.path) + 1;
  struct dated *each = malloc(sizeof *each + length);
  if (each == NULL) return -ENOMEM;
  each->next = dated;
  each->time = entry.time;
  memcpy(each->path, entry.path, length);
  dated = each;
  return 0;
}

static int make_directory(int parent, const char *name, bool is_there) {
  if (!is_there && mkdirat(parent, name, 0700) != 0) return -errno;
  fd_scoped int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = dress(fd);
  return result < 0 ? result : remember_time();
}

/* The target is a path of the archive: below the working folder, its last part not followed. */
static int make_link(int parent, const char *name) {
  char text[NAME_LENGTH + 1];
  strcpy(text, entry.target);
  char *slash = strrchr(text, '/');
  const char *last = slash == NULL ? text : slash + 1;
  fd_scoped int from = -1;
  if (slash == NULL) {
    from = open_folder("");
  } else {
    *slash = '\0';
    from = open_folder(text);
  }
  if (from < 0) return -errno;
  return linkat(from, last, parent, name, 0) == 0 ? 0 : -errno;
}

static int make_node(int parent, const char *name, mode_t kind) {
  if (mknodat(parent, name, kind | entry.mode, makedev(entry.major, entry.minor)) != 0) return -errno;
  return dress_by_name(parent, name);
}

static int make(int parent, const char *name, bool is_there) {
  switch (entry.type) {
    case 'd': return make_directory(parent, name, is_there);
    case 'f': return make_file(parent, name);
    case 'h': return make_link(parent, name);
    case 'c': return make_node(parent, name, S_IFCHR);
    case 'b': return make_node(parent, name, S_IFBLK);
    case 'p': return make_node(parent, name, S_IFIFO);
    case 'l':
      if (symlinkat(entry.target, parent, name) != 0) return -errno;
      return dress_by_name(parent, name);
    default: return -EINVAL;
  }
}

static int apply_entry(void) {
  const char *name;
  int result = -EEXIST;
  /* A container that makes the name again behind our back may do so a few times. */
  for (int tries = 0; result == -EEXIST && tries < TRIES; tries++) {
    int parent = open_parent(entry.path, &name);
    if (parent < 0) return give_up("open", -parent);
    int status;
    bool is_there = make_room(parent, name, &status) == 1;
    if (status != 0) return status;
    parent = open_parent(entry.path, &name);
    if (parent < 0) return give_up("open", -parent);
    result = make(parent, name, is_there);
  }
  return result < 0 ? give_up("create", -result) : 0;
}

static void set_directory_times(void) {
  for (struct dated *each = dated; each != NULL; each = each->next) {
    const struct timespec times[2] = {each->time, each->time};
    utimensat(AT_FDCWD, each->path, times, AT_SYMLINK_NOFOLLOW);
  }
}

int builtin_apply(char **argv) {
  if (argv[0] == NULL || argv[1] == NULL) return 2;
  keeps_kinds = strcmp(argv[0], "1") == 0;
  folder = strcmp(argv[1], "/") == 0 ? "" : argv[1];
  umask(0);
  while (read_entry()) {
    if (entry.type == 'e') {
      set_directory_times();
      return 0;
    }
    int status = apply_entry();
    if (status != 0) return status;
  }
  return 1; /* whoever fed us went away */
}
