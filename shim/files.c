/*
 * files: answers what is in the tree, for as long as it is asked. The tree is this process' root, so no symlink leads out of
 * it, and neither a pipe without a writer nor a device can hold it up or be opened (the tree has no devices: nodev).
 *
 * A question on standard input: one byte, the length of a path (4 bytes), the path from the root on, without a NUL.
 *   s  what the path is; symlinks on the way are followed, one at its end is not
 *   l  what is directly in that folder, which is no symlink itself
 *   r  the bytes of that plain file, which is no symlink itself: its facts first, then as many bytes as these say
 * The answer on standard output, in the order of the questions: records of one byte, a length (4 bytes) and so many bytes.
 *   f  facts: see `facts_head`; then the name, the target of a symlink, and attributes (length of the name: 2, of the value: 4, both)
 *   d  bytes of a file
 *   .  the end of the answer
 *   e  the end of the answer, which stays without: an error number (4 bytes)
 * Numbers are big-endian.
 */
#include "builtin.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fd.h"

#define PATH_LENGTH 4096u
#define PIECE (60u * 1024)
#define ATTRIBUTES_MAX (256u * 1024)

struct __attribute__((packed)) facts_head {
  uint32_t mode, uid, gid, links, major, minor;
  uint64_t device, inode, size;
  uint64_t modified_seconds;
  uint32_t modified_nanoseconds;
  uint64_t changed_seconds;
  uint32_t changed_nanoseconds;
  uint16_t name_length, target_length;
};

static char names[65536];
static char value[65536];
static char attributes[ATTRIBUTES_MAX];

static void put(char kind, const void *bytes, size_t length) {
  uint32_t size = htobe32((uint32_t)length);
  putchar_unlocked(kind);
  fwrite(&size, sizeof size, 1, stdout);
  fwrite(bytes, 1, length, stdout);
}

static void put_end(int error) {
  uint32_t number = htobe32((uint32_t)error);
  put(error == 0 ? '.' : 'e', &number, error == 0 ? 0 : sizeof number);
}

/* ---- facts ---- */

/* What is a file's own and means something elsewhere: a label or an overlay's mark does not. */
static bool is_told(const char *name) {
  return strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0 ||
         strcmp(name, "security.capability") == 0;
}

/* The attributes of a name in the working folder; those of a file system that has none are none. */
static size_t read_attributes(const char *name) {
  size_t used = 0;
  ssize_t length = llistxattr(name, names, sizeof names);
  for (char *each = names; length > 0 && each < names + length; each += strlen(each) + 1) {
    if (!is_told(each)) continue;
    ssize_t size = lgetxattr(name, each, value, sizeof value);
    if (size < 0) continue;
    uint16_t name_length = htobe16((uint16_t)strlen(each));
    uint32_t value_length = htobe32((uint32_t)size);
    if (used + sizeof name_length + sizeof value_length + strlen(each) + (size_t)size > sizeof attributes) break;
    memcpy(attributes + used, &name_length, sizeof name_length);
    memcpy(attributes + used + sizeof name_length, &value_length, sizeof value_length);
    used += sizeof name_length + sizeof value_length;
    memcpy(attributes + used, each, strlen(each));
    used += strlen(each);
    memcpy(attributes + used, value, (size_t)size);
    used += (size_t)size;
  }
  return used;
}

