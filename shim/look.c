/* What a path of the tree is. The tree is this process' root: no symlink leads out of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "builtin.h"
#include "fd.h"
#include "frame.h"

#define PATH_LENGTH 4096u
#define LINKS_MAX 40

/* Puts `rest` behind what `text` is to begin with. */
static int put_before(char *rest, const char *text) {
  size_t length = strlen(text);
  size_t behind = strlen(rest);
  if (length + 1 + behind >= PATH_LENGTH) return -ENAMETOOLONG;
  memmove(rest + length + 1, rest, behind + 1);
  memcpy(rest, text, length);
  rest[length] = '/';
  return 0;
}

static void drop_last(char *path) {
  char *slash = strrchr(path, '/');
  if (slash != NULL) *slash = '\0';
}

/* The absolute path without symlinks; what is not there stays as it was written. */
static int resolve(const char *path, char *done) {
  char rest[PATH_LENGTH];
  char target[PATH_LENGTH];
  if (strlen(path) >= sizeof rest) return -ENAMETOOLONG;
  strcpy(rest, path);
  *done = '\0';
  for (int links = 0; *rest != '\0';) {
    size_t length = strcspn(rest, "/");
    char name[PATH_LENGTH];
    memcpy(name, rest, length);
    name[length] = '\0';
    memmove(rest, rest + length + (rest[length] == '/'), strlen(rest + length + (rest[length] == '/')) + 1);
    if (length == 0 || strcmp(name, ".") == 0) continue;
    if (strcmp(name, "..") == 0) {
      drop_last(done);
      continue;
    }
    if (strlen(done) + 1 + length >= PATH_LENGTH) return -ENAMETOOLONG;
    strcat(strcat(done, "/"), name);
    ssize_t n = readlink(done, target, sizeof target - 1);
    if (n < 0) continue;
    if (++links > LINKS_MAX) return -ELOOP;
    target[n] = '\0';
    drop_last(done);
    if (*target == '/') *done = '\0';
    if (put_before(rest, target) < 0) return -ENAMETOOLONG;
  }
  if (*done == '\0') strcpy(done, "/");
  return 0;
}

static int say_error(int error) {
  printf("%d%c", error, 0);
  return fflush(stdout) == 0 ? 0 : 1;
}

int builtin_look(char **argv) {
  struct stat facts;
  struct stat behind;
  struct stat root;
  struct statvfs mount;
  char target[PATH_LENGTH] = "";
  char led[PATH_LENGTH];
  if (argv[0] == NULL || stat("/", &root) != 0) return 2;
  if (lstat(argv[0], &facts) != 0) return say_error(errno);
  bool is_there = stat(argv[0], &behind) == 0;
  bool is_read_only = is_there && statvfs(argv[0], &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0;
  int result = resolve(argv[0], led);
  if (result < 0) return say_error(-result);
  if (S_ISLNK(facts.st_mode)) strcpy(target, led);
  printf("0%c%u%c%lld%c%lld%c%ld%c%u%c%d%c%d%c%s%c%u%c%u%c%s%c", 0, facts.st_mode, 0, (long long)facts.st_size, 0,
         (long long)facts.st_mtim.tv_sec, 0, facts.st_mtim.tv_nsec, 0, is_there ? behind.st_mode : 0, 0, is_read_only, 0,
         is_there && behind.st_dev == root.st_dev, 0, target, 0, is_there ? behind.st_uid : 0, 0,
         is_there ? behind.st_gid : 0, 0, led, 0);
  return fflush(stdout) == 0 ? 0 : 1;
}

int builtin_read(char **argv) {
  if (argv[0] == NULL || argv[1] == NULL) return 2;
  unsigned long long left = strtoull(argv[1], NULL, 10);
  /* Neither a pipe without a writer nor a terminal may hold us up or become ours. */
  fd_scoped int file = open(argv[0], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat facts;
  if (file < 0 && errno == ELOOP) return 4;
  if (file < 0 || fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) return 1;
  while (left > 0) {
    ssize_t n = read(file, scratch, left < sizeof scratch ? (size_t)left : sizeof scratch);
    if (n < 0) return 1;
    if (n == 0) break;
    if (fd_write_all(1, scratch, (size_t)n) < 0) return 3;
    left -= (unsigned long long)n;
  }
  return 0;
}
