/* FRAME_MONITOR: a process of the zygote's becomes a slot, a monitor that waits for its container. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "handler.h"
#include "hostnet.h"
#include "monitor.h"
#include "mountplan.h"
#include "names.h"
#include "ports.h"
#include "title.h"

#define DEFAULT_LOG_BYTES (20u * 1024 * 1024)
#define DEFAULT_LOG_FILES 5

static int bring_loopback_up(void) {
  fd_scoped int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct ifreq request = {.ifr_name = "lo"};
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return -errno;
  request.ifr_flags |= IFF_UP;
  return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

static void set_network(const char *path, const char *value) {
  fd_scoped int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) (void)fd_write_all(fd, value, strlen(value)); /* where /proc/sys is read-only, containers do without */
}

/* In a network of its own a container needs no privilege for low ports and ping, as under Docker. */
static int prepare_network(void) {
  set_network("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  set_network("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
  return bring_loopback_up();
}

/* Makes the namespaces that must be there before the container is known; `user` stays -1 where none was asked for. */
static int make_namespaces(const struct request *request, int *user, struct failure *failure) {
  bool has_network = request_number(request, FIELD_NEW_NETNS, 0) != 0;
  fd_scoped int network = -1;
  int result = 0;
  const char *shared = request_text(request, FIELD_USERNS);
  if (has_network && (result = hostnet_keep()) < 0) return fail(failure, "spawn", -result, "the host's network");
  if (shared != NULL) {
    *user = open(shared, O_RDONLY | O_CLOEXEC);
    if (*user < 0) return fail(failure, "spawn", errno, "user namespace %s", shared);
  }
  if (shared != NULL || request_number(request, FIELD_NEW_USERNS, 0)) {
    result = userns_make(user, has_network ? &network : NULL, failure);
    if (result == 0 && has_network && setns(network, CLONE_NEWNET) != 0) result = fail(failure, "spawn", errno, "setns");
  } else if (has_network && unshare(CLONE_NEWNET) != 0) {
    result = fail(failure, "spawn", errno, "cannot make a network namespace");
  }
  if (result < 0 || !has_network) return result;
  result = prepare_network();
  return result < 0 ? fail(failure, "spawn", -result, "lo") : 0;
}

static int become_slot(const struct request *request, int *user, struct failure *failure) {
  if (setsid() < 0) return fail(failure, "spawn", errno, "setsid");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail(failure, "spawn", errno, "subreaper");
  prctl(PR_SET_NAME, "slipway-monitor");
  title_set("slipway-monitor (waiting)");
  return make_namespaces(request, user, failure);
}

/* The container's user namespace, with its ids, from now on also a file `userns` in the working folder for the runtime. */
static int take_userns(const struct request *start, struct userns *userns, struct failure *failure) {
  const char *uid_map = request_text(start, FIELD_UID_MAP);
  const char *gid_map = request_text(start, FIELD_GID_MAP);
  const char *shared = request_text(start, FIELD_USERNS);
  int result = 0;
  if (shared != NULL) {
    fd_close(&userns->fd);
    userns->fd = open(shared, O_RDONLY | O_CLOEXEC);
    if (userns->fd < 0) return fail(failure, "spawn", errno, "user namespace %s", shared);
  } else if (uid_map != NULL && gid_map != NULL) {
    if (userns->fd < 0) result = userns_make(&userns->fd, NULL, failure);
    if (result == 0) result = userns_map(userns->fd, uid_map, gid_map, failure);
  } else {
    fd_close(&userns->fd);
    return 0;
  }
  if (result == 0) result = userns_find_root(userns, failure);
  if (result < 0) return result;
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", userns->fd);
  fd_scoped int file = open("userns", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0 || mount(source, "userns", NULL, MS_BIND, NULL) != 0) return fail(failure, "mount", errno, "userns");
  return 0;
}

static void show_title(const char *id) {
  char title[96];
  snprintf(title, sizeof title, "slipway-monitor %.64s", id);
  title_set(title);
}

static void read_request(struct monitor *monitor) {
  const struct request *start = &monitor->start;
  monitor->pid_file = request_text(start, FIELD_PID_FILE);
  monitor->console = request_text(start, FIELD_CONSOLE);
  monitor->tty = request_number(start, FIELD_TTY, 0) != 0;
  monitor->stdin_open = request_number(start, FIELD_STDIN_OPEN, 0) != 0;
  monitor->stdin_once = request_number(start, FIELD_STDIN_ONCE, 0) != 0;
}

static void clear(struct monitor *monitor) {
  monitor->terminal = monitor->console_listener = monitor->null = monitor->userns.fd = -1;
  monitor->child_in = monitor->child_out = monitor->child_err = -1;
  monitor->oom.fd = monitor->listener.fd = monitor->in.fd = monitor->out.source.fd = monitor->err.source.fd = -1;
  monitor->out.monitor = monitor->err.monitor = monitor;
  monitor->out.stream = LOG_STDOUT;
  monitor->err.stream = LOG_STDERR;
  monitor->log.dropping = attach_on_drop;
  monitor->log.owner = monitor;
}

/* In another one's network the rule would be that one's. */
static int open_names(const struct monitor *monitor, struct failure *failure) {
  const char *resolver = request_text(&monitor->start, FIELD_NAMES);
  const char *id = request_text(&monitor->start, FIELD_ID);
  if (resolver == NULL) return 0;
  if (!monitor->has_network) return fail(failure, "request", EINVAL, "a name server wants a network of the container's own");
  return names_open(resolver, id == NULL ? "" : id, failure);
}

static int prepare(struct monitor *monitor, int client, struct failure *failure) {
  const struct request *start = &monitor->start;
  const char *folder = request_text(start, FIELD_DIR);
  if (folder == NULL || monitor->pid_file == NULL) return fail(failure, "request", EINVAL, "start wants a folder and a pid file");
  /* The folder is our working folder: its sockets have short names, whatever the path. */
  if (chdir(folder) != 0) return fail(failure, "spawn", errno, "%s", folder);
  int result = mounts_make_private(failure);
  if (result == 0) result = take_userns(start, &monitor->userns, failure);
  if (result == 0) result = mounts_apply(start, monitor->userns.fd < 0 ? NULL : &monitor->userns, failure);
  bool memory = request_number(start, FIELD_LOG_MEMORY, 0) != 0;
  if (result == 0)
    result = log_open(&monitor->log, memory ? NULL : request_text(start, FIELD_LOG_DIR),
                      request_number(start, FIELD_LOG_MAX_BYTES, DEFAULT_LOG_BYTES),
                      (uint32_t)request_number(start, FIELD_LOG_MAX_FILES, DEFAULT_LOG_FILES), failure);
  if (result < 0) return result;
  result = loop_open();
  if (result == 0) result = loop_reap_children();
  if (result == 0) result = clients_listen(monitor);
  if (result == 0) result = ports_watch();
  if (result < 0) return fail(failure, "spawn", -result, "monitor socket");
  result = stdio_open(monitor, failure);
  if (result == 0) result = open_names(monitor, failure);
  if (result < 0) return result;
  if (send_plain(client, FRAME_PREPARED) < 0) return fail(failure, "spawn", EPIPE, "client");
  result = fd_set_nonblocking(client, true);
  struct client *starter = result < 0 ? NULL : client_add(monitor, client);
  if (starter == NULL) return fail(failure, "spawn", ENOMEM, "client");
  starter->starter = true;
  starter->kind = CLIENT_WATCHING;
  return 0;
}

static int hold_ports(int client, char *payload, uint32_t length) {
  struct failure failure = {0};
  request_scoped struct request request;
  uint64_t refused = 0;
  int result = request_parse(&request, payload, length);
  if (result < 0) fail(&failure, "request", -result, "the request is not well formed");
  else result = ports_hold(&request, &refused, &failure);
  if (result == 0) return send_plain(client, FRAME_OK);
  struct reply reply;
  reply_begin(&reply, FRAME_FAILED);
  reply_text(&reply, FIELD_STAGE, failure.stage);
  reply_number(&reply, FIELD_ERRNO, (uint64_t)failure.error);
  reply_number(&reply, FIELD_INDEX, refused);
  reply_text(&reply, FIELD_TEXT, failure.text);
  return reply_send(&reply, client);
}

/* The next frame that is not about ports: as `frame_receive`. */
static int await_start(int client, uint8_t *type, char **payload, uint32_t *length) {
  for (;;) {
    int result = frame_receive(client, type, payload, length, FRAME_MAX);
    if (result <= 0 || *type != FRAME_PORTS) return result;
    result = hold_ports(client, *payload, *length);
    if (result < 0) return result;
  }
}

int become_monitor(int client, const struct request *request) {
  struct failure failure = {0};
  static struct monitor monitor;
  clear(&monitor);
  if (become_slot(request, &monitor.userns.fd, &failure) < 0) return send_failure(client, &failure, -1) < 0 ? 1 : 2;
  monitor.has_network = request_number(request, FIELD_NEW_NETNS, 0) != 0;
  struct reply reply;
  reply_begin(&reply, FRAME_READY);
  reply_number(&reply, FIELD_PID, (uint64_t)getpid());
  if (reply_send(&reply, client) < 0) return 1;

  uint8_t type;
  char *payload = NULL;
  uint32_t length;
  if (await_start(client, &type, &payload, &length) <= 0) return 0; /* the slot was not needed */
  if (type != FRAME_START || request_parse(&monitor.start, payload, length) < 0) {
    fail(&failure, "request", EBADMSG, "a slot wants a start");
    return send_failure(client, &failure, -1) < 0 ? 1 : 2;
  }
  read_request(&monitor);
  const char *id = request_text(&monitor.start, FIELD_ID);
  show_title(id == NULL ? "" : id);
  /* A stop of the whole service must not take the containers' monitors with it. */
  signal(SIGTERM, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  if (prepare(&monitor, client, &failure) < 0) {
    clients_stop_listening(&monitor);
    ports_close();
    fd_set_nonblocking(client, false);
    return send_failure(client, &failure, -1) < 0 ? 1 : 2;
  }
  monitor_live(&monitor);
  return 0;
}
