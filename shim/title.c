#include "title.h"

#include <string.h>

static char *room;
static size_t room_size;

void title_open(int argc, char **argv) {
  if (argc < 1) return;
  room = argv[0];
  room_size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
}

void title_set(const char *title) {
  if (room_size == 0) return;
  size_t n = strlen(title);
  if (n > room_size) n = room_size;
  memset(room, 0, room_size);
  memcpy(room, title, n);
}
