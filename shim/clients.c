/* The monitor's socket: who connects, and what they ask. One operation per connection. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"
#include "ports.h"
#include "spawn.h"

static const char socket_name[] = "monitor.sock";

void client_update(struct client *client) {
  uint32_t events = EPOLLRDHUP;
  if (!client->input_blocked) events |= EPOLLIN;
  if (client->kind == CLIENT_ATTACHED && client->cursor.blocked) events |= EPOLLOUT;
  if (client->kind == CLIENT_EXEC && exec_wants_room(client->exec)) events |= EPOLLOUT;
  loop_change(&client->source, events);
}

void client_close(struct client *client) {
  if (client->kind == CLIENT_FREE) return;
  struct monitor *monitor = client->monitor;
  enum client_kind kind = client->kind;
  int fd = client->source.fd;
  loop_forget(&client->source);
  fd_close(&fd);
  inbound_free(&client->inbound);
  client->kind = CLIENT_FREE;
  if (kind == CLIENT_ATTACHED) fd_close(&client->cursor.fd);
  /* As with Docker: the client that stdin was opened for is gone. */
  if (kind == CLIENT_ATTACHED && client->wants_input) stdio_close_input(monitor, false);
  if (kind == CLIENT_EXEC) exec_client_lost(client);
  if (client->starter) monitor_lost_starter(monitor);
}

void client_leave(struct client *client) {
  if (client->kind == CLIENT_ATTACHED) fd_close(&client->cursor.fd);
  client->kind = CLIENT_LEAVING;
  client->input_blocked = false;
  if (shutdown(client->source.fd, SHUT_WR) != 0) client_close(client);
  else client_update(client);
}

/* ---- requests ---- */

static void answer(struct client *client, int result, const char *what) {
  struct failure failure;
  if (result >= 0) {
    send_plain(client->source.fd, FRAME_OK);
  } else {
    fail(&failure, "request", -result, "%s", what);
    send_failure(client->source.fd, &failure, -1);
  }
  client_close(client);
}

static void resize(struct client *client, const struct request *request) {
  struct monitor *monitor = client->monitor;
  uint64_t rows = request_number(request, FIELD_ROWS, 0);
  uint64_t columns = request_number(request, FIELD_COLUMNS, 0);
  uint64_t pid = request_number(request, FIELD_PID, 0);
  int result = pid == 0 ? terminal_resize(monitor->terminal, rows, columns) : exec_resize(monitor, (pid_t)pid, rows, columns);
  answer(client, result, "resize");
}

static void kill_exec(struct client *client, const struct request *request) {
  uint64_t pid = request_number(request, FIELD_PID, 0);
  answer(client, exec_kill(client->monitor, (pid_t)pid), "kill");
}

static void send_signal(struct client *client, const struct request *request) {
  struct monitor *monitor = client->monitor;
  uint64_t number = request_number(request, FIELD_SIGNAL, 0);
  int result = -ESRCH;
  /* The init is our child and not reaped while RUNNING, so the number is its own. */
  if (monitor->state == STATE_RUNNING)
    result = number < 1 || number >= NSIG ? -EINVAL : kill(monitor->init_pid, (int)number) == 0 ? 0 : -errno;
  answer(client, result, "signal");
}

static void tell_status(struct client *client) {
  struct monitor *monitor = client->monitor;
  struct reply reply;
  reply_begin(&reply, FRAME_STATE);
  bool runs = monitor->state == STATE_RUNNING;
  bool exited = monitor->state == STATE_EXITED;
  reply_text(&reply, FIELD_STATE, runs ? "running" : exited ? "exited" : "starting");
  if (runs || exited) {
    reply_number(&reply, FIELD_PID, (uint64_t)monitor->init_pid);
    reply_number(&reply, FIELD_STARTED_NS, monitor->started_ns);
  }
  if (runs) reply_number(&reply, FIELD_OOM, monitor->oom_kills > 0);
  if (exited) monitor_reply_exit(monitor, &reply);
  reply_send(&reply, client->source.fd);
  client_close(client);
}

static void watch(struct client *client) {
  struct monitor *monitor = client->monitor;
  client->kind = CLIENT_WATCHING;
  struct reply reply;
  reply_begin(&reply, FRAME_OK);
  reply_number(&reply, FIELD_PID, (uint64_t)getpid());
  if (reply_send(&reply, client->source.fd) < 0) {
    client_close(client);
    return;
  }
  if (!monitor->drained) return;
  reply_begin(&reply, FRAME_EXIT);
  monitor_reply_exit(monitor, &reply);
  if (reply_send(&reply, client->source.fd) < 0) client_close(client);
}

static void lead_ports(struct client *client, const struct request *request) {
  struct failure failure;
  if (ports_lead(request, &failure) < 0) send_failure(client->source.fd, &failure, -1);
  else send_plain(client->source.fd, FRAME_OK);
  client_close(client);
}

static void handle_request(struct client *client, uint8_t type, struct request *request) {
  struct monitor *monitor = client->monitor;
  switch (type) {
    case FRAME_ATTACH:
      attach_begin(client, request);
      return;
    case FRAME_EXEC:
      exec_begin(client, request);
      return;
    case FRAME_RESIZE:
      resize(client, request);
      return;
    case FRAME_SIGNAL:
      send_signal(client, request);
      return;
    case FRAME_KILL_EXEC:
      kill_exec(client, request);
      return;
    case FRAME_CLOSE_STDIN:
      stdio_close_input(monitor, true);
      answer(client, 0, "");
      return;
    case FRAME_ROTATE:
      log_rotate(&monitor->log);
      answer(client, 0, "");
      return;
    case FRAME_PORTS:
      lead_ports(client, request);
      return;
    case FRAME_STATUS:
      tell_status(client);
      return;
    case FRAME_WATCH:
      watch(client);
      return;
    default:
      answer(client, -EBADMSG, "unknown request");
  }
}

