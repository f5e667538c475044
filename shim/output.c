#include "output.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

int output_flush(struct output *output, int client) {
  while (output->sent < output->length) {
    ssize_t sent = send(client, output->bytes + output->sent, output->length - output->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? PUMP_FULL : -errno;
    output->sent += (uint32_t)sent;
  }
  output->sent = output->length = 0;
  return 0;
}

int output_pump(struct output *output, int pipe, uint8_t type, int client) {
  /* A chatty program must not keep the loop from its other work. */
  for (int turn = 0; turn < 16; turn++) {
    int result = output_flush(output, client);
    if (result != 0) return result;
    ssize_t got = fd_read_output(pipe, output->bytes + FRAME_TIMED_HEAD, OUTPUT_CHUNK);
    if (got <= 0) return got == 0 ? PUMP_END : PUMP_EMPTY;
    frame_timed_head(output->bytes, type, now_real_ns(), (uint32_t)got);
    output->length = FRAME_TIMED_HEAD + (uint32_t)got;
  }
  int result = output_flush(output, client);
  return result == 0 ? PUMP_EMPTY : result;
}

int output_discard(int pipe) {
  for (int turn = 0; turn < 16; turn++) {
    ssize_t got = fd_read_output(pipe, scratch, sizeof scratch);
    if (got <= 0) return got == 0 ? PUMP_END : PUMP_EMPTY;
  }
  return PUMP_EMPTY;
}
