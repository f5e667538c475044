/*
 * copy FROM TO: makes TO, a folder, what FROM is: files, folders, symlinks, devices, with owners, modes, times, extended
 * attributes, hard links and holes. What is in its place already is replaced, but for folders. Nothing is followed on either
 * side: FROM is read-only, and whoever changes TO meanwhile harms himself alone. One pass, nine system calls for a small file.
 * All of it is on the disk when it ends well; when it fails, what it made is taken away again.
 */
#include "builtin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fd.h"

#define STATUS_FAILED 1
#define STATUS_NO_FOLDER 3
#define STATUS_HALF 4
#define BUFFER_SIZE (256u * 1024)
#define LINK_ROWS 4096u

/* A file with several names; the first of them, from TO on. */
struct link {
  struct link *next;
  ino_t inode;
  dev_t device;
  char path[];
};

struct copy {
  int target;         /* TO itself */
  struct link *links[LINK_ROWS];
  char path[16384];   /* of what is worked on, for messages and links */
  size_t length;
  size_t entries;     /* so many were copied */
  char buffer[BUFFER_SIZE];
  char names[65536];
  char value[65536];
};

static int copy_folder(struct copy *copy, int from, int to);

/* ---- attributes ---- */

/* Those of an overlay's own layers mean nothing elsewhere, and a file system may have none. */
static bool may_lack(const char *name, int error) {
  return strncmp(name, "trusted.", 8) == 0 || strcmp(name, "security.selinux") == 0 || error == ENOTSUP || error == ENODATA;
}

static int copy_attributes(struct copy *copy, int from, int to) {
  ssize_t length = flistxattr(from, copy->names, sizeof copy->names);
  if (length < 0) return errno == ENOTSUP ? 0 : -errno;
  for (char *name = copy->names; name < copy->names + length; name += strlen(name) + 1) {
    ssize_t size = fgetxattr(from, name, copy->value, sizeof copy->value);
    if (size >= 0 && fsetxattr(to, name, copy->value, (size_t)size, 0) == 0) continue;
    if (!may_lack(name, errno)) return -errno;
  }
  return 0;
}

/* What a new file is by itself. */
static bool is_plain(const struct stat *facts) {
  return facts->st_uid == 0 && facts->st_gid == 0 && (facts->st_mode & 07000) == 0;
}

/* Owners first: they take set-user-id bits and capabilities away. Times last. `fresh`: made with its mode. */
static int copy_facts(struct copy *copy, int from, int to, const struct stat *facts, bool fresh) {
  if (!fresh || !is_plain(facts)) {
    if (fchown(to, facts->st_uid, facts->st_gid) != 0) return -errno;
    if (fchmod(to, facts->st_mode & 07777) != 0) return -errno;
  }
  int result = copy_attributes(copy, from, to);
  if (result < 0) return result;
  return futimens(to, (const struct timespec[]){facts->st_atim, facts->st_mtim}) == 0 ? 0 : -errno;
}

/* ---- files ---- */

static int copy_bytes(struct copy *copy, int from, int to, off_t at, off_t end) {
  while (at < end) {
    size_t want = end - at < (off_t)BUFFER_SIZE ? (size_t)(end - at) : BUFFER_SIZE;
    ssize_t got = pread(from, copy->buffer, want, at);
    if (got < 0) return -errno;
    if (got == 0) break;
    for (ssize_t put = 0; put < got;) {
      ssize_t n = pwrite(to, copy->buffer + put, (size_t)(got - put), at + put);
      if (n < 0) return -errno;
      put += n;
    }
    at += got;
  }
  return 0;
}

static int copy_data(struct copy *copy, int from, int to, const struct stat *facts) {
  if (facts->st_size == 0) return 0;
  if ((off_t)facts->st_blocks * 512 >= facts->st_size) return copy_bytes(copy, from, to, 0, facts->st_size);
  off_t end = 0;
  for (;;) {
    off_t begin = lseek(from, end, SEEK_DATA);
    if (begin < 0) break; /* only a hole is left */
    end = lseek(from, begin, SEEK_HOLE);
    if (end < 0) end = facts->st_size;
    int result = copy_bytes(copy, from, to, begin, end);
    if (result < 0) return result;
  }
  return ftruncate(to, facts->st_size) == 0 ? 0 : -errno;
}

