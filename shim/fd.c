#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

void fd_close(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

int fd_take(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}

void fd_close_from(int first) {
  if (syscall(SYS_close_range, first, ~0u, 0) == 0) return;
  for (int fd = first; fd < 1024; fd++) close(fd);
}

int fd_set_nonblocking(int fd, bool nonblocking) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

ssize_t fd_read_exactly(int fd, void *buffer, size_t n) {
  size_t done = 0;
  while (done < n) {
    ssize_t got = read(fd, (char *)buffer + done, n - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) return 0;
    done += (size_t)got;
  }
  return (ssize_t)n;
}

ssize_t fd_read_output(int fd, void *buffer, size_t n) {
  bool hung_up = false;
  for (;;) {
    ssize_t got = read(fd, buffer, n);
    if (got >= 0) return got;
    if (errno == EAGAIN) return -EAGAIN;
    if (errno == EINTR) continue;
    /* What was written just before the last slave was closed can come after the first EIO, but not after the second. */
    if (errno != EIO || hung_up) return 0;
    hung_up = true;
  }
}

int fd_write_all(int fd, const void *buffer, size_t n) {
  size_t done = 0;
  while (done < n) {
    ssize_t put = write(fd, (const char *)buffer + done, n - done);
    if (put >= 0) {
      done += (size_t)put;
    } else if (errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      if (poll(&wait, 1, -1) < 0 && errno != EINTR) return -errno;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

ssize_t fd_read_file(const char *path, char *buffer, size_t size) {
  fd_scoped int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  size_t done = 0;
  while (done + 1 < size) {
    ssize_t got = read(fd, buffer + done, size - 1 - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    done += (size_t)got;
  }
  buffer[done] = '\0';
  return (ssize_t)done;
}

static uint64_t now_ns(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t now_real_ns(void) {
  return now_ns(CLOCK_REALTIME);
}

uint64_t now_monotonic_ns(void) {
  return now_ns(CLOCK_MONOTONIC);
}
