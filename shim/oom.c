/*
 * What the kernel says when the container's memory runs out. On cgroup v1 an eventfd tells that a group is short, on v2 a
 * change of memory.events does; both come often or early, so the counter of kills is read a moment later.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fd.h"
#include "monitor.h"

#define SETTLE_NS 10000000u
/* The kill follows the word of v1 within milliseconds; each wait is twice the last. */
#define LOOKS_MAX 8
/* Groups that a container makes below its own; more are not looked at. */
#define GROUPS_MAX 256
#define DEPTH_MAX 8

static const char v1_file[] = "memory.oom_control";

static const char *oom_file(const struct monitor *monitor) {
  return request_text(&monitor->start, FIELD_OOM_FILE);
}

/* On v1 what happens in a group below is counted there alone. */
static bool counts_apart(const char *path) {
  size_t length = strlen(path);
  size_t own = sizeof v1_file - 1;
  return length > own && path[length - own - 1] == '/' && strcmp(path + length - own, v1_file) == 0;
}

/* The number behind a word in a file of lines "word number"; 0 when it is not there. */
static uint64_t number_in(const char *path, const char *word) {
  char text[1024];
  size_t length = strlen(word);
  if (fd_read_file(path, text, sizeof text) < 0) return 0;
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, word, length) == 0 && line[length] == ' ') return strtoull(line + length, NULL, 10);
  }
  return 0;
}

static uint64_t kills_below(const char *folder, int depth, int *groups) {
  DIR *entries = depth > DEPTH_MAX ? NULL : opendir(folder);
  if (entries == NULL) return 0;
  uint64_t kills = 0;
  for (struct dirent *entry; *groups < GROUPS_MAX && (entry = readdir(entries)) != NULL;) {
    char path[1024];
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    if ((size_t)snprintf(path, sizeof path, "%s/%s/%s", folder, entry->d_name, v1_file) >= sizeof path) continue;
    (*groups)++;
    kills += number_in(path, "oom_kill");
    path[strlen(path) - sizeof v1_file] = '\0';
    kills += kills_below(path, depth + 1, groups);
  }
  closedir(entries);
  return kills;
}

static uint64_t kills_of(const char *path) {
  char folder[1024];
  uint64_t kills = number_in(path, "oom_kill");
  if (!counts_apart(path)) return kills;
  snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - sizeof v1_file), path);
  int groups = 0;
  return kills + kills_below(folder, 0, &groups);
}

static void tell(struct monitor *monitor, bool killed) {
  struct reply reply;
  reply_begin(&reply, FRAME_OOM);
  reply_number(&reply, FIELD_OOM, killed);
  reply_number(&reply, FIELD_TIME_NS, now_real_ns());
  clients_tell(monitor, &reply);
}

bool oom_look(struct monitor *monitor) {
  const char *path = oom_file(monitor);
  uint64_t kills = path == NULL ? 0 : kills_of(path);
  if (kills <= monitor->oom_kills) return false;
  monitor->oom_kills = kills;
  tell(monitor, true);
  return true;
}

static void on_settled(void *owner) {
  struct monitor *monitor = owner;
  const char *path = oom_file(monitor);
  if (oom_look(monitor) || !counts_apart(path)) return;
  if (monitor->oom_looks < LOOKS_MAX) {
    timer_set(&monitor->oom_timer, (uint64_t)SETTLE_NS << monitor->oom_looks++);
    return;
  }
  /* Nobody may be killed (--oom-kill-disable): its processes stand still until there is memory again. */
  if (number_in(path, "under_oom") > 0) tell(monitor, false);
}

static void on_word(void *owner, uint32_t events) {
  struct monitor *monitor = owner;
  char words[512];
  (void)events;
  while (read(monitor->oom.fd, words, sizeof words) > 0) {
  }
  monitor->oom_looks = 0;
  if (!monitor->oom_timer.linked) timer_set(&monitor->oom_timer, SETTLE_NS);
}

static int listen_v1(const char *path) {
  char control[1024];
  snprintf(control, sizeof control, "%.*scgroup.event_control", (int)(strlen(path) - sizeof v1_file + 1), path);
  fd_scoped int oom = open(path, O_RDONLY | O_CLOEXEC);
  fd_scoped int events = open(control, O_WRONLY | O_CLOEXEC);
  fd_scoped int word = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (oom < 0 || events < 0 || word < 0) return -1;
  char line[32];
  int length = snprintf(line, sizeof line, "%d %d", word, oom);
  return write(events, line, (size_t)length) == length ? fd_take(&word) : -1;
}

static int listen_v2(const char *path) {
  fd_scoped int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (changes < 0 || inotify_add_watch(changes, path, IN_MODIFY) < 0) return -1;
  return fd_take(&changes);
}

void oom_watch(struct monitor *monitor) {
  const char *path = oom_file(monitor);
  monitor->oom = (struct source){-1, 0, monitor, on_word};
  monitor->oom_timer = (struct timer){.owner = monitor, .fire = on_settled};
  if (path == NULL) return;
  /* Where nobody can be asked to tell, the counter is still read at the end. */
  int fd = counts_apart(path) ? listen_v1(path) : listen_v2(path);
  if (fd >= 0 && loop_watch(&monitor->oom, fd, EPOLLIN) < 0) close(fd);
  oom_look(monitor);
}

void oom_unwatch(struct monitor *monitor) {
  int fd = monitor->oom.fd;
  timer_stop(&monitor->oom_timer);
  loop_forget(&monitor->oom);
  fd_close(&fd);
}
