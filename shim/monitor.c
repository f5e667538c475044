#include "monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "mountplan.h"
#include "ports.h"
#include "spawn.h"

#define DELETE_NS 30000000000u
#define LINGER_NS 1000000000u

/* Nothing of the daemon's own environment reaches a runtime: a NOTIFY_SOCKET, say, would make it wait for a stranger. */
static char *clean_environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
char **runtime_environment = clean_environment;

static void finish_if_over(struct monitor *monitor);

/* ---- what is told ---- */

void reply_wait_status(struct reply *reply, int status) {
  if (exit_code_of(status) >= 0) reply_number(reply, FIELD_CODE, (uint64_t)exit_code_of(status));
  reply_number(reply, FIELD_SIGNAL, (uint64_t)signal_of(status));
}

void monitor_reply_exit(const struct monitor *monitor, struct reply *reply) {
  reply_wait_status(reply, monitor->exit.status);
  reply_number(reply, FIELD_OOM, monitor->exit.oom_killed);
  reply_number(reply, FIELD_TIME_NS, monitor->exit.time_ns);
}

/* ---- delete ---- */

static void on_deleted(void *owner, int status) {
  struct monitor *monitor = owner;
  (void)status; /* it may have found nothing to delete; what it left behind is the daemon's to find */
  timer_stop(&monitor->delete_limit);
  monitor->deleting = false;
  monitor->deleted = true;
  monitor->deleted_ns = now_monotonic_ns();
  mounts_undo(&monitor->start);
}

static void on_delete_limit(void *owner) {
  struct monitor *monitor = owner;
  if (monitor->deleter.pid > 0) kill(-monitor->deleter.pid, SIGKILL);
}

static void begin_delete(struct monitor *monitor) {
  struct failure ignored;
  char **argv = request_list(&monitor->start, FIELD_DELETE_ARGV);
  pid_t pid = -EINVAL;
  if (argv != NULL && argv[0] != NULL) {
    struct spawn what = {.argv = argv, .env = runtime_environment, .in = -1, .out = -1, .err = -1};
    pid = spawn(&what, &ignored);
  }
  free(argv);
  if (pid < 0) {
    on_deleted(monitor, 0);
    return;
  }
  monitor->deleting = true;
  monitor->deleter = (struct child){.pid = pid, .owner = monitor, .ended = on_deleted};
  child_add(&monitor->deleter);
  monitor->delete_limit = (struct timer){.owner = monitor, .fire = on_delete_limit};
  timer_set(&monitor->delete_limit, DELETE_NS);
}

/* ---- a start that failed ---- */

/* Undoes everything before the failure is told, so that nothing is left when the client hears of it. */
static void give_up(struct monitor *monitor, struct failure *failure, int status) {
  monitor->state = STATE_FAILED;
  ports_close();
  begin_delete(monitor);
  while (monitor->deleting && loop_step() >= 0) {
  }
  clients_stop_listening(monitor);
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind != CLIENT_FREE && client->starter) send_failure(client->source.fd, failure, status);
  }
  _exit(0);
}

/* ---- the container's life ---- */

/* Its init has ended: the runtime cleans up while we read what is left in the pipes. */
static void on_init_ended(void *owner, int status) {
  struct monitor *monitor = owner;
  monitor->state = STATE_EXITED;
  ports_close(); /* whoever hears of the end may want them */
  monitor->exit.status = status;
  monitor->exit.time_ns = now_real_ns();
  oom_look(monitor);
  oom_unwatch(monitor);
  monitor->exit.oom_killed = monitor->oom_kills > 0;
  begin_delete(monitor);
  stdio_drain_after_exit(monitor);
}

static void on_drain_limit(void *owner) {
  struct monitor *monitor = owner;
  if (monitor->paused) timer_set(&monitor->drain, DRAIN_NS); /* it is a reader that is slow, and it moves */
  else monitor_drained(monitor);
}

void monitor_drained(struct monitor *monitor) {
  if (monitor->drained) return;
  monitor->drained = true;
  timer_stop(&monitor->drain);
  timer_stop(&monitor->resume);
  attach_keep_log(monitor);   /* whoever hears of the end may remove the log */
  exit_record_write(monitor); /* a full disk must not keep the news from those who listen */
  struct reply reply;
  reply_begin(&reply, FRAME_EXIT);
  monitor_reply_exit(monitor, &reply);
  clients_tell(monitor, &reply);
  attach_feed_all(monitor);
}

static int take_over(struct monitor *monitor, struct failure *failure) {
  pid_t pid = inherit_process(monitor->pid_file, failure);
  if (pid < 0) return pid;
  monitor->init_pid = pid;
  monitor->started_ns = now_real_ns();
  return stdio_begin(monitor, failure);
}

/* For a runtime that says nothing itself. */
static void say_end(struct failure *failure, int status) {
  const char *how = signal_of(status) > 0 ? "was killed by signal" : "ended with status";
  int number = signal_of(status) > 0 ? signal_of(status) : exit_code_of(status);
  snprintf(failure->text, sizeof failure->text, "the runtime %s %d and said nothing", how, number);
}