static void put_facts(const struct stat *facts, const char *name, const char *target, size_t attributes_length) {
  struct facts_head head = {
      .mode = htobe32(facts->st_mode),
      .uid = htobe32(facts->st_uid),
      .gid = htobe32(facts->st_gid),
      .links = htobe32((uint32_t)facts->st_nlink),
      .major = htobe32(major(facts->st_rdev)),
      .minor = htobe32(minor(facts->st_rdev)),
      .device = htobe64(facts->st_dev),
      .inode = htobe64(facts->st_ino),
      .size = htobe64((uint64_t)facts->st_size),
      .modified_seconds = htobe64((uint64_t)facts->st_mtim.tv_sec),
      .modified_nanoseconds = htobe32((uint32_t)facts->st_mtim.tv_nsec),
      .changed_seconds = htobe64((uint64_t)facts->st_ctim.tv_sec),
      .changed_nanoseconds = htobe32((uint32_t)facts->st_ctim.tv_nsec),
      .name_length = htobe16((uint16_t)strlen(name)),
      .target_length = htobe16((uint16_t)strlen(target)),
  };
  uint32_t size = htobe32((uint32_t)(sizeof head + strlen(name) + strlen(target) + attributes_length));
  putchar_unlocked('f');
  fwrite(&size, sizeof size, 1, stdout);
  fwrite(&head, sizeof head, 1, stdout);
  fwrite(name, 1, strlen(name), stdout);
  fwrite(target, 1, strlen(target), stdout);
  fwrite(attributes, 1, attributes_length, stdout);
}

/* Tells what a name in the working folder is. */
static int tell(const char *name, const char *shown) {
  struct stat facts;
  char target[PATH_LENGTH] = "";
  if (fstatat(AT_FDCWD, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (S_ISLNK(facts.st_mode)) {
    ssize_t length = readlink(name, target, sizeof target - 1);
    if (length < 0) return errno;
    target[length] = '\0';
  }
  put_facts(&facts, shown, target, read_attributes(name));
  return 0;
}

/* ---- answers ---- */

static int answer_list(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (folder == NULL) return errno;
  int error = fchdir(fd) == 0 ? 0 : errno;
  while (error == 0) {
    errno = 0;
    struct dirent *entry = readdir(folder);
    if (entry == NULL) {
      error = errno;
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    error = tell(entry->d_name, entry->d_name);
    if (error == ENOENT) error = 0; /* gone since the folder was read */
  }
  closedir(folder);
  return error;
}

static int answer_read(const char *path) {
  static char piece[PIECE];
  struct stat facts;
  fd_scoped int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0 || fstat(file, &facts) != 0) return errno;
  if (!S_ISREG(facts.st_mode)) return EINVAL;
  put_facts(&facts, "", "", 0);
  for (off_t left = facts.st_size; left > 0;) {
    ssize_t got = read(file, piece, left < (off_t)sizeof piece ? (size_t)left : sizeof piece);
    if (got < 0) return errno;
    if (got == 0) return ESTALE; /* somebody has made it shorter */
    put('d', piece, (size_t)got);
    left -= got;
  }
  return 0;
}

static int answer(char question, const char *path) {
  switch (question) {
    case 's':
      return tell(path, "");
    case 'l':
      return answer_list(path);
    case 'r':
      return answer_read(path);
    default:
      return EINVAL;
  }
}

/* ---- questions ---- */

struct questions {
  char bytes[65536];
  size_t begin, end;
};

/* So many bytes are there; nobody is kept waiting for an answer while we wait for a question. */
static bool have(struct questions *questions, size_t count) {
  if (questions->end - questions->begin >= count) return true;
  memmove(questions->bytes, questions->bytes + questions->begin, questions->end - questions->begin);
  questions->end -= questions->begin;
  questions->begin = 0;
  while (questions->end < count) {
    if (fflush(stdout) != 0) return false;
    ssize_t got = read(STDIN_FILENO, questions->bytes + questions->end, sizeof questions->bytes - questions->end);
    if (got <= 0) return false;
    questions->end += (size_t)got;
  }
  return true;
}

int builtin_files(char **argv) {
  static struct questions questions;
  static char buffer[128 * 1024];
  (void)argv;
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  while (have(&questions, 5)) {
    uint32_t length;
    char path[PATH_LENGTH];
    char question = questions.bytes[questions.begin];
    memcpy(&length, questions.bytes + questions.begin + 1, sizeof length);
    length = be32toh(length);
    if (length >= sizeof path || !have(&questions, 5 + length)) return 2;
    memcpy(path, questions.bytes + questions.begin + 5, length);
    path[length] = '\0';
    questions.begin += 5 + length;
    put_end(answer(question, path));
  }
  return fflush(stdout) == 0 && questions.begin == questions.end ? 0 : 1;
}
