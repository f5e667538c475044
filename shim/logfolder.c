#include "logfolder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "log.h"

static void name_of(char name[16], uint32_t number) {
  snprintf(name, 16, "%08u.log", number);
}

int logfolder_open(int folder, uint32_t number, int flags) {
  char name[16];
  name_of(name, number);
  int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
  return fd < 0 ? -errno : fd;
}

void logfolder_remove(int folder, uint32_t number) {
  char name[16];
  name_of(name, number);
  unlinkat(folder, name, 0);
}

static uint32_t number_of(const char *name) {
  char *end;
  unsigned long number = strtoul(name, &end, 10);
  char again[16];
  if (end == name || number == 0 || number > 99999999) return 0;
  name_of(again, (uint32_t)number);
  return strcmp(again, name) == 0 ? (uint32_t)number : 0;
}

static int compare(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a;
  uint32_t right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

int logfolder_list(int folder, uint32_t *numbers, int max) {
  int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return -errno;
  DIR *entries = fdopendir(again);
  if (entries == NULL) {
    close(again);
    return -ENOMEM;
  }
  int count = 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    uint32_t number = number_of(entry->d_name);
    if (number == 0) continue;
    if (count < max) {
      numbers[count++] = number;
      continue;
    }
    int least = 0; /* more than we can remember: the oldest stay out */
    for (int i = 1; i < count; i++)
      if (numbers[i] < numbers[least]) least = i;
    if (number > numbers[least]) numbers[least] = number;
  }
  closedir(entries);
  qsort(numbers, (size_t)count, sizeof *numbers, compare);
  return count;
}

/* ---- torn tails ---- */

static bool head_is_sound(const unsigned char *head) {
  return get_u32(head) <= CHUNK_MAX && (head[12] == LOG_STDOUT || head[12] == LOG_STDERR) && head[13] <= 3;
}

/* The usual case in two reads: the last record's length stands at both of its ends. */
static bool ends_well(int fd, uint64_t size) {
  unsigned char bytes[LOG_HEAD];
  if (size == 0) return true;
  if (size < LOG_HEAD + LOG_TAIL || pread(fd, bytes, 4, (off_t)(size - 4)) != 4) return false;
  uint64_t n = get_u32(bytes);
  if (n > CHUNK_MAX || n + LOG_HEAD + LOG_TAIL > size) return false;
  if (pread(fd, bytes, LOG_HEAD, (off_t)(size - LOG_TAIL - n - LOG_HEAD)) != (ssize_t)LOG_HEAD) return false;
  return get_u32(bytes) == n && head_is_sound(bytes);
}

static uint64_t end_of_sound_records(int fd, uint64_t size) {
  uint64_t at = 0;
  unsigned char head[LOG_HEAD];
  unsigned char tail[LOG_TAIL];
  while (at + LOG_HEAD + LOG_TAIL <= size) {
    if (pread(fd, head, LOG_HEAD, (off_t)at) != (ssize_t)LOG_HEAD || !head_is_sound(head)) break;
    uint64_t next = at + LOG_HEAD + get_u32(head) + LOG_TAIL;
    if (next > size || pread(fd, tail, LOG_TAIL, (off_t)(next - LOG_TAIL)) != (ssize_t)LOG_TAIL) break;
    if (get_u32(tail) != get_u32(head)) break;
    at = next;
  }
  return at;
}

int64_t logfolder_cut_torn_tail(int fd) {
  struct stat facts;
  if (fstat(fd, &facts) != 0) return -errno;
  uint64_t size = (uint64_t)facts.st_size;
  if (ends_well(fd, size)) return (int64_t)size;
  uint64_t sound = end_of_sound_records(fd, size);
  if (ftruncate(fd, (off_t)sound) != 0) return -errno;
  return (int64_t)sound;
}
