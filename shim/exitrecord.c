#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"
#include "spawn.h"

int exit_record_write(const struct monitor *monitor) {
  char text[256];
  int code = exit_code_of(monitor->exit.status);
  int n = 0;
  if (code >= 0) n += snprintf(text, sizeof text, "code=%d\n", code);
  n += snprintf(text + n, sizeof text - (size_t)n, "signal=%d\noom=%d\ntime_ns=%llu\npid=%d\nstarted_ns=%llu\n",
                signal_of(monitor->exit.status), monitor->exit.oom_killed, (unsigned long long)monitor->exit.time_ns,
                (int)monitor->init_pid, (unsigned long long)monitor->started_ns);
  fd_scoped int fd = open("exit.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return -errno;
  int result = fd_write_all(fd, text, (size_t)n);
  /* No sync: the record outlives processes, not the machine; after a power cut there is no container to tell of. */
  if (result == 0 && rename("exit.new", "exit") != 0) result = -errno;
  return result;
}
