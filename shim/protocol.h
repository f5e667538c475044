/*
 * The words that the shim and its client exchange (client side: src/host/shim/frame.ts; both are checked against
 * frames.golden).
 *
 * A frame is {u32 big-endian length of the rest, u8 type, payload}. The payload of requests and replies is a list of
 * fields {u8 tag, u32 big-endian length, bytes}; a tag that comes several times is a list. Numbers are 8 bytes,
 * big-endian. The payload of STDIN is raw bytes, that of STDOUT and STDERR {u64 time in ns, bytes}.
 */
#pragma once

#define PROTOCOL_VERSION 5

#define FRAME_HEAD 5u
#define FRAME_TIMED_HEAD 13u
#define FRAME_MAX (1u << 20)
/* Most bytes of output in one frame, and in one log record. */
#define CHUNK_MAX 65536u

enum frame_type {
  /* to the zygote, one operation per connection */
  FRAME_PING = 1,
  FRAME_SHUTDOWN = 2,
  FRAME_RUN = 3,
  FRAME_MONITOR = 4,
  FRAME_LINKS = 10, /* and more of its kind behind it, each answered */
  /* to a monitor, on the connection that asked for it */
  FRAME_START = 5,
  FRAME_GO = 6,
  FRAME_PORTS = 9, /* before START: holds these, and no others; later, on the monitor's socket: where they lead */
  /* input for a program, an exec or a container */
  FRAME_STDIN = 7,
  FRAME_STDIN_EOF = 8, /* payload: nothing, or one byte 1 = close in any case */
  /* to a monitor's own socket, one operation per connection */
  FRAME_ATTACH = 16,
  FRAME_EXEC = 17,
  FRAME_RESIZE = 18,
  FRAME_SIGNAL = 19,
  FRAME_CLOSE_STDIN = 20,
  FRAME_ROTATE = 21,
  FRAME_STATUS = 22,
  FRAME_WATCH = 23,
  FRAME_KILL_EXEC = 24,
  /* answers */
  FRAME_PONG = 64,
  FRAME_OK = 65,
  FRAME_FAILED = 66,
  FRAME_READY = 67,
  FRAME_PREPARED = 68,
  FRAME_STARTED = 69,
  FRAME_STDOUT = 70,
  FRAME_STDERR = 71,
  FRAME_EOF = 72,
  FRAME_GAP = 73,
  FRAME_EXIT = 74,
  FRAME_DELETED = 75,
  FRAME_STATE = 76,
  FRAME_OOM = 77, /* to those who watch: memory ran out; OOM says whether somebody was killed */
  FRAME_WARNING = 78, /* to those who watch: TEXT is for the log */
};

enum field_tag {
  FIELD_ARGV = 1,
  FIELD_ENV = 2,
  FIELD_CWD = 3,
  FIELD_TIME_LIMIT_MS = 4,
  FIELD_STDIN_PATH = 5,
  FIELD_STDOUT_PATH = 6,
  FIELD_MOUNT = 7, /* words separated by NUL, see mountplan.h */
  FIELD_TREE = 8,
  FIELD_TREE_FOLDER = 9,
  FIELD_NETNS = 10,
  FIELD_NEW_NETNS = 11,
  FIELD_ID = 12,
  FIELD_DIR = 13,
  FIELD_LOG_DIR = 14,
  FIELD_LOG_MAX_BYTES = 15,
  FIELD_LOG_MAX_FILES = 16,
  FIELD_LOG_MEMORY = 17,
  FIELD_TTY = 18,
  FIELD_ROWS = 19,
  FIELD_COLUMNS = 20,
  FIELD_STDIN_OPEN = 21, /* START, EXEC: make a stdin; ATTACH: may write to it */
  FIELD_STDIN_ONCE = 22,
  FIELD_RUNTIME_ARGV = 23,
  FIELD_DELETE_ARGV = 24,
  FIELD_PID_FILE = 25,
  FIELD_CONSOLE = 26, /* name of the console socket inside the monitor's folder */
  FIELD_OOM_FILE = 27,
  FIELD_HOLD = 28,
  FIELD_STREAMS = 29, /* bit 0 stdout, bit 1 stderr */
  FIELD_SEGMENT = 30,
  FIELD_OFFSET = 31,
  FIELD_THROTTLE = 32,
  FIELD_DISCARD = 33,
  FIELD_SIGNAL = 34,
  FIELD_PID = 35,
  FIELD_VERSION = 36,
  FIELD_STAGE = 37,
  FIELD_ERRNO = 38,
  FIELD_STATUS = 39, /* the runtime's exit status */
  FIELD_TEXT = 40,
  FIELD_CODE = 41, /* absent when a signal ended the process */
  FIELD_TIMED_OUT = 42,
  FIELD_OOM = 43,
  FIELD_TIME_NS = 44,
  FIELD_STARTED_NS = 45,
  FIELD_STATE = 46, /* starting, running or exited */
  FIELD_NEW_USERNS = 47, /* MONITOR: a user namespace, which the network namespace belongs to */
  FIELD_UID_MAP = 48,    /* START: gives the slot's user namespace its ids, making one where there is none yet */
  FIELD_GID_MAP = 49,
  FIELD_USERNS = 50,  /* MONITOR, START: path of another container's, to be shared */
  FIELD_GIVES_SHIM = 59, /* EXEC: the program gets this one as descriptor 3, and the null device as 4 */
  FIELD_BUILTIN = 60, /* RUN: one of the shim's own programs, see builtin.h; ARGV are its arguments */
  FIELD_NAMES = 61,   /* START: path of the resolver's socket; the container's DNS queries go there, see names.h */
  FIELD_PORT = 62,    /* PORTS: one, in the words of ports.h */
  FIELD_INDEX = 63,   /* FAILED: which of several */
  FIELD_LINE = 70,    /* LINKS: one change, see links.c */
  FIELD_EACH = 71,    /* LINKS: all of the lines, whatever fails */
};
