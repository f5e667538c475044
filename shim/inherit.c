/* What a runtime leaves behind when it ends becomes ours: we are the subreaper. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "fail.h"
#include "fd.h"
#include "monitor.h"

#define PATIENCE_MS 2000

static pid_t read_pid(const char *path) {
  char text[32];
  ssize_t got = fd_read_file(path, text, sizeof text);
  if (got < 0) return (pid_t)got;
  long pid = strtol(text, NULL, 10);
  return pid > 1 && pid <= 0x7fffffff ? (pid_t)pid : -EBADMSG;
}

static bool is_our_child(pid_t pid) {
  siginfo_t facts;
  return waitid(P_PID, (id_t)pid, &facts, WEXITED | WNOHANG | WNOWAIT) == 0;
}

pid_t inherit_process(const char *pid_file, struct failure *failure) {
  pid_t pid = read_pid(pid_file);
  if (pid < 0) return fail(failure, "runtime", -pid, "the runtime wrote no pid");
  /* A helper of the runtime's between it and the process may end a moment after the runtime itself. */
  for (int i = 0; i < PATIENCE_MS; i++) {
    if (is_our_child(pid)) return pid;
    if (kill(pid, 0) != 0) break;
    poll(NULL, 0, 1);
  }
  return is_our_child(pid) ? pid : fail(failure, "runtime", ECHILD, "process %d was not left to us", (int)pid);
}
