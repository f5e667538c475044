#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "frame.h"
#include "logfolder.h"

#define MEMORY_SEGMENT_BYTES (512u * 1024)
#define MEMORY_SEGMENTS 2u
#define RETRY_NS 1000000000u

static struct segment *last(struct log *log) {
  return &log->segments[log->count - 1];
}

uint32_t log_last(const struct log *log) {
  return log->count == 0 ? 0 : log->segments[log->count - 1].number;
}

static bool in_memory(const struct log *log) {
  return log->count > 0 && log->segments[log->count - 1].memory_fd >= 0;
}

uint32_t log_next(const struct log *log, uint32_t number) {
  for (uint32_t i = 0; i < log->count; i++)
    if (log->segments[i].number > number) return log->segments[i].number;
  return 0;
}

int log_open_segment(const struct log *log, uint32_t number) {
  for (uint32_t i = 0; i < log->count; i++) {
    if (log->segments[i].number != number) continue;
    int held = log->segments[i].memory_fd >= 0 ? log->segments[i].memory_fd : log->segments[i].kept_fd;
    if (held < 0) return logfolder_open(log->folder, number, O_RDONLY);
    int fd = fcntl(held, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
  }
  return -ENOENT;
}

void log_keep(struct log *log, uint32_t first) {
  for (uint32_t i = 0; i < log->count; i++) {
    struct segment *segment = &log->segments[i];
    if (segment->number < first || segment->memory_fd >= 0 || segment->kept_fd >= 0) continue;
    segment->kept_fd = logfolder_open(log->folder, segment->number, O_RDONLY);
    if (segment->kept_fd < 0) return; /* out of descriptors: its readers take their chance with the file */
  }
}

uint64_t log_size_of(const struct log *log, uint32_t number, int fd) {
  if (number == log_last(log)) return log->size;
  struct stat facts;
  return fstat(fd, &facts) == 0 ? (uint64_t)facts.st_size : 0;
}

/* ---- segments come and go ---- */

static void drop(struct log *log, uint32_t index) {
  struct segment gone = log->segments[index];
  log->dropping(log->owner, gone.number);
  log->count--;
  memmove(&log->segments[index], &log->segments[index + 1], (log->count - index) * sizeof *log->segments);
  fd_close(&gone.kept_fd);
  if (gone.memory_fd >= 0) fd_close(&gone.memory_fd);
  else logfolder_remove(log->folder, gone.number);
}

static uint32_t count_in_memory(const struct log *log) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < log->count; i++) count += log->segments[i].memory_fd >= 0;
  return count;
}

/* The index of the segment that must go before another one is added, or count when none must. */
static uint32_t index_to_drop(const struct log *log) {
  bool memory = in_memory(log);
  if (memory && count_in_memory(log) < MEMORY_SEGMENTS) return log->count;
  if (!memory && log->count < log->max_files) return log->count;
  uint32_t index = 0;
  while (memory && index < log->count && log->segments[index].memory_fd < 0) index++;
  return index;
}

uint32_t log_drop_candidate(const struct log *log) {
  uint32_t index = index_to_drop(log);
  return index < log->count ? log->segments[index].number : 0;
}

static void add(struct log *log, int fd, bool memory) {
  uint32_t number = log_last(log) + 1;
  if (log->count == LOG_SEGMENTS_MAX) drop(log, 0);
  log->segments[log->count++] = (struct segment){number, memory ? fd : -1, -1};
  log->fd = fd;
  log->size = 0;
}

static void forget_last_descriptor(struct log *log) {
  if (!in_memory(log)) fd_close(&log->fd); /* that of a memory segment belongs to its place in the table */
  log->fd = -1;
}

static void begin_memory_segment(struct log *log) {
  int fd = memfd_create("slipway-log", MFD_CLOEXEC);
  if (fd < 0) return; /* then output is lost, and counted */
  forget_last_descriptor(log);
  add(log, fd, true);
}

static int begin_file(struct log *log) {
  int fd = logfolder_open(log->folder, log_last(log) + 1, O_RDWR | O_CREAT | O_EXCL);
  if (fd < 0) return fd;
  forget_last_descriptor(log);
  add(log, fd, false);
  return 0;
}

bool log_is_full(const struct log *log) {
  return log->size >= (in_memory(log) ? MEMORY_SEGMENT_BYTES : log->max_bytes);
}

void log_rotate(struct log *log) {
  if (log->size == 0) return;
  if (in_memory(log)) {
    uint32_t index = index_to_drop(log);
    begin_memory_segment(log);
    if (index < log->count - 1) drop(log, index);
    return;
  }
  if (begin_file(log) < 0) {
    begin_memory_segment(log);
    log->retry_ns = now_monotonic_ns() + RETRY_NS;
    return;
  }
  for (uint32_t i = log->count; i-- > 0;)
    if (log->segments[i].memory_fd >= 0) drop(log, i);
  while (log->count > log->max_files) drop(log, 0);
}

