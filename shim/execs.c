/* Programs started in the container beside its init: the runtime leaves each one to us, as we are the subreaper. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"
#include "sealed.h"
#include "spawn.h"

struct exec_out {
  struct source source;
  uint8_t type;
  struct exec *exec;
};

struct exec {
  struct monitor *monitor;
  struct client *client; /* NULL: gone, output is thrown away */
  struct request request;
  struct child runtime, process;
  pid_t pid; /* 0 until it runs */
  bool tty, ended, discard, input_blocked;
  int status;
  int console_listener;
  struct source in; /* stdin pipe; with a terminal `out` watches its master for both */
  struct exec_out out, err;
  struct output *output; /* NULL: thrown away */
  struct timer drain;
  struct exec *next;
};

static void close_source(struct source *source) {
  int fd = source->fd;
  loop_forget(source);
  fd_close(&fd);
}

static void update(struct exec *exec) {
  uint32_t readable = exec_wants_room(exec) ? 0 : EPOLLIN;
  uint32_t writable = exec->input_blocked ? EPOLLOUT : 0;
  loop_change(&exec->out.source, exec->tty ? readable | writable : readable);
  loop_change(&exec->err.source, readable);
  loop_change(&exec->in, writable);
  if (exec->client != NULL) client_update(exec->client);
}

bool exec_wants_room(const struct exec *exec) {
  return exec->output != NULL && exec->output->length > exec->output->sent;
}

/* ---- the end ---- */

static void release(struct exec *exec) {
  struct exec **at = &exec->monitor->execs;
  while (*at != exec) at = &(*at)->next;
  *at = exec->next;
  timer_stop(&exec->drain);
  close_source(&exec->in);
  close_source(&exec->out.source);
  close_source(&exec->err.source);
  fd_close(&exec->console_listener);
  struct client *client = exec->client;
  exec->client = NULL;
  if (client != NULL) {
    client->exec = NULL;
    client_leave(client);
  }
  free(exec->output);
  request_free(&exec->request);
  free(exec);
}

static void refuse(struct exec *exec, struct failure *failure, int status) {
  if (exec->client != NULL) send_failure(exec->client->source.fd, failure, status);
  release(exec);
}

/* True when the exec is over and has been released. */
static bool finish_if_over(struct exec *exec) {
  bool open = exec->out.source.fd >= 0 || exec->err.source.fd >= 0;
  if (!exec->ended || open || exec_wants_room(exec)) return false;
  if (exec->client != NULL) {
    struct reply reply;
    reply_begin(&reply, FRAME_EXIT);
    reply_wait_status(&reply, exec->status);
    if (reply_send(&reply, exec->client->source.fd) == -EAGAIN) {
      timer_set(&exec->drain, 50000000); /* its socket is full of our output: again soon */
      return false;
    }
  }
  release(exec);
  return true;
}

static void on_drain(void *owner) {
  struct exec *exec = owner;
  if (!exec_wants_room(exec)) {
    close_source(&exec->out.source);
    close_source(&exec->err.source);
  } else {
    timer_set(&exec->drain, DRAIN_NS);
  }
  finish_if_over(exec);
}

static void on_process_ended(void *owner, int status) {
  struct exec *exec = owner;
  exec->ended = true;
  exec->status = status;
  if (!finish_if_over(exec)) timer_set(&exec->drain, DRAIN_NS);
}

/* ---- output and input ---- */

static void on_output(void *owner, uint32_t events) {
  struct exec_out *out = owner;
  struct exec *exec = out->exec;
  if (events & EPOLLOUT && exec->tty) {
    exec->input_blocked = false;
    clients_resume_input(exec->monitor, exec);
  }
  if (out->source.fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    bool discards = exec->output == NULL || exec->client == NULL;
    int result = discards ? output_discard(out->source.fd)
                          : output_pump(exec->output, out->source.fd, out->type, exec->client->source.fd);
    if (result == PUMP_END) close_source(&out->source);
    if (result < 0) client_close(exec->client);
  }
  update(exec);
  finish_if_over(exec);
}

void exec_client_ready(struct client *client) {
  struct exec *exec = client->exec;
  if (exec->output == NULL) return;
  if (output_flush(exec->output, client->source.fd) < 0) {
    client_close(client);
    return;
  }
  update(exec);
  finish_if_over(exec);
}