static int open_new(int to, const char *name, mode_t mode) {
  int fd = openat(to, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, mode);
  if (fd < 0 && errno == EEXIST && unlinkat(to, name, 0) == 0)
    fd = openat(to, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, mode);
  return fd < 0 ? -errno : fd;
}

/* ---- what has no bytes ---- */

/* By a name in /proc/self/fd there is no way to what a symlink is itself: its few attributes stay behind. */
static int finish_by_name(int to, const char *name, const struct stat *facts) {
  if (fchownat(to, name, facts->st_uid, facts->st_gid, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  if (!S_ISLNK(facts->st_mode) && fchmodat(to, name, facts->st_mode & 07777, 0) != 0) return -errno;
  struct timespec times[] = {facts->st_atim, facts->st_mtim};
  return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

static int copy_symlink(struct copy *copy, int from, int to, const char *name, const struct stat *facts) {
  ssize_t length = readlinkat(from, name, copy->buffer, BUFFER_SIZE - 1);
  if (length < 0) return -errno;
  copy->buffer[length] = '\0';
  if (symlinkat(copy->buffer, to, name) != 0) {
    if (errno != EEXIST || unlinkat(to, name, 0) != 0 || symlinkat(copy->buffer, to, name) != 0) return -errno;
  }
  return finish_by_name(to, name, facts);
}

static int copy_device(int to, const char *name, const struct stat *facts) {
  if (mknodat(to, name, facts->st_mode, facts->st_rdev) != 0) {
    if (errno != EEXIST || unlinkat(to, name, 0) != 0 || mknodat(to, name, facts->st_mode, facts->st_rdev) != 0) return -errno;
  }
  return finish_by_name(to, name, facts);
}

/* ---- hard links ---- */

static const struct link *find_link(const struct copy *copy, const struct stat *facts) {
  const struct link *link = copy->links[facts->st_ino % LINK_ROWS];
  while (link != NULL && (link->inode != facts->st_ino || link->device != facts->st_dev)) link = link->next;
  return link;
}

static int remember_link(struct copy *copy, const struct stat *facts) {
  struct link *link = malloc(sizeof *link + copy->length + 1);
  if (link == NULL) return -ENOMEM;
  struct link **row = &copy->links[facts->st_ino % LINK_ROWS];
  *link = (struct link){.next = *row, .inode = facts->st_ino, .device = facts->st_dev};
  memcpy(link->path, copy->path, copy->length + 1);
  *row = link;
  return 0;
}

/* 1: it is another name of what is there already, and linked. 0: it is the first one, and remembered. */
static int link_known(struct copy *copy, int to, const char *name, const struct stat *facts) {
  const struct link *known = find_link(copy, facts);
  if (known == NULL) return remember_link(copy, facts);
  if (linkat(copy->target, known->path, to, name, 0) == 0) return 1;
  if (errno != EEXIST || unlinkat(to, name, 0) != 0) return -errno;
  return linkat(copy->target, known->path, to, name, 0) == 0 ? 1 : -errno;
}

/* A path is looked up once: each time costs an overlay as many lookups as it has layers. */
static int copy_file(struct copy *copy, int from, int to, const char *name) {
  struct stat facts;
  fd_scoped int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (source < 0 || fstat(source, &facts) != 0) return -errno;
  int linked = facts.st_nlink > 1 ? link_known(copy, to, name, &facts) : 0;
  if (linked != 0) return linked;
  fd_scoped int target = open_new(to, name, is_plain(&facts) ? facts.st_mode & 0777 : 0600);
  if (target < 0) return target;
  int result = copy_data(copy, source, target, &facts);
  return result < 0 ? result : copy_facts(copy, source, target, &facts, true);
}

/* ---- folders ---- */

static int copy_subfolder(struct copy *copy, int from, int to, const char *name) {
  fd_scoped int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0) return -errno;
  if (mkdirat(to, name, 0700) != 0 && errno != EEXIST) return -errno;
  fd_scoped int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return target < 0 ? -errno : copy_folder(copy, source, target);
}

static int copy_entry(struct copy *copy, int from, int to, const struct dirent *entry) {
  const char *name = entry->d_name;
  if (entry->d_type == DT_REG) return copy_file(copy, from, to, name);
  if (entry->d_type == DT_DIR) return copy_subfolder(copy, from, to, name);
  struct stat facts;
  if (fstatat(from, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  if (S_ISREG(facts.st_mode)) return copy_file(copy, from, to, name);
  if (S_ISDIR(facts.st_mode)) return copy_subfolder(copy, from, to, name);
  int linked = facts.st_nlink > 1 ? link_known(copy, to, name, &facts) : 0;
  if (linked != 0) return linked;
  return S_ISLNK(facts.st_mode) ? copy_symlink(copy, from, to, name, &facts) : copy_device(to, name, &facts);
}

static int copy_entries(struct copy *copy, int from, int to) {
  int again = dup(from);
  DIR *folder = again < 0 ? NULL : fdopendir(again);
  if (folder == NULL) return -errno;
  int result = 0;
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(folder);
    if (entry == NULL) {
      result = -errno;
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    size_t before = copy->length;
    int added = snprintf(copy->path + before, sizeof copy->path - before, "%s%s", before == 0 ? "" : "/", entry->d_name);
    if ((size_t)added >= sizeof copy->path - before) {
      result = -ENAMETOOLONG;
      break;
    }
    copy->length += (size_t)added;
    result = copy_entry(copy, from, to, entry);
    if (result < 0) break; /* the path stays as it is, for the message */
    copy->entries++;
    copy->length = before;
    copy->path[before] = '\0';
  }
  closedir(folder);
  return result < 0 ? result : 0;
}

static int copy_folder(struct copy *copy, int from, int to) {
  struct stat facts;
  if (fstat(from, &facts) != 0) return -errno;
  int result = copy_entries(copy, from, to);
  return result < 0 ? result : copy_facts(copy, from, to, &facts, false);
}

/* ---- the end ---- */

/* Takes away what has a name of FROM's; a folder stays that somebody else has put something into. */
static int take_back(int from, int to) {
  int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = again < 0 ? NULL : fdopendir(again);
  if (folder == NULL) return -errno;
  int result = 0;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    fd_scoped int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    fd_scoped int target = source < 0 ? -1 : openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int taken = target < 0 ? 0 : take_back(source, target);
    if (taken == 0 && unlinkat(to, name, target < 0 ? 0 : AT_REMOVEDIR) != 0) taken = -errno;
    if (taken < 0 && taken != -ENOENT && taken != -ENOTEMPTY) result = taken;
  }
  closedir(folder);
  return result;
}

/* Puts it on the disk: what is one folder and nothing else by itself, more of it with all that its file system has to write. */
static int settle(const struct copy *copy) {
  int result = copy->entries == 0 ? fsync(copy->target) : syncfs(copy->target);
  /* What has no disk (FUSE, say) may not know the call. */
  return result == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
}

int builtin_copy(char **argv) {
  static struct copy copy;
  if (argv[0] == NULL || argv[1] == NULL) return STATUS_FAILED;
  umask(0);
  /* Two descriptors for each level. */
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
  fd_scoped int from = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from < 0 && errno == ENOTDIR) return STATUS_NO_FOLDER;
  copy.target = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int result = from < 0 || copy.target < 0 ? -errno : copy_folder(&copy, from, copy.target);
  if (result == 0) result = settle(&copy);
  if (result == 0) return 0;
  dprintf(STDERR_FILENO, "%s: %s\n", copy.path, strerror(-result));
  return from >= 0 && copy.target >= 0 && take_back(from, copy.target) < 0 ? STATUS_HALF : STATUS_FAILED;
}
