/* FRAME_RUN: one program for one client; when the client goes, the program goes. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builtin.h"
#include "fail.h"
#include "fd.h"
#include "frame.h"
#include "handler.h"
#include "loop.h"
#include "mountplan.h"
#include "output.h"
#include "spawn.h"
#include "tree.h"

#define DRAIN_NS 2000000000u

struct pump {
  struct source source;
  uint8_t type;
  struct run *run;
};

struct run {
  pid_t pid;
  int client;
  int in;
  struct source client_source, in_source;
  struct pump out, err;
  struct inbound inbound;
  struct output output;
  bool input_blocked, timed_out, ended, drained, finished, lost;
  int status;
  struct timer limit, drain;
  struct child child;
};

/* ---- in the program's process, before the exec ---- */

static int enter_netns(const char *path, struct failure *failure) {
  fd_scoped int netns = open(path, O_RDONLY | O_CLOEXEC);
  if (netns < 0) return fail(failure, "spawn", errno, "network namespace %s", path);
  return setns(netns, CLONE_NEWNET) == 0 ? 0 : fail(failure, "spawn", errno, "network namespace %s", path);
}

static int enter_tree(const struct request *request, const char *tree, struct failure *failure) {
  const char *folder = request_text(request, FIELD_TREE_FOLDER);
  if (request_has(request, FIELD_BUILTIN)) return tree_become_root(tree, folder, failure);
  return tree_enter(tree, folder, request_has(request, FIELD_MOUNT), failure);
}

static int prepare_program(void *context, struct failure *failure) {
  const struct request *request = context;
  const char *netns = request_text(request, FIELD_NETNS);
  const char *tree = request_text(request, FIELD_TREE);
  const char *cwd = request_text(request, FIELD_CWD);
  int result = netns == NULL ? 0 : enter_netns(netns, failure);
  if (result == 0 && (tree != NULL || request_has(request, FIELD_MOUNT))) result = mounts_make_private(failure);
  if (result == 0) result = mounts_apply(request, NULL, failure);
  if (result == 0 && tree != NULL) result = enter_tree(request, tree, failure);
  if (result == 0 && cwd != NULL && chdir(cwd) != 0) result = fail(failure, "spawn", errno, "chdir %s", cwd);
  return result;
}

/* ---- the loop ---- */

static void kill_program(struct run *run) {
  if (run->pid > 0) kill(-run->pid, SIGKILL); /* its session's group: it is not reaped yet, so the number is its own */
}

static void lose_client(struct run *run) {
  run->lost = true;
  loop_forget(&run->client_source);
  kill_program(run);
}

static void close_input(struct run *run) {
  loop_forget(&run->in_source);
  fd_close(&run->in);
}

/* While a frame waits to be sent, nothing more is read from the program. */
static void update_events(struct run *run) {
  bool full = run->output.length > run->output.sent;
  loop_change(&run->out.source, full ? 0 : EPOLLIN);
  loop_change(&run->err.source, full ? 0 : EPOLLIN);
  loop_change(&run->in_source, run->input_blocked ? EPOLLOUT : 0);
  uint32_t events = EPOLLRDHUP;
  if (!run->input_blocked) events |= EPOLLIN;
  if (full) events |= EPOLLOUT;
  loop_change(&run->client_source, events);
}

static void take_input(struct run *run) {
  run->input_blocked = false;
  for (;;) {
    int result = inbound_next(&run->inbound, run->client, FRAME_MAX);
    if (result == INBOUND_INPUT) result = inbound_move(&run->inbound, run->client, run->in);
    if (result == INBOUND_EMPTY) break;
    if (result == INBOUND_FULL) {
      run->input_blocked = true;
      break;
    }
    if (result == INBOUND_FRAME) {
      uint32_t length;
      free(inbound_take(&run->inbound, &length));
      if (inbound_type(&run->inbound) == FRAME_STDIN_EOF) close_input(run);
    } else if (result != INBOUND_INPUT) {
      lose_client(run);
      return;
    }
  }
  update_events(run);
}

static void on_client(void *owner, uint32_t events) {
  struct run *run = owner;
  if (events & EPOLLOUT) {
    if (output_flush(&run->output, run->client) < 0) lose_client(run);
    update_events(run);
  }
  if (run->lost) return;
  if (events & EPOLLIN) take_input(run);
  if (!run->lost && events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) lose_client(run);
}

static void on_input_ready(void *owner, uint32_t events) {
  struct run *run = owner;
  if (events & EPOLLERR) close_input(run); /* the program closed its standard input: what comes is thrown away */
  take_input(run);
}

static void end_pump(struct pump *pump) {
  int fd = pump->source.fd;
  loop_forget(&pump->source);
  fd_close(&fd);
  if (pump->run->out.source.fd < 0 && pump->run->err.source.fd < 0) pump->run->drained = true;
}

static void on_output(void *owner, uint32_t events) {
  struct pump *pump = owner;
  struct run *run = pump->run;
  (void)events;
  int result = run->lost ? output_discard(pump->source.fd) : output_pump(&run->output, pump->source.fd, pump->type, run->client);
  if (result == PUMP_END) end_pump(pump);
  if (result < 0) lose_client(run);
  update_events(run);
}

static void on_ended(void *owner, int status) {
  struct run *run = owner;
  run->ended = true;
  run->status = status;
  run->pid = 0;
  close_input(run);
  timer_stop(&run->limit);
  timer_set(&run->drain, DRAIN_NS);
}

static void on_limit(void *owner) {
  struct run *run = owner;
  run->timed_out = true;
  kill_program(run);
}

/* Somebody else still holds the program's output: enough waited, unless it is the client that is slow. */
static void on_drain(void *owner) {
  struct run *run = owner;
  if (run->output.length > run->output.sent) {
    timer_set(&run->drain, DRAIN_NS);
    return;
  }
  run->drained = true;
}

