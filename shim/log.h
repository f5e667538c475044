/*
 * A container's log: a folder of segments 00000001.log, … Each holds records
 *   {u32 n, u64 time ns, u8 stream 1|2, u8 flags, n bytes, u32 n}   (numbers big-endian)
 * so that it can be walked both ways. It is also the buffer from which attached clients are fed.
 *
 * When the disk takes no more, segments in memory (two of 512 KiB) take its place until it does; what went into them is
 * counted in a record with LOG_LOST. The writer never waits and never fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOG_HEAD 14u
#define LOG_TAIL 4u
#define LOG_PARTIAL 1 /* the bytes do not end with a newline */
#define LOG_LOST 2    /* not output: the decimal count of bytes that the disk could not take */
#define LOG_STDOUT 1
#define LOG_STDERR 2
#define LOG_SEGMENTS_MAX 8192 /* of 16 MiB each that is 128 GiB: the bound of a log that asks for none */

struct segment {
  uint32_t number;
  int memory_fd; /* -1: a file */
  int kept_fd;   /* a descriptor from log_keep, or -1 */
};

struct log {
  int folder;
  int fd; /* of the last segment */
  uint64_t size;
  uint64_t max_bytes;
  uint32_t max_files;
  bool memory_only;
  uint64_t lost_bytes;
  uint64_t retry_ns;
  struct segment segments[LOG_SEGMENTS_MAX];
  uint32_t count;
  /* Called before a segment goes, so that its readers can be told. */
  void (*dropping)(void *owner, uint32_t number);
  void *owner;
};

struct failure;

/* Opens or makes the folder (NULL: memory only), and cuts a record that a crash left torn. */
int log_open(struct log *log, const char *folder, uint64_t max_bytes, uint32_t max_files, struct failure *failure);
void log_append(struct log *log, uint8_t stream, uint64_t time_ns, const unsigned char *bytes, uint32_t n);
/* Whether the next record belongs into a new segment. */
bool log_is_full(const struct log *log);
/* The segment that log_rotate would remove, or 0. */
uint32_t log_drop_candidate(const struct log *log);
void log_rotate(struct log *log);
/* A descriptor of its own for a reader, or -errno. */
int log_open_segment(const struct log *log, uint32_t number);
/* Opens what readers still need from that segment on: from here on the files may be removed behind our back. */
void log_keep(struct log *log, uint32_t first);
uint32_t log_last(const struct log *log);
/* The segment after that one, or 0. */
uint32_t log_next(const struct log *log, uint32_t number);
/* Bytes in a segment of which the reader holds a descriptor. */
uint64_t log_size_of(const struct log *log, uint32_t number, int fd);
