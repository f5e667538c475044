/*
 * A monitor: the process beside one container. It keeps the container's streams, log, attach clients and execs, sees its
 * end, has the runtime delete it, and goes. One monitor is one process with one loop.
 *
 *   slot.c      waits, not yet anybody's monitor, for FRAME_START; then prepares mounts, log, socket, pipes
 *   monitor.c   the container's life: runtime, running, exit, delete, end
 *   stdio.c     the container's pipes or terminal: output into the log, back-pressure, input
 *   clients.c   connections and what they ask
 *   attach.c    feeds attached clients from the log
 *   execs.c     programs started beside the container's init
 *   oom.c       the kernel's word that memory ran out
 *   names.c     the container's DNS queries, passed on to the host's resolver
 *   ports.c     the container's published ports, held for as long as it lives
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"
#include "log.h"
#include "loop.h"
#include "output.h"
#include "userns.h"

#define CLIENTS_MAX 128
#define CLIENT_FRAME_MAX 65536u
/* How long a slow reader may be without progress before nobody waits for it any more. */
#define STALL_NS 10000000000u
/* How long output is awaited after a process' end when somebody else still holds its pipe. */
#define DRAIN_NS 2000000000u

struct monitor;
struct exec;

enum client_kind {
  CLIENT_FREE = 0,
  CLIENT_NEW,      /* has not asked yet */
  CLIENT_WATCHING, /* waits for EXIT and DELETED; the connection that sent START is one */
  CLIENT_ATTACHED,
  CLIENT_EXEC,
  CLIENT_LEAVING, /* has all that it will get; we wait for it to hang up */
};

/* Where an attached client is in the log. */
struct cursor {
  int fd;
  uint32_t segment;
  uint64_t offset; /* of a record */
  uint32_t sent;   /* bytes already sent of that record's frame */
  uint8_t streams; /* bit 0 stdout, bit 1 stderr */
  bool throttle;
  bool blocked; /* its socket is full */
  uint64_t progress_ns;
};

struct client {
  enum client_kind kind;
  struct monitor *monitor;
  struct source source;
  struct inbound inbound;
  bool input_blocked;
  bool starter;
  bool wants_input; /* an attached client that may write to stdin */
  struct cursor cursor;
  struct exec *exec;
};

/* One of the container's output pipes. */
struct pipe_out {
  struct source source;
  uint8_t stream;
  struct monitor *monitor;
};

enum state { STATE_HELD, STATE_STARTING, STATE_RUNNING, STATE_EXITED, STATE_FAILED };

struct exit_facts {
  int status; /* as from wait */
  uint64_t time_ns;
  bool oom_killed;
};

struct monitor {
  enum state state;
  struct request start; /* the request that started us: all its words stay valid */
  const char *pid_file;
  const char *console;
  bool tty, stdin_open, stdin_once;
  struct userns userns; /* fd -1: the host's */
  bool has_network;     /* of its own */
  struct log log;
  struct client clients[CLIENTS_MAX];
  struct source listener;

  int console_listener;
  int terminal;              /* the pty's master */
  struct source in;          /* stdin pipe; with a terminal, its master is watched by `out` alone */
  bool stdin_closed, paused, terminal_wants_room;
  struct pipe_out out, err;
  int child_in, child_out, child_err; /* the container's ends, until the runtime has them */
  int null;                           /* stands for the streams that there are not, of its execs too */
  struct timer resume, drain, runtime_limit, delete_limit, linger;

  struct child runtime, init, deleter;
  bool runtime_late; /* it was killed because it did not come to an end */
  pid_t init_pid;
  uint64_t started_ns;
  struct exit_facts exit;
  struct source oom;
  struct timer oom_timer;
  int oom_looks;
  uint64_t oom_kills;
  bool drained, deleting, deleted;
  uint64_t deleted_ns; /* monotonic */
  struct exec *execs;
};

/* ---- monitor.c ---- */
/* Runs until the container is gone; does not return before. */
void monitor_live(struct monitor *monitor);
/* The client said GO (or did not ask for a pause). */
void monitor_go(struct monitor *monitor);
/* The connection that started us is lost. */
void monitor_lost_starter(struct monitor *monitor);
/* Output is complete: record and tell the exit. */
void monitor_drained(struct monitor *monitor);
/* Fills a reply with how the process ended. */
void reply_wait_status(struct reply *reply, int status);
void monitor_reply_exit(const struct monitor *monitor, struct reply *reply);

