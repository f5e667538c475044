/* Attached clients are fed from the log's segments (the page cache): each has a place in the log and nothing else. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"

#define BATCH 64

/* One turn's frames: heads made here, bytes pointing into the scratch buffer. */
struct batch {
  unsigned char heads[BATCH][FRAME_TIMED_HEAD];
  struct iovec parts[BATCH * 2];
  size_t part_count;
  size_t bytes;
};

static bool is_wanted(const struct cursor *cursor, const unsigned char *head) {
  return !(head[13] & LOG_LOST) && (cursor->streams & head[12]) != 0;
}

static void add_part(struct batch *batch, void *bytes, size_t n, uint32_t *skip) {
  size_t skipped = *skip < n ? *skip : n;
  *skip -= (uint32_t)skipped;
  if (skipped == n) return;
  batch->parts[batch->part_count++] = (struct iovec){(char *)bytes + skipped, n - skipped};
  batch->bytes += n - skipped;
}

/* Sends the frames of the records in scratch[0..n), starting `sent` bytes into the first; moves the cursor by what was taken. */
static int send_records(struct client *client, size_t n) {
  struct cursor *cursor = &client->cursor;
  static struct batch batch;
  batch.part_count = batch.bytes = 0;
  size_t at = 0;
  uint32_t skip = cursor->sent;
  size_t ends[BATCH];   /* where each record ends in scratch … */
  size_t frames[BATCH]; /* … and its frame in the stream, counted from the first frame's start */
  size_t count = 0;
  size_t stream = 0;
  while (count < BATCH && n - at >= LOG_HEAD) {
    unsigned char *head = scratch + at;
    uint32_t length = get_u32(head);
    if (length > CHUNK_MAX || n - at < LOG_HEAD + length + LOG_TAIL) break;
    if (is_wanted(cursor, head)) {
      frame_timed_head(batch.heads[count], head[12] == LOG_STDOUT ? FRAME_STDOUT : FRAME_STDERR, get_u64(head + 4), length);
      add_part(&batch, batch.heads[count], FRAME_TIMED_HEAD, &skip);
      add_part(&batch, head + LOG_HEAD, length, &skip);
      stream += FRAME_TIMED_HEAD + length;
    }
    at += LOG_HEAD + length + LOG_TAIL;
    ends[count] = at;
    frames[count++] = stream;
  }
  if (count == 0) return -EBADMSG;
  size_t taken = cursor->sent;
  if (batch.part_count > 0) {
    struct msghdr message = {.msg_iov = batch.parts, .msg_iovlen = batch.part_count};
    ssize_t sent = sendmsg(client->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) return 0;
    if (sent < 0 && errno != EAGAIN) return -errno;
    if (sent > 0) taken += (size_t)sent;
    if (sent > 0) cursor->progress_ns = now_monotonic_ns();
    cursor->blocked = sent < 0 || (size_t)sent < batch.bytes;
  }
  size_t whole = 0;
  while (whole < count && frames[whole] <= taken) whole++;
  if (whole > 0) cursor->offset += ends[whole - 1];
  cursor->sent = (uint32_t)(taken - (whole > 0 ? frames[whole - 1] : 0));
  return 0;
}

/* A record of the largest size is longer than the scratch buffer: its frame goes in pieces. */
static int send_large(struct client *client, const unsigned char *start) {
  struct cursor *cursor = &client->cursor;
  unsigned char head[LOG_HEAD];
  for (size_t i = 0; i < sizeof head; i++) head[i] = start[i];
  uint32_t length = get_u32(head);
  if (length > CHUNK_MAX) return -EBADMSG;
  if (!is_wanted(cursor, head)) {
    cursor->offset += LOG_HEAD + length + LOG_TAIL;
    return 0;
  }
  unsigned char frame[FRAME_TIMED_HEAD];
  frame_timed_head(frame, head[12] == LOG_STDOUT ? FRAME_STDOUT : FRAME_STDERR, get_u64(head + 4), length);
  uint32_t head_left = cursor->sent < FRAME_TIMED_HEAD ? FRAME_TIMED_HEAD - cursor->sent : 0;
  uint32_t body = cursor->sent + head_left - FRAME_TIMED_HEAD;
  ssize_t got = pread(cursor->fd, scratch, length - body, (off_t)(cursor->offset + LOG_HEAD + body));
  if (got < 0 || (got == 0 && body < length)) return -EIO;
  struct iovec parts[] = {{frame + FRAME_TIMED_HEAD - head_left, head_left}, {scratch, (size_t)got}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  ssize_t sent = sendmsg(client->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return -errno;
  cursor->blocked = sent < (ssize_t)(head_left + (size_t)got);
  if (sent <= 0) return 0;
  cursor->progress_ns = now_monotonic_ns();
  cursor->sent += (uint32_t)sent;
  if (cursor->sent < FRAME_TIMED_HEAD + length) return 0;
  cursor->offset += LOG_HEAD + length + LOG_TAIL;
  cursor->sent = 0;
  return 0;
}

/* 1 = moved on, 0 = nothing there to move to, -errno = the segment is gone. */
static int next_segment(struct client *client) {
  struct cursor *cursor = &client->cursor;
  uint32_t next = log_next(&client->monitor->log, cursor->segment);
  if (next == 0) return 0;
  int fd = log_open_segment(&client->monitor->log, next);
  if (fd < 0) return fd;
  fd_close(&cursor->fd);
  cursor->fd = fd;
  cursor->segment = next;
  cursor->offset = 0;
  return 1;
}

static void end_stream(struct client *client, uint8_t type) {
  int result = client->cursor.sent == 0 ? send_plain(client->source.fd, type) : -EPIPE;
  if (result == 0) client_leave(client);
  else if (result == -EAGAIN) client->cursor.blocked = true;
  else client_close(client);
}

/* One step: 1 = go on, 0 = enough for now, -errno = the stream cannot go on. */
static int feed_step(struct client *client) {
  struct cursor *cursor = &client->cursor;
  uint64_t size = log_size_of(&client->monitor->log, cursor->segment, cursor->fd);
  if (cursor->offset >= size) return next_segment(client);
  uint64_t left = size - cursor->offset;
  ssize_t got = pread(cursor->fd, scratch, left < sizeof scratch ? left : sizeof scratch, (off_t)cursor->offset);
  if (got < (ssize_t)(LOG_HEAD + LOG_TAIL)) return -EIO;
  bool large = LOG_HEAD + (size_t)get_u32(scratch) + LOG_TAIL > sizeof scratch;
  int result = large ? send_large(client, scratch) : send_records(client, (size_t)got);
  if (result < 0) return result;
  return !cursor->blocked;
}

void attach_feed(struct client *client) {
  struct monitor *monitor = client->monitor;
  uint32_t before = client->cursor.segment;
  client->cursor.blocked = false;
  int result = 1;
  for (int turn = 0; turn < 64 && result == 1; turn++) result = feed_step(client);
  if (result == -EPIPE || result == -ECONNRESET) {
    client_close(client);
  } else if (result < 0) {
    end_stream(client, FRAME_GAP);
  } else if (result == 0 && !client->cursor.blocked && monitor->drained) {
    end_stream(client, FRAME_EOF);
  } else if (result == 1) {
    client->cursor.blocked = true; /* more is there: the loop comes back when the socket says it is writable */
  }
  if (client->kind == CLIENT_ATTACHED) client_update(client);
  if (monitor->paused && (client->kind != CLIENT_ATTACHED || client->cursor.segment != before)) stdio_maybe_resume(monitor);
}

void attach_feed_all(struct monitor *monitor) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind == CLIENT_ATTACHED && !client->cursor.blocked) attach_feed(client);
  }
}

