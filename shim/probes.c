#include "probes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"
#include "frame.h"
#include "title.h"

#define HEAD 8u
#define OUTPUT_MOST 4096u
/* How long output is awaited after the end when somebody else holds the pipe. */
#define DRAIN_NS 2000000000u
#define NULL_DEVICE 4

struct probe {
  pid_t pid; /* 0: none runs */
  int output;
  bool ended, more;
  int status;
  uint64_t ended_ns;
  uint32_t length;
  unsigned char frame[HEAD + OUTPUT_MOST];
};

static sigset_t mask_before;
/* A child that shares our memory until its exec says here why there was none. */
static volatile int start_error;

static void on_child(int number) {
  (void)number; /* it is enough that ppoll comes back */
}

static int tell(struct probe *probe, uint8_t what, uint32_t number) {
  probe->frame[0] = what;
  probe->frame[1] = probe->more;
  probe->frame[2] = (unsigned char)(probe->length >> 8);
  probe->frame[3] = (unsigned char)probe->length;
  put_u32(probe->frame + 4, number);
  int result = fd_write_all(1, probe->frame, HEAD + probe->length);
  probe->length = 0;
  probe->more = false;
  return result;
}

/* In the child, whose memory is ours. */
static void become(char **argv, int output, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &mask_before, NULL);
  if (setsid() >= 0 && dup2(NULL_DEVICE, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0) execvp(argv[0], argv);
  start_error = errno;
  _exit(127);
}

/* 0 or an errno. */
static int start(struct probe *probe, char **argv) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  fd_scoped int reading = ends[0];
  fd_scoped int writing = ends[1];
  pid_t parent = getpid();
  start_error = 0;
  /* Nothing is copied, so it needs no more memory than the program itself. */
  pid_t pid = vfork();
  if (pid < 0) return errno;
  if (pid == 0) become(argv, ends[1], parent);
  if (start_error != 0) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return start_error;
  }
  fd_set_nonblocking(reading, true);
  probe->pid = pid;
  probe->output = fd_take(&reading);
  probe->ended = false;
  return 0;
}

static void kill_group(const struct probe *probe) {
  if (probe->pid > 0 && !probe->ended) kill(-probe->pid, SIGKILL); /* not reaped, so the number is its own */
}

static void take_output(struct probe *probe) {
  /* As much as a pipe holds, then other things have their turn. */
  for (int turn = 0; turn < 16; turn++) {
    unsigned char spare[OUTPUT_MOST];
    uint32_t room = OUTPUT_MOST - probe->length;
    ssize_t got = read(probe->output, room > 0 ? probe->frame + HEAD + probe->length : spare, room > 0 ? room : sizeof spare);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      fd_close(&probe->output);
      return;
    }
    if (room > 0) probe->length += (uint32_t)got;
    else probe->more = true;
  }
}

static void look_for_end(struct probe *probe) {
  int status;
  if (probe->pid == 0 || probe->ended || waitpid(probe->pid, &status, WNOHANG) <= 0) return;
  probe->ended = true;
  probe->ended_ns = now_monotonic_ns();
  probe->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int finish_if_over(struct probe *probe) {
  if (probe->pid == 0 || !probe->ended) return 0;
  if (probe->output >= 0 && now_monotonic_ns() - probe->ended_ns < DRAIN_NS) return 0;
  fd_close(&probe->output);
  probe->pid = 0;
  return tell(probe, 'E', (uint32_t)probe->status);
}

/* < 0: we are no longer needed. */
static int obey(struct probe *probe, char **argv) {
  char word;
  ssize_t got = read(0, &word, 1);
  if (got < 0 && errno == EINTR) return 0;
  if (got <= 0) return -EPIPE;
  if (word == 'k') kill_group(probe);
  if (word != 'r') return 0;
  if (probe->pid != 0) return -EBADMSG;
  int error = start(probe, argv);
  return error == 0 ? 0 : tell(probe, 'F', (uint32_t)error);
}

static int step(struct probe *probe, char **argv) {
  struct pollfd ready[] = {{.fd = 0, .events = POLLIN}, {.fd = probe->output, .events = POLLIN}};
  struct timespec drain = {.tv_nsec = 100000000};
  bool drains = probe->pid != 0 && probe->ended;
  if (ppoll(ready, 2, drains ? &drain : NULL, &mask_before) < 0 && errno != EINTR) return -errno;
  int result = ready[0].revents == 0 ? 0 : obey(probe, argv);
  look_for_end(probe);
  if (ready[1].revents != 0 || (probe->output >= 0 && probe->ended)) take_output(probe);
  return result < 0 ? result : finish_if_over(probe);
}

/* Who looks for the check's program among the processes must not find its words here: they move, out of what ps shows. */
static int hide_words(int argc, char **argv) {
  size_t size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[2]);
  static char *words;
  words = malloc(size);
  if (words == NULL) return -ENOMEM;
  memcpy(words, argv[2], size);
  title_open(argc, argv);
  for (int i = argc - 1; i >= 2; i--) argv[i] = words + (argv[i] - argv[2]);
  title_set("slipway-probes");
  prctl(PR_SET_NAME, "slipway-probes");
  return 0;
}

int probes_main(int argc, char **argv) {
  fd_close_from(NULL_DEVICE + 1);
  close(NULL_DEVICE - 1); /* this program */
  fcntl(NULL_DEVICE, F_SETFD, FD_CLOEXEC);
  if (hide_words(argc, argv) < 0) return 1;
  signal(SIGPIPE, SIG_IGN);
  struct sigaction child = {.sa_handler = on_child};
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  if (sigaction(SIGCHLD, &child, NULL) != 0 || sigprocmask(SIG_BLOCK, &blocked, &mask_before) != 0) return 1;
  static struct probe probe;
  probe.output = -1;
  int result = tell(&probe, 'R', 0);
  while (result == 0) result = step(&probe, argv + 2);
  kill_group(&probe);
  if (probe.pid > 0 && !probe.ended) waitpid(probe.pid, NULL, 0); /* whoever inherits it may not reap */
  return 0;
}
