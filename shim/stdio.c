#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"
#include "null.h"

#define RESUME_NS 1000000000u

static int make_pipe(int *here, int *there, int ours) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  *here = ends[ours];
  *there = ends[1 - ours];
  return fd_set_nonblocking(*here, true);
}

int stdio_give(const struct monitor *monitor, int fd) {
  if (monitor->userns.fd < 0 || fd < 0) return 0;
  return fchown(fd, monitor->userns.root_uid, monitor->userns.root_gid) == 0 ? 0 : -errno;
}

int stdio_or_null(const struct monitor *monitor, int fd) {
  return fd < 0 ? monitor->null : fd;
}

void stdio_close_child_ends(struct monitor *monitor) {
  fd_close(&monitor->child_in);
  fd_close(&monitor->child_out);
  fd_close(&monitor->child_err);
}

void stdio_take_error(int fd, char *text, size_t size) {
  size_t done = 0;
  while (done + 1 < size) {
    ssize_t got = read(fd, text + done, size - 1 - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += (size_t)got;
  }
  while (done > 0 && (text[done - 1] == '\n' || text[done - 1] == '\r')) done--;
  text[done] = '\0';
}

/* ---- output ---- */

static void end_pipe(struct pipe_out *pipe) {
  struct monitor *monitor = pipe->monitor;
  int fd = pipe->source.fd;
  loop_forget(&pipe->source);
  if (fd == monitor->terminal) monitor->terminal = -1;
  fd_close(&fd);
  if (monitor->out.source.fd < 0 && monitor->err.source.fd < 0 && monitor->state == STATE_EXITED) monitor_drained(monitor);
}

static void want_output(struct monitor *monitor, bool wanted) {
  uint32_t out = wanted ? EPOLLIN : 0;
  if (monitor->terminal_wants_room) out |= EPOLLOUT;
  loop_change(&monitor->out.source, out);
  loop_change(&monitor->err.source, wanted ? EPOLLIN : 0);
}

/* Makes room in the log; false when a slow but moving reader still needs what would be thrown away. */
static bool make_room(struct monitor *monitor) {
  if (!log_is_full(&monitor->log)) return true;
  uint32_t victim = log_drop_candidate(&monitor->log);
  if (victim != 0 && attach_delays(monitor, victim)) {
    monitor->paused = true;
    want_output(monitor, false);
    timer_set(&monitor->resume, RESUME_NS);
    return false;
  }
  log_rotate(&monitor->log);
  return true;
}

void stdio_maybe_resume(struct monitor *monitor) {
  if (!monitor->paused || !make_room(monitor)) return;
  monitor->paused = false;
  timer_stop(&monitor->resume);
  want_output(monitor, true);
}

static void on_resume(void *owner) {
  stdio_maybe_resume(owner);
}

static void read_output(struct pipe_out *pipe) {
  struct monitor *monitor = pipe->monitor;
  for (int turn = 0; turn < 16 && pipe->source.fd >= 0; turn++) {
    if (monitor->paused || !make_room(monitor)) return;
    ssize_t got = fd_read_output(pipe->source.fd, scratch, sizeof scratch);
    if (got < 0) return;
    if (got == 0) {
      end_pipe(pipe);
      return;
    }
    log_append(&monitor->log, pipe->stream, now_real_ns(), scratch, (uint32_t)got);
    attach_feed_all(monitor);
  }
}

static void on_output(void *owner, uint32_t events) {
  struct pipe_out *pipe = owner;
  struct monitor *monitor = pipe->monitor;
  if (events & EPOLLOUT && monitor->terminal_wants_room) {
    monitor->terminal_wants_room = false;
    loop_change(&pipe->source, pipe->source.events & ~(uint32_t)EPOLLOUT);
    clients_resume_input(monitor, NULL);
  }
  if (pipe->source.fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  read_output(pipe);
}

/* ---- input ---- */

static void on_input_ready(void *owner, uint32_t events) {
  struct monitor *monitor = owner;
  loop_change(&monitor->in, 0);
  if (events & EPOLLERR) stdio_close_input(monitor, true); /* the container closed its stdin: what comes is thrown away */
  clients_resume_input(monitor, NULL);
}

int stdio_input(const struct monitor *monitor) {
  if (!monitor->stdin_open || monitor->stdin_closed || monitor->state >= STATE_EXITED) return -1;
  if (!monitor->tty) return monitor->in.fd;
  if (monitor->terminal >= 0) return monitor->terminal;
  return monitor->state < STATE_RUNNING ? -2 : -1;
}

void stdio_await_room(struct monitor *monitor) {
  if (!monitor->tty) {
    loop_change(&monitor->in, EPOLLOUT);
  } else if (monitor->terminal >= 0) {
    monitor->terminal_wants_room = true;
    loop_change(&monitor->out.source, monitor->out.source.events | EPOLLOUT);
  }
}

void stdio_close_input(struct monitor *monitor, bool force) {
  if (monitor->tty || (!force && !monitor->stdin_once)) return;
  monitor->stdin_closed = true;
  int fd = monitor->in.fd;
  loop_forget(&monitor->in);
  fd_close(&fd);
}

/* ---- begin and end ---- */

int stdio_open(struct monitor *monitor, struct failure *failure) {
  int result = 0;
  if (monitor->tty) {
    monitor->console_listener = console_listen(monitor->console == NULL ? "" : monitor->console);
    if (monitor->console_listener < 0) return fail(failure, "spawn", -monitor->console_listener, "console socket");
  } else {
    if (monitor->stdin_open) result = make_pipe(&monitor->in.fd, &monitor->child_in, 1);
    if (result == 0) result = make_pipe(&monitor->out.source.fd, &monitor->child_out, 0);
  }
  if (result == 0) result = make_pipe(&monitor->err.source.fd, &monitor->child_err, 0);
  if (result == 0) result = stdio_give(monitor, monitor->child_in);
  if (result == 0) result = stdio_give(monitor, monitor->child_out);
  if (result == 0) result = stdio_give(monitor, monitor->child_err);
  if (result == 0) result = monitor->null = null_open();
  if (result < 0) return fail(failure, "spawn", -result, "pipes");
  result = 0;
  monitor->in.owner = monitor;
  monitor->in.ready = on_input_ready;
  monitor->resume = (struct timer){.owner = monitor, .fire = on_resume};
  if (result == 0 && monitor->in.fd >= 0) result = loop_watch(&monitor->in, monitor->in.fd, 0);
  return result < 0 ? fail(failure, "spawn", -result, "pipes") : 0;
}

static int watch_output(struct pipe_out *pipe, int fd) {
  pipe->source.owner = pipe;
  pipe->source.ready = on_output;
  return loop_watch(&pipe->source, fd, EPOLLIN);
}

int stdio_begin(struct monitor *monitor, struct failure *failure) {
  int result = 0;
  if (monitor->tty) {
    fd_close(&monitor->err.source.fd); /* it was for the runtime's own words */
    monitor->terminal = console_take(monitor->console_listener, monitor->console);
    fd_close(&monitor->console_listener);
    if (monitor->terminal < 0) return fail(failure, "runtime", -monitor->terminal, "the runtime sent no terminal");
    uint64_t rows = request_number(&monitor->start, FIELD_ROWS, 0);
    uint64_t columns = request_number(&monitor->start, FIELD_COLUMNS, 0);
    if (rows > 0 || columns > 0) terminal_resize(monitor->terminal, rows, columns);
    result = watch_output(&monitor->out, monitor->terminal);
  } else {
    result = watch_output(&monitor->out, monitor->out.source.fd);
    if (result == 0) result = watch_output(&monitor->err, monitor->err.source.fd);
  }
  if (result < 0) return fail(failure, "spawn", -result, "watch");
  return 0;
}

void stdio_drain_after_exit(struct monitor *monitor) {
  if (monitor->out.source.fd < 0 && monitor->err.source.fd < 0) {
    monitor_drained(monitor);
    return;
  }
  timer_set(&monitor->drain, DRAIN_NS);
}