static void on_runtime_ended(void *owner, int status) {
  struct monitor *monitor = owner;
  struct failure failure = {.stage = "runtime"};
  timer_stop(&monitor->runtime_limit);
  if (monitor->runtime_late) {
    snprintf(failure.text, sizeof failure.text, "the runtime did not come to an end in time and was killed");
    give_up(monitor, &failure, -1);
  }
  if (exit_code_of(status) != 0) {
    stdio_take_error(monitor->err.source.fd, failure.text, sizeof failure.text);
    if (failure.text[0] == '\0') say_end(&failure, status);
    give_up(monitor, &failure, exit_code_of(status) < 0 ? 128 + signal_of(status) : exit_code_of(status));
  }
  if (take_over(monitor, &failure) < 0) give_up(monitor, &failure, -1);
  monitor->state = STATE_RUNNING;
  monitor->init = (struct child){.pid = monitor->init_pid, .owner = monitor, .ended = on_init_ended};
  child_add(&monitor->init);
  struct reply reply;
  reply_begin(&reply, FRAME_STARTED);
  reply_number(&reply, FIELD_PID, (uint64_t)monitor->init_pid);
  reply_number(&reply, FIELD_TIME_NS, monitor->started_ns);
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind == CLIENT_FREE || !client->starter) continue;
    client->kind = CLIENT_WATCHING;
    if (reply_send(&reply, client->source.fd) < 0) client_close(client);
  }
  oom_watch(monitor);
  clients_resume_input(monitor, NULL);
}

/* Whatever it waits for: a start must not hold its container for ever. */
static void on_runtime_limit(void *owner) {
  struct monitor *monitor = owner;
  monitor->runtime_late = true;
  if (monitor->runtime.pid > 0) kill(-monitor->runtime.pid, SIGKILL);
}

void monitor_go(struct monitor *monitor) {
  if (monitor->state != STATE_HELD) return;
  monitor->state = STATE_STARTING;
  struct failure failure = {0};
  char **argv = request_list(&monitor->start, FIELD_RUNTIME_ARGV);
  if (argv == NULL || argv[0] == NULL) {
    fail(&failure, "request", EINVAL, "no runtime");
    give_up(monitor, &failure, -1);
  }
  struct spawn what = {
      .argv = argv,
      .env = runtime_environment,
      .in = stdio_or_null(monitor, monitor->child_in),
      .out = stdio_or_null(monitor, monitor->child_out),
      .err = stdio_or_null(monitor, monitor->child_err),
  };
  pid_t pid = spawn(&what, &failure);
  free(argv);
  stdio_close_child_ends(monitor);
  if (pid < 0) give_up(monitor, &failure, -1);
  monitor->runtime = (struct child){.pid = pid, .is_runtime = true, .owner = monitor, .ended = on_runtime_ended};
  child_add(&monitor->runtime);
  uint64_t limit_ms = request_number(&monitor->start, FIELD_TIME_LIMIT_MS, 0);
  monitor->runtime_limit = (struct timer){.owner = monitor, .fire = on_runtime_limit};
  if (limit_ms > 0) timer_set(&monitor->runtime_limit, limit_ms * 1000000);
}

void monitor_lost_starter(struct monitor *monitor) {
  if (monitor->state != STATE_HELD) return;
  clients_stop_listening(monitor);
  _exit(0); /* nothing runs yet; the mounts go with us */
}

/* ---- the end ---- */

/* Slow readers may take what is left; those that do not move are not waited for. */
static bool somebody_reads(const struct monitor *monitor) {
  uint64_t now = now_monotonic_ns();
  bool recent = now - monitor->deleted_ns < STALL_NS;
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    const struct client *client = &monitor->clients[i];
    if (client->kind == CLIENT_ATTACHED && now - client->cursor.progress_ns < STALL_NS) return true;
    if ((client->kind == CLIENT_EXEC || client->kind == CLIENT_LEAVING) && recent) return true;
  }
  return false;
}

static void on_linger(void *owner) {
  finish_if_over(owner);
}

static void finish_if_over(struct monitor *monitor) {
  if (!monitor->deleted || !monitor->drained) return;
  if (monitor->listener.fd >= 0) {
    clients_stop_listening(monitor);
    struct reply reply;
    reply_begin(&reply, FRAME_DELETED);
    clients_tell(monitor, &reply);
  }
  if (!somebody_reads(monitor)) _exit(0);
  timer_set(&monitor->linger, LINGER_NS);
}

void monitor_live(struct monitor *monitor) {
  monitor->drain = (struct timer){.owner = monitor, .fire = on_drain_limit};
  monitor->linger = (struct timer){.owner = monitor, .fire = on_linger};
  if (!request_number(&monitor->start, FIELD_HOLD, 0)) monitor_go(monitor);
  while (loop_step() >= 0) finish_if_over(monitor);
  _exit(1);
}