/* The environment of every runtime. */
extern char **runtime_environment;

/* ---- stdio.c ---- */
int stdio_open(struct monitor *monitor, struct failure *failure);
/* A pipe's end is given to the container's root, who may then open it by name and give it to the container's users. */
int stdio_give(const struct monitor *monitor, int fd);
/* That stream for a program of the container's, or its null device. */
int stdio_or_null(const struct monitor *monitor, int fd);
void stdio_close_child_ends(struct monitor *monitor);
/* The runtime is through: take the terminal, begin to read. */
int stdio_begin(struct monitor *monitor, struct failure *failure);
/* What a failed runtime said on stderr. */
void stdio_take_error(int fd, char *text, size_t size);
void stdio_drain_after_exit(struct monitor *monitor);
/* A reader moved on: perhaps the container may write again. */
void stdio_maybe_resume(struct monitor *monitor);
/* Where a client's input goes: a descriptor, -1 for nowhere, -2 for not yet. */
int stdio_input(const struct monitor *monitor);
/* Somebody has input that the container does not take now. */
void stdio_await_room(struct monitor *monitor);
void stdio_close_input(struct monitor *monitor, bool force);
int terminal_resize(int terminal, uint64_t rows, uint64_t columns);

/* ---- console.c ---- */
/* Listens on a socket with that name in the working folder, for the runtime to send the terminal to. */
int console_listen(const char *name);
/* The terminal that the runtime has sent, non-blocking, or -errno; removes the socket. */
int console_take(int listener, const char *name);

/* ---- clients.c ---- */
int clients_listen(struct monitor *monitor);
void clients_stop_listening(struct monitor *monitor);
struct client *client_add(struct monitor *monitor, int fd);
void client_close(struct client *client);
/* The last frame is sent: closes when the client has hung up, as closing on unread input would lose that frame. */
void client_leave(struct client *client);
/* Waits for what this client needs next. */
void client_update(struct client *client);
/* Input may flow again: goes on with every client that waited. */
void clients_resume_input(struct monitor *monitor, const struct exec *exec);
/* Sends the frame to everybody who watches. */
void clients_tell(struct monitor *monitor, struct reply *reply);

/* ---- attach.c ---- */
void attach_begin(struct client *client, const struct request *request);
/* Sends what the log holds and the client takes. */
void attach_feed(struct client *client);
void attach_feed_all(struct monitor *monitor);
/* The log is about to lose a segment. */
void attach_on_drop(void *monitor, uint32_t number);
/* Whether a reader deserves that the segment stays a while. */
/* At the drained end: what attached clients have yet to read stays readable when the log is removed. */
void attach_keep_log(struct monitor *monitor);
bool attach_delays(struct monitor *monitor, uint32_t number);

/* ---- execs.c ---- */
/* Takes the request over. */
void exec_begin(struct client *client, struct request *request);
void exec_client_lost(struct client *client);
void exec_end_input(struct client *client);
void exec_client_ready(struct client *client);
int exec_input(const struct exec *exec);
void exec_await_room(struct exec *exec);
bool exec_wants_room(const struct exec *exec);
int exec_resize(struct monitor *monitor, pid_t pid, uint64_t rows, uint64_t columns);
/* Kills a program that exec started, and what it started in its own process group. */
int exec_kill(struct monitor *monitor, pid_t pid);

/* ---- exitrecord.c ---- */
/* Writes the file `exit` into the working folder: key=value lines, whole or not at all. */
int exit_record_write(const struct monitor *monitor);

/* ---- oom.c ---- */
/* Begins to listen; what happened before is told at once. */
void oom_watch(struct monitor *monitor);
void oom_unwatch(struct monitor *monitor);
/* Reads the counter; tells those who watch when it has grown. */
bool oom_look(struct monitor *monitor);

/* ---- inherit.c ---- */
/* The process whose pid the runtime wrote, once it is our child; or -errno with the failure filled. */
pid_t inherit_process(const char *pid_file, struct failure *failure);