/* The client may have sent input that nobody will read: closing on it would throw away what it has not received yet. */
static void await_client_end(int client) {
  struct timeval limit = {.tv_sec = 10};
  if (shutdown(client, SHUT_WR) != 0 || setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) return;
  while (recv(client, scratch, sizeof scratch, 0) > 0) {
  }
}

static void say_exit(struct run *run) {
  if (output_flush(&run->output, run->client) != 0) return;
  struct reply reply;
  reply_begin(&reply, FRAME_EXIT);
  if (exit_code_of(run->status) >= 0) reply_number(&reply, FIELD_CODE, (uint64_t)exit_code_of(run->status));
  reply_number(&reply, FIELD_SIGNAL, (uint64_t)signal_of(run->status));
  reply_number(&reply, FIELD_TIMED_OUT, run->timed_out);
  reply_finish(&reply);
  if (fd_set_nonblocking(run->client, false) != 0) return;
  if (fd_write_all(run->client, reply.bytes, reply.length) == 0) await_client_end(run->client);
}

/* ---- starting ---- */

static int open_files(const struct request *request, int *in, int *out, struct failure *failure) {
  const char *in_path = request_text(request, FIELD_STDIN_PATH);
  const char *out_path = request_text(request, FIELD_STDOUT_PATH);
  if (in_path != NULL) {
    *in = open(in_path, O_RDONLY | O_CLOEXEC);
    if (*in < 0) return fail(failure, "spawn", errno, "open %s", in_path);
  }
  if (out_path != NULL) {
    *out = open(out_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*out < 0) return fail(failure, "spawn", errno, "create %s", out_path);
  }
  return 0;
}

/* A pipe whose end `ours` (0 reads, 1 writes) stays here, non-blocking. */
static int make_pipe(int *here, int *there, int ours, struct failure *failure) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(failure, "spawn", errno, "pipe");
  *here = ends[ours];
  *there = ends[1 - ours];
  return fd_set_nonblocking(*here, true);
}

static int start(struct run *run, const struct request *request, struct failure *failure) {
  fd_scoped int in = -1;
  fd_scoped int out = -1;
  fd_scoped int err = -1;
  int out_here = -1;
  int err_here = -1;
  int result = open_files(request, &in, &out, failure);
  if (result == 0 && in < 0) result = make_pipe(&run->in, &in, 1, failure);
  if (result == 0 && out < 0) result = make_pipe(&out_here, &out, 0, failure);
  if (result == 0) result = make_pipe(&err_here, &err, 0, failure);
  if (result < 0) return result;
  char **argv = request_list(request, FIELD_ARGV);
  char **env = request_list(request, FIELD_ENV);
  if (argv == NULL || env == NULL || argv[0] == NULL) return fail(failure, "request", EINVAL, "no program");
  const char *builtin = request_text(request, FIELD_BUILTIN);
  struct spawn what = {.argv = argv, .env = env, .in = in, .out = out, .err = err, .dies_with_us = true,
                       .builtin = builtin == NULL || !request_has(request, FIELD_TREE) ? NULL : builtin_find(builtin),
                       .prepare = prepare_program, .context = (void *)request};
  if (builtin != NULL && what.builtin == NULL) {
    free(argv);
    free(env);
    return fail(failure, "request", EINVAL, "no builtin of that name for a process like this");
  }
  pid_t pid = spawn(&what, failure);
  free(argv);
  free(env);
  if (pid < 0) return pid;
  run->pid = pid;
  run->child = (struct child){.pid = pid, .owner = run, .ended = on_ended};
  child_add(&run->child);
  if (run->in >= 0) result = loop_watch(&run->in_source, run->in, 0);
  if (result == 0 && out_here >= 0) result = loop_watch(&run->out.source, out_here, EPOLLIN);
  if (result == 0) result = loop_watch(&run->err.source, err_here, EPOLLIN);
  return result < 0 ? fail(failure, "spawn", -result, "watch") : 0;
}

static int begin(struct run *run, const struct request *request, struct failure *failure) {
  int result = loop_open();
  if (result == 0) result = loop_reap_children();
  if (result == 0) result = fd_set_nonblocking(run->client, true);
  if (result == 0) result = loop_watch(&run->client_source, run->client, EPOLLIN | EPOLLRDHUP);
  if (result < 0) return fail(failure, "spawn", -result, "event loop");
  uint64_t limit_ms = request_number(request, FIELD_TIME_LIMIT_MS, 0);
  if (limit_ms > 0) timer_set(&run->limit, limit_ms * 1000000);
  return start(run, request, failure);
}

int run_program(int client, const struct request *request) {
  static struct run run;
  run = (struct run){.client = client, .in = -1};
  run.client_source = (struct source){-1, 0, &run, on_client};
  run.in_source = (struct source){-1, 0, &run, on_input_ready};
  run.out = (struct pump){{-1, 0, &run.out, on_output}, FRAME_STDOUT, &run};
  run.err = (struct pump){{-1, 0, &run.err, on_output}, FRAME_STDERR, &run};
  run.limit = (struct timer){.owner = &run, .fire = on_limit};
  run.drain = (struct timer){.owner = &run, .fire = on_drain};
  prctl(PR_SET_NAME, "slipway-run");
  struct failure failure = {0};
  if (begin(&run, request, &failure) < 0) {
    fd_set_nonblocking(client, false);
    return send_failure(client, &failure, -1) < 0 ? 1 : 2;
  }
  if (send_plain(client, FRAME_OK) < 0) lose_client(&run);
  while (!(run.ended && (run.drained || run.lost)))
    if (loop_step() < 0) break;
  if (!run.lost) say_exit(&run);
  return 0;
}
