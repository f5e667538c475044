#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"

static int epoll = -1;
static struct epoll_event batch[16];
static int batch_count;
static struct source signals = {.fd = -1};
static struct timer *timers;
static struct child *children;

int loop_open(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  return epoll < 0 ? -errno : 0;
}

int loop_watch(struct source *source, int fd, uint32_t events) {
  source->fd = fd;
  source->events = 0;
  return loop_change(source, events);
}

int loop_change(struct source *source, uint32_t events) {
  if (source->fd < 0 || source->events == events) return 0;
  int operation = source->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (epoll_ctl(epoll, operation, source->fd, &event) < 0) return -errno;
  source->events = events;
  return 0;
}

void loop_forget(struct source *source) {
  loop_change(source, 0);
  source->fd = -1;
  /* The same source may watch something else before this batch is through: it must not get the old one's events. */
  for (int i = 0; i < batch_count; i++)
    if (batch[i].data.ptr == source) batch[i].data.ptr = NULL;
}

/* ---- timers ---- */

void timer_set(struct timer *timer, uint64_t after_ns) {
  timer->at_ns = now_monotonic_ns() + after_ns;
  if (timer->linked) return;
  timer->linked = true;
  timer->next = timers;
  timers = timer;
}

void timer_stop(struct timer *timer) {
  timer->at_ns = 0;
  for (struct timer **at = &timers; *at != NULL; at = &(*at)->next) {
    if (*at != timer) continue;
    *at = timer->next;
    timer->linked = false;
    return;
  }
}

static int milliseconds_to_next_timer(void) {
  uint64_t first = 0;
  for (const struct timer *timer = timers; timer != NULL; timer = timer->next)
    if (first == 0 || timer->at_ns < first) first = timer->at_ns;
  if (first == 0) return -1;
  uint64_t now = now_monotonic_ns();
  if (first <= now) return 0;
  uint64_t wait = (first - now + 999999) / 1000000;
  return wait > 60000 ? 60000 : (int)wait;
}

static void fire_timers(void) {
  uint64_t now = now_monotonic_ns();
  for (struct timer *timer = timers; timer != NULL;) {
    if (timer->at_ns > now) {
      timer = timer->next;
      continue;
    }
    timer_stop(timer);
    timer->fire(timer->owner);
    timer = timers; /* the list may have changed: from the start again */
  }
}

/* ---- children ---- */

void child_add(struct child *child) {
  child->next = children;
  children = child;
}

static void end_child(struct child **at, int status) {
  struct child *child = *at;
  *at = child->next;
  child->pid = 0;
  child->ended(child->owner, status);
}

static bool reap_one_known(void) {
  for (struct child **at = &children; *at != NULL; at = &(*at)->next) {
    int status;
    if (waitpid((*at)->pid, &status, WNOHANG) != (*at)->pid) continue;
    end_child(at, status);
    return true;
  }
  return false;
}

static bool runtime_runs(void) {
  for (const struct child *child = children; child != NULL; child = child->next)
    if (child->is_runtime) return true;
  return false;
}

void loop_reap(void) {
  for (;;) {
    while (reap_one_known()) {
    }
    if (runtime_runs()) return;
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    for (struct child **at = &children; *at != NULL; at = &(*at)->next) {
      if ((*at)->pid != pid) continue;
      end_child(at, status);
      break;
    }
  }
}

static void take_signals(void *owner, uint32_t events) {
  (void)owner;
  (void)events;
  struct signalfd_siginfo info;
  while (read(signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
  }
  loop_reap();
}

int loop_reap_children(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -errno;
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return -errno;
  signals.ready = take_signals;
  int result = loop_watch(&signals, fd, EPOLLIN);
  if (result < 0) close(fd);
  return result;
}

int loop_step(void) {
  batch_count = epoll_wait(epoll, batch, 16, milliseconds_to_next_timer());
  if (batch_count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < batch_count; i++) {
    struct source *source = batch[i].data.ptr;
    if (source != NULL) source->ready(source->owner, batch[i].events);
  }
  batch_count = 0;
  fire_timers();
  return 0;
}