/* ---- writing ---- */

/* A record that does not fit whole is taken back. */
static int write_record(struct log *log, uint8_t stream, uint8_t flags, uint64_t time_ns, const unsigned char *bytes, uint32_t n) {
  unsigned char head[LOG_HEAD];
  unsigned char tail[LOG_TAIL];
  put_u32(head, n);
  put_u64(head + 4, time_ns);
  head[12] = stream;
  head[13] = flags;
  put_u32(tail, n);
  struct iovec parts[] = {{head, sizeof head}, {(void *)bytes, n}, {tail, sizeof tail}};
  size_t whole = LOG_HEAD + n + LOG_TAIL;
  ssize_t put;
  do put = pwritev(log->fd, parts, 3, (off_t)log->size);
  while (put < 0 && errno == EINTR);
  if (put == (ssize_t)whole) {
    log->size += whole;
    return 0;
  }
  int error = put < 0 ? errno : ENOSPC;
  if (ftruncate(log->fd, (off_t)log->size) != 0) return -errno;
  return -error;
}

static int note_lost(struct log *log) {
  char text[24];
  int n = snprintf(text, sizeof text, "%llu", (unsigned long long)log->lost_bytes);
  int result = write_record(log, LOG_STDERR, LOG_LOST, now_real_ns(), (unsigned char *)text, (uint32_t)n);
  if (result == 0) log->lost_bytes = 0;
  return result;
}

static void try_disk_again(struct log *log) {
  uint64_t now = now_monotonic_ns();
  if (log->memory_only || now < log->retry_ns) return;
  log->retry_ns = now + RETRY_NS;
  if (begin_file(log) < 0) return;
  if (note_lost(log) == 0) return;
  /* Still full: the empty file goes, the memory goes on. */
  struct segment empty = *last(log);
  fd_close(&log->fd);
  log->count--;
  logfolder_remove(log->folder, empty.number);
  if (log->count > 0 && in_memory(log)) {
    log->fd = last(log)->memory_fd;
    log->size = log_size_of(log, 0, log->fd);
  } else {
    begin_memory_segment(log);
  }
}

void log_append(struct log *log, uint8_t stream, uint64_t time_ns, const unsigned char *bytes, uint32_t n) {
  uint8_t flags = n > 0 && bytes[n - 1] == '\n' ? 0 : LOG_PARTIAL;
  if (in_memory(log)) try_disk_again(log);
  if (!in_memory(log)) {
    if (log->fd >= 0 && write_record(log, stream, flags, time_ns, bytes, n) == 0) return;
    begin_memory_segment(log);
    log->retry_ns = now_monotonic_ns() + RETRY_NS;
  }
  if (!log->memory_only) log->lost_bytes += n;
  if (in_memory(log)) (void)write_record(log, stream, flags, time_ns, bytes, n);
}

/* ---- opening ---- */

static int resume(struct log *log) {
  uint32_t numbers[LOG_SEGMENTS_MAX];
  int count = logfolder_list(log->folder, numbers, LOG_SEGMENTS_MAX - 1);
  if (count < 0) return count;
  for (int i = 0; i < count; i++) log->segments[log->count++] = (struct segment){numbers[i], -1, -1};
  if (count == 0) return begin_file(log);
  log->fd = logfolder_open(log->folder, log_last(log), O_RDWR);
  if (log->fd < 0) return log->fd;
  int64_t sound = logfolder_cut_torn_tail(log->fd);
  if (sound < 0) return (int)sound;
  log->size = (uint64_t)sound;
  return 0;
}

int log_open(struct log *log, const char *folder, uint64_t max_bytes, uint32_t max_files, struct failure *failure) {
  log->folder = log->fd = -1;
  log->count = 0;
  log->max_bytes = max_bytes;
  log->max_files = max_files < 1 ? 1 : max_files >= LOG_SEGMENTS_MAX ? LOG_SEGMENTS_MAX - 1 : max_files;
  log->memory_only = folder == NULL;
  if (folder == NULL) {
    begin_memory_segment(log);
    return log->fd < 0 ? fail(failure, "log", ENOMEM, "log in memory") : 0;
  }
  if (mkdir(folder, 0700) != 0 && errno != EEXIST) return fail(failure, "log", errno, "log folder %.400s", folder);
  log->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (log->folder < 0) return fail(failure, "log", errno, "log folder %.400s", folder);
  int result = resume(log);
  if (result == -ENOSPC || result == -EDQUOT) {
    begin_memory_segment(log);
    return 0;
  }
  return result < 0 ? fail(failure, "log", -result, "log in %.400s", folder) : 0;
}
