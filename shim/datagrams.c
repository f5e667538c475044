#include "datagrams.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"
#include "frame.h"

#define MESSAGE_MAX 131072u

static int give_up(const char *path, int error) {
  dprintf(2, "dial unixgram %s: %s\n", path, strerror(error));
  return 1;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, path, length + 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* 1: all bytes are there, 0: the input ended, -1: it failed. */
static int read_all(unsigned char *bytes, size_t n) {
  for (size_t done = 0; done < n;) {
    ssize_t got = read(0, bytes + done, n - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return (int)got;
    done += (size_t)got;
  }
  return 1;
}

/* A message longer than the socket takes is sent as far as it does. */
static int send_one(int fd, const unsigned char *bytes, size_t n) {
  for (;;) {
    if (send(fd, bytes, n, MSG_NOSIGNAL) >= 0) return 0;
    if (errno == EMSGSIZE && n > 1024) n /= 2;
    else if (errno != EINTR) return -errno;
  }
}

int datagrams_main(const char *path) {
  static unsigned char message[MESSAGE_MAX];
  fd_scoped int fd = connect_to(path);
  if (fd < 0) return give_up(path, -fd);
  for (;;) {
    unsigned char head[4];
    int got = read_all(head, sizeof head);
    if (got <= 0) return got < 0;
    uint32_t n = get_u32(head);
    if (n > sizeof message || read_all(message, n) <= 0) return give_up(path, EBADMSG);
    int sent = send_one(fd, message, n);
    if (sent < 0) return give_up(path, -sent);
    if (fd_write_all(1, ".", 1) < 0) return 1;
  }
}