static void on_input_ready(void *owner, uint32_t events) {
  struct exec *exec = owner;
  exec->input_blocked = false;
  if (events & EPOLLERR) close_source(&exec->in);
  else loop_change(&exec->in, 0);
  clients_resume_input(exec->monitor, exec);
}

int exec_input(const struct exec *exec) {
  if (!exec->tty) return exec->in.fd;
  if (!request_number(&exec->request, FIELD_STDIN_OPEN, 0) || exec->ended) return -1;
  return exec->pid == 0 ? -2 : exec->out.source.fd;
}

void exec_await_room(struct exec *exec) {
  exec->input_blocked = true;
  if (exec->pid != 0) update(exec);
}

void exec_end_input(struct client *client) {
  if (!client->exec->tty) close_source(&client->exec->in);
}

void exec_client_lost(struct client *client) {
  struct exec *exec = client->exec;
  exec->client = NULL;
  client->exec = NULL;
  free(exec->output);
  exec->output = NULL;
  exec->input_blocked = false;
  if (!exec->tty) close_source(&exec->in);
  if (exec->pid == 0) return;
  update(exec);
  /* Whoever called may still be using it: its end comes with the next event. */
  if (exec->ended) timer_set(&exec->drain, 0);
}

int exec_resize(struct monitor *monitor, pid_t pid, uint64_t rows, uint64_t columns) {
  for (struct exec *exec = monitor->execs; exec != NULL; exec = exec->next)
    if (exec->pid == pid) return exec->tty ? terminal_resize(exec->out.source.fd, rows, columns) : -ENOTTY;
  return -ESRCH;
}

int exec_kill(struct monitor *monitor, pid_t pid) {
  for (struct exec *exec = monitor->execs; exec != NULL; exec = exec->next) {
    if (exec->pid != pid || pid == 0 || exec->ended) continue;
    /* Each runtime that we start has a session of its own, which its program inherits or replaces by another one. */
    pid_t group = getpgid(pid);
    bool is_its_own = group > 0 && group != getpgrp() && group != getpgid(monitor->init_pid);
    /* The program is our child and not reaped before its end is noted, so the number is its own. */
    return kill(is_its_own ? -group : pid, SIGKILL) == 0 ? 0 : -errno;
  }
  return -ESRCH;
}

/* ---- the beginning ---- */

static int take_over(struct exec *exec, struct failure *failure) {
  pid_t pid = inherit_process(request_text(&exec->request, FIELD_PID_FILE), failure);
  if (pid < 0) return pid;
  int result = 0;
  if (exec->tty) {
    close_source(&exec->err.source); /* it was for the runtime's own words */
    int terminal = console_take(exec->console_listener, request_text(&exec->request, FIELD_CONSOLE));
    if (terminal < 0) return fail(failure, "runtime", -terminal, "the runtime sent no terminal");
    exec->out.source.fd = terminal;
    uint64_t rows = request_number(&exec->request, FIELD_ROWS, 0);
    uint64_t columns = request_number(&exec->request, FIELD_COLUMNS, 0);
    if (rows > 0 || columns > 0) terminal_resize(terminal, rows, columns);
  }
  result = loop_watch(&exec->out.source, exec->out.source.fd, EPOLLIN);
  if (result == 0 && exec->err.source.fd >= 0) result = loop_watch(&exec->err.source, exec->err.source.fd, EPOLLIN);
  if (result < 0) return fail(failure, "spawn", -result, "watch");
  exec->pid = pid;
  exec->process = (struct child){.pid = pid, .owner = exec, .ended = on_process_ended};
  child_add(&exec->process);
  return 0;
}

static void on_runtime_ended(void *owner, int status) {
  struct exec *exec = owner;
  struct failure failure = {.stage = "runtime"};
  if (exit_code_of(status) != 0) {
    stdio_take_error(exec->err.source.fd, failure.text, sizeof failure.text);
    refuse(exec, &failure, exit_code_of(status) < 0 ? 128 + signal_of(status) : exit_code_of(status));
    return;
  }
  if (take_over(exec, &failure) < 0) {
    refuse(exec, &failure, -1);
    return;
  }
  if (exec->client == NULL) return;
  struct reply reply;
  reply_begin(&reply, FRAME_STARTED);
  reply_number(&reply, FIELD_PID, (uint64_t)exec->pid);
  reply_number(&reply, FIELD_TIME_NS, now_real_ns());
  if (reply_send(&reply, exec->client->source.fd) < 0) {
    client_close(exec->client);
    return;
  }
  exec->input_blocked = false;
  clients_resume_input(exec->monitor, exec);
}

