/* Reads lines "name hex" on stdin, decodes each frame with the shim's own code, encodes it again, and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../frame.h"

static size_t from_hex(const char *hex, unsigned char *bytes, size_t max) {
  size_t n = 0;
  unsigned value;
  for (; n < max && sscanf(hex + 2 * n, "%2x", &value) == 1; n++) bytes[n] = (unsigned char)value;
  return n;
}

static bool output_is_same(const unsigned char *frame, size_t n) {
  unsigned char head[FRAME_TIMED_HEAD];
  if (n < FRAME_TIMED_HEAD) return false;
  frame_timed_head(head, frame[4], get_u64(frame + 5), (uint32_t)(n - FRAME_TIMED_HEAD));
  return memcmp(head, frame, sizeof head) == 0;
}

static bool fields_are_same(const unsigned char *frame, size_t n) {
  char *payload = malloc(n - FRAME_HEAD + 1);
  if (payload == NULL) return false;
  memcpy(payload, frame + FRAME_HEAD, n - FRAME_HEAD);
  request_scoped struct request request;
  if (request_parse(&request, payload, (uint32_t)(n - FRAME_HEAD)) < 0) return false;
  static struct reply reply;
  reply_begin(&reply, frame[4]);
  for (size_t i = 0; i < request.count; i++) {
    const struct field *field = &request.fields[i];
    if (field->length == 8) reply_number(&reply, field->tag, get_u64((const unsigned char *)field->value));
    else if (field->tag != FIELD_MOUNT) reply_text(&reply, field->tag, field->value);
    else return true; /* mounts hold NUL bytes, which only requests do */
  }
  reply_finish(&reply);
  return reply.length == n && memcmp(reply.bytes, frame, n) == 0;
}

int main(void) {
  static char line[65536];
  static unsigned char frame[32768];
  int count = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *hex = strchr(line, ' ');
    if (hex == NULL) continue;
    size_t n = from_hex(hex + 1, frame, sizeof frame);
    bool output = n > 4 && (frame[4] == FRAME_STDOUT || frame[4] == FRAME_STDERR);
    bool raw = n > 4 && (frame[4] == FRAME_STDIN || frame[4] == FRAME_STDIN_EOF);
    bool sound = n >= FRAME_HEAD && get_u32(frame) == n - 4;
    if (sound && !raw) sound = output ? output_is_same(frame, n) : fields_are_same(frame, n);
    if (!sound) {
      printf("differs: %s", line);
      return 1;
    }
    count++;
  }
  printf("%d frames\n", count);
  return 0;
}