static void handle_frame(struct client *client) {
  uint32_t length;
  uint8_t type = inbound_type(&client->inbound);
  char *payload = inbound_take(&client->inbound, &length);
  if (client->kind == CLIENT_NEW) {
    request_scoped struct request request;
    int result = request_parse(&request, payload, length);
    if (result < 0) answer(client, result, "the request is not well formed");
    else handle_request(client, type, &request);
    return;
  }
  bool force = length == 1 && payload[0] == 1;
  free(payload);
  if (client->kind == CLIENT_ATTACHED && client->wants_input && type == FRAME_STDIN_EOF) stdio_close_input(client->monitor, force);
  if (client->kind == CLIENT_EXEC && type == FRAME_STDIN_EOF) exec_end_input(client);
  if (client->starter && type == FRAME_GO) monitor_go(client->monitor);
}

/* ---- input ---- */

static int input_of(const struct client *client) {
  if (client->kind == CLIENT_ATTACHED && client->wants_input) return stdio_input(client->monitor);
  if (client->kind == CLIENT_EXEC) return exec_input(client->exec);
  return -1;
}

/* 1 = go on, 0 = enough for now, -1 = the client is gone. */
static int take_step(struct client *client) {
  int result = inbound_next(&client->inbound, client->source.fd, CLIENT_FRAME_MAX + 1);
  if (result == INBOUND_INPUT) {
    int target = input_of(client);
    result = target == -2 ? INBOUND_FULL : inbound_move(&client->inbound, client->source.fd, target);
  }
  if (result == INBOUND_EMPTY) return 0;
  if (result == INBOUND_FULL) {
    client->input_blocked = true;
    if (client->kind == CLIENT_EXEC) exec_await_room(client->exec);
    else stdio_await_room(client->monitor);
    return 0;
  }
  if (result == INBOUND_CLOSED || result < 0) return -1;
  if (result == INBOUND_FRAME) handle_frame(client);
  return 1;
}

static void take_input(struct client *client) {
  client->input_blocked = false;
  int result = 1;
  while (result == 1 && client->kind != CLIENT_FREE) result = take_step(client);
  if (result < 0) client_close(client);
  else if (client->kind != CLIENT_FREE) client_update(client);
}

void clients_resume_input(struct monitor *monitor, const struct exec *exec) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind == CLIENT_FREE || !client->input_blocked) continue;
    if ((client->kind == CLIENT_EXEC ? client->exec : NULL) == exec) take_input(client);
  }
}

static void on_client(void *owner, uint32_t events) {
  struct client *client = owner;
  if (events & EPOLLOUT && client->kind == CLIENT_ATTACHED) attach_feed(client);
  if (events & EPOLLOUT && client->kind == CLIENT_EXEC) exec_client_ready(client);
  if (client->kind == CLIENT_FREE) return;
  if (events & EPOLLIN && !client->input_blocked) take_input(client);
  if (client->kind != CLIENT_FREE && client->input_blocked && events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) client_close(client);
}

/* ---- connections ---- */

struct client *client_add(struct monitor *monitor, int fd) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind != CLIENT_FREE) continue;
    *client = (struct client){.kind = CLIENT_NEW, .monitor = monitor, .source = {-1, 0, client, on_client}, .cursor = {.fd = -1}};
    if (loop_watch(&client->source, fd, EPOLLIN | EPOLLRDHUP) == 0) return client;
    client->kind = CLIENT_FREE;
    return NULL;
  }
  return NULL;
}

static void on_connection(void *owner, uint32_t events) {
  struct monitor *monitor = owner;
  (void)events;
  int fd = accept4(monitor->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  struct ucred peer;
  socklen_t size = sizeof peer;
  bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
  if (known && client_add(monitor, fd) != NULL) return;
  if (known) {
    struct failure failure;
    fail(&failure, "request", EBUSY, "%d clients are connected", CLIENTS_MAX);
    send_failure(fd, &failure, -1);
  }
  close(fd);
}

static void warn_of_full_ports(void *owner) {
  struct reply reply;
  reply_begin(&reply, FRAME_WARNING);
  reply_text(&reply, FIELD_TEXT, "more connections to published ports than are relayed at once: the others are refused");
  clients_tell(owner, &reply);
}

int clients_listen(struct monitor *monitor) {
  ports_on_full(monitor, warn_of_full_ports);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, socket_name, sizeof socket_name);
  if (unlink(socket_name) != 0 && errno != ENOENT) return -errno;
  fd_scoped int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  mode_t before = umask(0177);
  int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  umask(before);
  if (bound != 0) return -error;
  if (listen(fd, CLIENTS_MAX) != 0) return -errno;
  monitor->listener = (struct source){-1, 0, monitor, on_connection};
  int result = loop_watch(&monitor->listener, fd, EPOLLIN);
  if (result == 0) (void)fd_take(&fd);
  return result;
}

void clients_stop_listening(struct monitor *monitor) {
  int fd = monitor->listener.fd;
  if (fd < 0) return;
  loop_forget(&monitor->listener);
  fd_close(&fd);
  unlink(socket_name);
}

void clients_tell(struct monitor *monitor, struct reply *reply) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind == CLIENT_WATCHING && reply_send(reply, client->source.fd) < 0) client_close(client);
  }
}