static int make_pipe(int *here, int *there, int ours) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  *here = ends[ours];
  *there = ends[1 - ours];
  return fd_set_nonblocking(*here, true);
}

static int run_runtime(struct exec *exec, struct failure *failure) {
  fd_scoped int in = -1;
  fd_scoped int out = -1;
  fd_scoped int err = -1;
  int result = make_pipe(&exec->err.source.fd, &err, 0);
  if (exec->tty) {
    const char *name = request_text(&exec->request, FIELD_CONSOLE);
    exec->console_listener = console_listen(name == NULL ? "" : name);
    if (exec->console_listener < 0) return fail(failure, "spawn", -exec->console_listener, "console socket");
  } else {
    if (result == 0 && request_number(&exec->request, FIELD_STDIN_OPEN, 0)) result = make_pipe(&exec->in.fd, &in, 1);
    if (result == 0 && !exec->discard) result = make_pipe(&exec->out.source.fd, &out, 0);
  }
  const struct monitor *monitor = exec->monitor;
  if (result == 0) result = stdio_give(monitor, in);
  if (result == 0) result = stdio_give(monitor, out);
  if (result == 0) result = stdio_give(monitor, err);
  if (result < 0) return fail(failure, "spawn", -result, "pipes");
  if (!exec->discard && (exec->output = calloc(1, sizeof *exec->output)) == NULL) return fail(failure, "spawn", ENOMEM, "exec");
  char **argv = request_list(&exec->request, FIELD_RUNTIME_ARGV);
  if (argv == NULL || argv[0] == NULL || !request_has(&exec->request, FIELD_PID_FILE)) {
    free(argv);
    return fail(failure, "request", EINVAL, "exec wants a runtime and a pid file");
  }
  int given[] = {sealed_self(), monitor->null};
  bool gives = request_number(&exec->request, FIELD_GIVES_SHIM, 0) != 0;
  struct spawn what = {
      .argv = argv,
      .env = runtime_environment,
      .given = given,
      .given_count = gives ? 2 : 0,
      .in = stdio_or_null(monitor, in),
      .out = stdio_or_null(monitor, out),
      .err = stdio_or_null(monitor, err),
  };
  pid_t pid = spawn(&what, failure);
  free(argv);
  if (pid < 0) return pid;
  exec->runtime = (struct child){.pid = pid, .is_runtime = true, .owner = exec, .ended = on_runtime_ended};
  child_add(&exec->runtime);
  return 0;
}

void exec_begin(struct client *client, struct request *request) {
  struct monitor *monitor = client->monitor;
  struct failure failure = {0};
  struct exec *exec = monitor->state == STATE_RUNNING ? calloc(1, sizeof *exec) : NULL;
  if (exec == NULL) {
    fail(&failure, "request", monitor->state == STATE_RUNNING ? ENOMEM : ESRCH, "exec");
    send_failure(client->source.fd, &failure, -1);
    client_close(client);
    return;
  }
  exec->monitor = monitor;
  exec->client = client;
  exec->request = *request;
  *request = (struct request){0};
  exec->tty = request_number(&exec->request, FIELD_TTY, 0) != 0;
  exec->discard = request_number(&exec->request, FIELD_DISCARD, 0) != 0;
  exec->console_listener = -1;
  exec->in = (struct source){-1, 0, exec, on_input_ready};
  exec->out = (struct exec_out){{-1, 0, &exec->out, on_output}, FRAME_STDOUT, exec};
  exec->err = (struct exec_out){{-1, 0, &exec->err, on_output}, FRAME_STDERR, exec};
  exec->drain = (struct timer){.owner = exec, .fire = on_drain};
  exec->next = monitor->execs;
  monitor->execs = exec;
  client->kind = CLIENT_EXEC;
  client->exec = exec;
  if (run_runtime(exec, &failure) < 0) refuse(exec, &failure, -1);
}
