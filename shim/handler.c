#include "handler.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "frame.h"

static int answer_ping(int client, pid_t zygote) {
  struct reply reply;
  reply_begin(&reply, FRAME_PONG);
  reply_number(&reply, FIELD_VERSION, PROTOCOL_VERSION);
  reply_number(&reply, FIELD_PID, (uint64_t)zygote);
  return reply_send(&reply, client) < 0;
}

/* Answers when the zygote has gone, so that the client may start another one at once. */
static int stop_zygote(int client, pid_t zygote) {
  if (getppid() == zygote && kill(zygote, SIGTERM) != 0) return 1;
  for (int i = 0; i < 2000 && getppid() == zygote; i++) poll(NULL, 0, 1);
  return send_plain(client, FRAME_OK) < 0;
}

int handle_connection(int client, pid_t zygote) {
  uint8_t type;
  char *payload = NULL;
  uint32_t length;
  int result = frame_receive(client, &type, &payload, &length, FRAME_MAX);
  if (result <= 0) return result < 0;
  request_scoped struct request request;
  struct failure failure = {0};
  result = request_parse(&request, payload, length);
  if (result < 0) {
    fail(&failure, "request", -result, "the request is not well formed");
    return send_failure(client, &failure, -1) < 0 ? 1 : 2;
  }
  switch (type) {
    case FRAME_PING:
      return answer_ping(client, zygote);
    case FRAME_SHUTDOWN:
      return stop_zygote(client, zygote);
    case FRAME_RUN:
      return run_program(client, &request);
    case FRAME_MONITOR:
      return become_monitor(client, &request);
    case FRAME_LINKS:
      return serve_links(client, &request);
    default:
      fail(&failure, "request", EBADMSG, "unknown request %d", type);
      return send_failure(client, &failure, -1) < 0 ? 1 : 2;
  }
}
