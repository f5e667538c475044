/* Live output: what a program writes to a pipe or a terminal, framed for a client, one chunk at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define OUTPUT_CHUNK 32768u

/* A frame that the client has not taken whole yet; while there is one, nothing more is read. */
struct output {
  uint32_t length, sent;
  unsigned char bytes[FRAME_TIMED_HEAD + OUTPUT_CHUNK];
};

enum pump_result {
  PUMP_EMPTY = 1, /* nothing to read for now */
  PUMP_END = 2,   /* the writers are gone */
  PUMP_FULL = 3,  /* the client takes no more for now */
};

/* Sends what is left: 0 when all is sent, PUMP_FULL, or -errno when the client is gone. */
int output_flush(struct output *output, int client);
/* Moves from the pipe to the client until one of them blocks, or -errno when the client is gone. */
int output_pump(struct output *output, int pipe, uint8_t type, int client);
/* Throws away what the pipe holds: PUMP_EMPTY or PUMP_END. */
int output_discard(int pipe);
