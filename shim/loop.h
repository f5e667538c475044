/* The one epoll loop of a process: descriptors with what to do when they are ready, timers, and children. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

/* A descriptor that the loop watches; embedded in its owner. fd is -1 while not watched. */
struct source {
  int fd;
  uint32_t events;
  void *owner;
  void (*ready)(void *owner, uint32_t events);
};

struct timer {
  uint64_t at_ns; /* monotonic; 0 = off */
  void *owner;
  void (*fire)(void *owner);
  struct timer *next;
  bool linked;
};

/* A child process; `ended` gets the wait status. While a runtime runs, the children that it leaves behind are not
 * reaped, so that its pid file can be read first and no exit status is lost. */
struct child {
  pid_t pid;
  bool is_runtime;
  void *owner;
  void (*ended)(void *owner, int status);
  struct child *next;
};

int loop_open(void);
/* Blocks SIGCHLD and reaps children from now on. */
int loop_reap_children(void);
/* With no events the descriptor is known but out of the loop (a hang-up would otherwise be reported without end). */
int loop_watch(struct source *source, int fd, uint32_t events);
int loop_change(struct source *source, uint32_t events);
/* Stops watching; does not close the descriptor. */
void loop_forget(struct source *source);
void timer_set(struct timer *timer, uint64_t after_ns);
void timer_stop(struct timer *timer);
void child_add(struct child *child);
/* Reaps now what has ended. */
void loop_reap(void);
/* Waits once and handles what came. */
int loop_step(void);
