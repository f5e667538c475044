#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"

int console_listen(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t n = strlen(name);
  if (n == 0 || n >= sizeof address.sun_path || strchr(name, '/') != NULL) return -EINVAL;
  memcpy(address.sun_path, name, n);
  if (unlink(name) != 0 && errno != ENOENT) return -errno;
  fd_scoped int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -errno;
  mode_t before = umask(0177);
  int bound = bind(listener, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  umask(before);
  if (bound != 0) return -error;
  if (listen(listener, 4) != 0) return -errno;
  return fd_take(&listener);
}

/* The runtime has ended, so what it sent is there already. */
static int receive_descriptor(int listener) {
  fd_scoped int sender = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (sender < 0) return -errno;
  char text[4096];
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec part = {text, sizeof text};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(sender, &message, MSG_CMSG_CLOEXEC) < 0) return -errno;
  const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return -EBADMSG;
  int fd;
  memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return fd;
}

int console_take(int listener, const char *name) {
  int fd = receive_descriptor(listener);
  unlink(name);
  if (fd < 0) return fd;
  int result = fd_set_nonblocking(fd, true);
  if (result < 0) {
    close(fd);
    return result;
  }
  return fd;
}

int terminal_resize(int terminal, uint64_t rows, uint64_t columns) {
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  if (terminal < 0) return -ENOTTY;
  return ioctl(terminal, TIOCSWINSZ, &size) == 0 ? 0 : -errno;
}
