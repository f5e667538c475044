#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"

/* linux/securebits.h, linux/capability.h: not all C libraries have them. */
#define NO_SETUID_FIXUP (1 << 2)

/* ---- a process in the namespace: only by one is it mapped and looked at ---- */

struct member {
  pid_t pid;
  int line; /* its end: the member waits for it */
};

static void stay(int join, int flags, int line) {
  int error = 0;
  if (join >= 0 && setns(join, CLONE_NEWUSER) != 0) error = errno;
  if (error == 0 && flags != 0 && unshare(flags) != 0) error = errno;
  (void)fd_write_all(line, &error, sizeof error);
  char nothing;
  while (read(line, &nothing, 1) > 0) continue;
  _exit(0);
}

static void member_end(struct member *member) {
  fd_close(&member->line);
  if (member->pid > 0) waitpid(member->pid, NULL, 0);
  member->pid = 0;
}

#define member_scoped __attribute__((cleanup(member_end)))

/* A child in the user namespace `join` (or -1), and in new namespaces of those kinds. */
static int member_begin(struct member *member, int join, int flags) {
  int ends[2];
  *member = (struct member){.line = -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
  member->line = ends[0];
  member->pid = fork();
  if (member->pid == 0) {
    close(ends[0]);
    stay(join, flags, ends[1]);
  }
  int error = errno;
  close(ends[1]);
  if (member->pid < 0) return -error;
  if (fd_read_exactly(member->line, &error, sizeof error) <= 0) return -ECHILD;
  return -error;
}

static int open_of_member(const struct member *member, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)member->pid, name);
  int fd = open(path, flags | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* ---- making and mapping ---- */

int userns_make(int *user, int *network, struct failure *failure) {
  member_scoped struct member member;
  int flags = network == NULL ? 0 : CLONE_NEWNET;
  int result = member_begin(&member, *user, *user < 0 ? flags | CLONE_NEWUSER : flags);
  if (result == 0 && *user < 0) result = *user = open_of_member(&member, "ns/user", O_RDONLY);
  if (result >= 0 && network != NULL) result = *network = open_of_member(&member, "ns/net", O_RDONLY);
  return result < 0 ? fail(failure, "spawn", -result, "cannot make a user namespace") : 0;
}

static int write_map(const struct member *member, const char *name, const char *lines) {
  fd_scoped int fd = open_of_member(member, name, O_WRONLY);
  if (fd < 0) return fd;
  size_t length = strlen(lines);
  /* The kernel takes a map in one write alone. */
  ssize_t put = write(fd, lines, length);
  return put < 0 ? -errno : (size_t)put == length ? 0 : -EIO;
}

int userns_map(int user, const char *uid_map, const char *gid_map, struct failure *failure) {
  member_scoped struct member member;
  int result = member_begin(&member, user, 0);
  if (result == 0) result = write_map(&member, "uid_map", uid_map);
  if (result == 0) result = write_map(&member, "gid_map", gid_map);
  return result < 0 ? fail(failure, "spawn", -result, "cannot map the ids of the user namespace") : 0;
}

static long find_zero(const struct member *member, const char *name) {
  fd_scoped int fd = open_of_member(member, name, O_RDONLY);
  if (fd < 0) return fd;
  char text[4096];
  ssize_t got = read(fd, text, sizeof text - 1);
  if (got < 0) return -errno;
  text[got] = '\0';
  for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line = line == NULL ? NULL : line + 1) {
    unsigned long inside;
    unsigned long outside;
    if (sscanf(line, "%lu %lu", &inside, &outside) == 2 && inside == 0) return (long)outside;
  }
  return -ERANGE;
}

int userns_find_root(struct userns *userns, struct failure *failure) {
  member_scoped struct member member;
  long uid = member_begin(&member, userns->fd, 0);
  if (uid == 0) uid = find_zero(&member, "uid_map");
  long gid = uid < 0 ? uid : find_zero(&member, "gid_map");
  if (gid < 0) return fail(failure, "spawn", (int)-gid, "the user namespace has no root");
  userns->root_uid = (uid_t)uid;
  userns->root_gid = (gid_t)gid;
  return 0;
}

int userns_act_as_root(const struct userns *userns) {
  /* Changing the file system's user would otherwise take the rights away that go with root's. */
  if (prctl(PR_SET_SECUREBITS, userns == NULL ? 0 : NO_SETUID_FIXUP) != 0) return -errno;
  uid_t uid = userns == NULL ? 0 : userns->root_uid;
  gid_t gid = userns == NULL ? 0 : userns->root_gid;
  setfsgid(gid);
  setfsuid(uid);
  /* These two tell nothing of failure: asking with an invalid id does. */
  return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid ? 0 : -EPERM;
}
