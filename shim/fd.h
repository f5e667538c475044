/* Descriptors: every one is close-on-exec, and those of a scope close themselves (`fd_scoped int fd = ...`). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define fd_scoped __attribute__((cleanup(fd_close)))

/* Closes the descriptor if it is one and sets it to -1. */
void fd_close(int *fd);
/* Hands the descriptor over: the variable forgets it. */
int fd_take(int *fd);
/* Closes that descriptor and all above it. */
void fd_close_from(int first);
int fd_set_nonblocking(int fd, bool nonblocking);
/* Reads exactly n bytes from a blocking descriptor: n, 0 at the end (also when it comes too early), or -errno. */
ssize_t fd_read_exactly(int fd, void *buffer, size_t n);
/* Writes all, waiting as long as it takes: 0 or -errno. */
int fd_write_all(int fd, const void *buffer, size_t n);
/* Reads output of a program: bytes, 0 at the end (also where a terminal says EIO), or -EAGAIN. */
ssize_t fd_read_output(int fd, void *buffer, size_t n);
/* Reads a small file as text, NUL at the end; the length or -errno. */
ssize_t fd_read_file(const char *path, char *buffer, size_t size);

uint64_t now_real_ns(void);
uint64_t now_monotonic_ns(void);
