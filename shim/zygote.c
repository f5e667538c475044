#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "frame.h"
#include "handler.h"

#define STATUS_LISTENS 0
#define STATUS_FAILED 1
#define STATUS_LOCKED 3

struct zygote {
  char path[4096];
  ino_t inode;
  int lock, listener, signals, watch;
};

/* A POSIX lock: it belongs to this process alone, so no forked monitor can keep it after the zygote's end. */
static int take_lock(struct zygote *zygote) {
  char path[4096 + 8];
  snprintf(path, sizeof path, "%s.lock", zygote->path);
  zygote->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (zygote->lock < 0) return -errno;
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(zygote->lock, F_SETLK, &whole) == 0 ? 0 : -errno;
}

/* Binds relative to the folder, so that a long path is no matter. */
static int start_listening(struct zygote *zygote) {
  char copy[4096];
  memcpy(copy, zygote->path, sizeof copy);
  if (chdir(dirname(copy)) != 0) return -errno;
  memcpy(copy, zygote->path, sizeof copy);
  const char *name = basename(copy);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(name) >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, name, strlen(name));
  if (unlink(name) != 0 && errno != ENOENT) return -errno; /* we hold the lock: it is a dead one's */
  zygote->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (zygote->listener < 0) return -errno;
  mode_t before = umask(0177);
  int bound = bind(zygote->listener, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  umask(before);
  if (bound != 0) return -error;
  if (listen(zygote->listener, 1024) != 0) return -errno;
  struct stat facts;
  if (stat(name, &facts) != 0) return -errno;
  zygote->inode = facts.st_ino;
  zygote->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (zygote->watch < 0) return -errno;
  /* Removing the name changes the link count: that is how the end of the folder is noticed. */
  if (inotify_add_watch(zygote->watch, name, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) < 0) return -errno;
  return chdir("/") == 0 ? 0 : -errno;
}

static int watch_signals(struct zygote *zygote) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -errno;
  zygote->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return zygote->signals < 0 ? -errno : 0;
}

static bool is_ours(int client) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

/* The child keeps the connection and nothing else of the zygote's. */
static void become_handler(struct zygote *zygote, int client) {
  pid_t parent = getppid();
  fd_close(&zygote->lock);
  fd_close(&zygote->listener);
  fd_close(&zygote->signals);
  fd_close(&zygote->watch);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  _exit(handle_connection(client, parent));
}

static void accept_clients(struct zygote *zygote) {
  for (;;) {
    fd_scoped int client = accept4(zygote->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) {
      /* Out of descriptors or memory: the client waits in the backlog; do not spin. */
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) poll(NULL, 0, 50);
      return;
    }
    if (!is_ours(client)) continue;
    if (fork() == 0) become_handler(zygote, client); /* a fork that fails closes the connection: the client is told so by it */
  }
}

static bool socket_is_ours(const struct zygote *zygote) {
  struct stat facts;
  return lstat(zygote->path, &facts) == 0 && facts.st_ino == zygote->inode;
}

static void serve(struct zygote *zygote) {
  struct pollfd ready[] = {
      {.fd = zygote->listener, .events = POLLIN}, {.fd = zygote->signals, .events = POLLIN}, {.fd = zygote->watch, .events = POLLIN}};
  for (;;) {
    if (poll(ready, 3, -1) < 0 && errno != EINTR) return;
    if (ready[1].revents != 0) {
      struct signalfd_siginfo info;
      bool stop = false;
      while (read(zygote->signals, &info, sizeof info) == (ssize_t)sizeof info) stop |= info.ssi_signo == SIGTERM;
      while (waitpid(-1, NULL, WNOHANG) > 0) {
      }
      if (stop) break;
    }
    if (ready[2].revents != 0) {
      char events[1024];
      while (read(zygote->watch, events, sizeof events) > 0) {
      }
      if (!socket_is_ours(zygote)) return;
    }
    if (ready[0].revents != 0) accept_clients(zygote);
  }
  if (socket_is_ours(zygote)) unlink(zygote->path);
}

static int prepare(struct zygote *zygote, const char **step) {
  *step = "take the lock";
  int result = take_lock(zygote);
  if (result < 0) return result;
  *step = "listen";
  result = start_listening(zygote);
  if (result < 0) return result;
  *step = "watch signals";
  return watch_signals(zygote);
}

static void background(struct zygote *zygote, int report) {
  if (setsid() < 0) _exit(STATUS_FAILED);
  umask(022);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "slipway-zygote");
  const char *step = "";
  int result = prepare(zygote, &step);
  unsigned char status = result == 0 ? STATUS_LISTENS : result == -EAGAIN || result == -EACCES ? STATUS_LOCKED : STATUS_FAILED;
  if (result < 0) dprintf(2, "slipway-shim: cannot %s at %s: %s\n", step, zygote->path, strerror(-result));
  if (result == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
      if (null < 0 || dup2(null, fd) < 0) status = STATUS_FAILED;
    fd_close(&null);
  }
  if (fd_write_all(report, &status, 1) < 0) _exit(STATUS_FAILED);
  fd_close(&report);
  if (status == STATUS_LISTENS) serve(zygote);
  _exit(status);
}

int zygote_main(const char *socket_path) {
  static struct zygote zygote;
  zygote.lock = zygote.listener = zygote.signals = zygote.watch = -1;
  if (*socket_path != '/' || strlen(socket_path) >= sizeof zygote.path) {
    dprintf(2, "slipway-shim: --socket wants an absolute path\n");
    return STATUS_FAILED;
  }
  memcpy(zygote.path, socket_path, strlen(socket_path) + 1);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return STATUS_FAILED;
  fd_scoped int reading = report[0];
  fd_scoped int writing = report[1];
  pid_t pid = fork();
  if (pid < 0) return STATUS_FAILED;
  if (pid == 0) {
    fd_close(&reading);
    background(&zygote, fd_take(&writing));
  }
  fd_close(&writing);
  unsigned char status = STATUS_FAILED;
  if (fd_read_exactly(reading, &status, 1) <= 0) return STATUS_FAILED;
  return status;
}