static bool has_read_all(const struct client *client) {
  const struct cursor *cursor = &client->cursor;
  return cursor->offset >= log_size_of(&client->monitor->log, cursor->segment, cursor->fd);
}

/* Readers in that segment or before it lose what they have not read. */
void attach_on_drop(void *owner, uint32_t number) {
  struct monitor *monitor = owner;
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &monitor->clients[i];
    if (client->kind != CLIENT_ATTACHED || client->cursor.segment > number) continue;
    if (client->cursor.segment == number && has_read_all(client) && next_segment(client) >= 0) continue;
    end_stream(client, FRAME_GAP);
    /* A socket so full that not even this fits: the end of the connection without EOF says the same. */
    if (client->kind == CLIENT_ATTACHED) client_close(client);
  }
}

bool attach_delays(struct monitor *monitor, uint32_t number) {
  uint64_t now = now_monotonic_ns();
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    const struct client *client = &monitor->clients[i];
    const struct cursor *cursor = &client->cursor;
    if (client->kind != CLIENT_ATTACHED || cursor->segment > number || !cursor->throttle) continue;
    if (cursor->segment == number && has_read_all(client)) continue;
    if (now - cursor->progress_ns < STALL_NS) return true;
  }
  return false;
}

void attach_keep_log(struct monitor *monitor) {
  uint32_t first = UINT32_MAX;
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    const struct client *client = &monitor->clients[i];
    if (client->kind == CLIENT_ATTACHED && client->cursor.segment < first) first = client->cursor.segment;
  }
  if (first != UINT32_MAX) log_keep(&monitor->log, first);
}

/* Where the request wants to begin: 0, -ESTALE when rotation has taken it, or another -errno. */
static int place(struct client *client, const struct request *request) {
  struct log *log = &client->monitor->log;
  struct cursor *cursor = &client->cursor;
  cursor->segment = (uint32_t)request_number(request, FIELD_SEGMENT, log_last(log));
  cursor->offset = request_number(request, FIELD_OFFSET, cursor->segment == log_last(log) ? log->size : 0);
  cursor->fd = log_open_segment(log, cursor->segment);
  if (cursor->fd < 0) return cursor->segment < log_last(log) ? -ESTALE : -EINVAL;
  return cursor->offset > log_size_of(log, cursor->segment, cursor->fd) ? -EINVAL : 0;
}

void attach_begin(struct client *client, const struct request *request) {
  client->cursor = (struct cursor){
      .fd = -1,
      .streams = (uint8_t)(request_number(request, FIELD_STREAMS, 3) & 3),
      .throttle = request_number(request, FIELD_THROTTLE, 0) != 0,
      .progress_ns = now_monotonic_ns(),
  };
  int result = place(client, request);
  if (result < 0 && result != -ESTALE) {
    struct failure failure;
    fail(&failure, "request", -result, "no such place in the log");
    send_failure(client->source.fd, &failure, -1);
    client_close(client);
    return;
  }
  client->kind = CLIENT_ATTACHED;
  client->wants_input = request_number(request, FIELD_STDIN_OPEN, 0) != 0;
  if (send_plain(client->source.fd, FRAME_OK) < 0) client_close(client);
  else if (result == -ESTALE) end_stream(client, FRAME_GAP);
  else attach_feed(client);
}
