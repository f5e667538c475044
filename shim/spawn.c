#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "sealed.h"

extern char **environ;

#define GIVEN_MOST 2

static void reset_signals(void) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static int place(int fd, int target) {
  int source = fd;
  if (source < 0) source = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (source < 0 || dup2(source, target) < 0) return -errno;
  return 0;
}

/* Descriptors from 3 on: what else has such a number is closed by the exec. */
static int give(const int *given, int count) {
  int high[GIVEN_MOST];
  if (count > GIVEN_MOST) return -EINVAL;
  for (int i = 0; i < count; i++)
    if ((high[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 3 + GIVEN_MOST)) < 0) return -errno;
  for (int i = 0; i < count; i++)
    if (dup2(high[i], 3 + i) < 0) return -errno;
  return 0;
}

/* A program named without a slash is looked for in the folders of the system, never in those of somebody's PATH. */
static int execute(char **argv, char **env) {
  static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
  int kept = sealed_find(argv[0]);
  if (kept >= 0) fexecve(kept, argv, env); /* when it fails, by its path */
  if (strchr(argv[0], '/') != NULL) {
    execve(argv[0], argv, env);
    return -errno;
  }
  int error = ENOENT;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char path[512];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folders[i], argv[0]) >= sizeof path) return -ENAMETOOLONG;
    execve(path, argv, env);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  return -error;
}

static int become(const struct spawn *what, pid_t parent, struct failure *failure) {
  reset_signals();
  if (what->dies_with_us) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail(failure, "spawn", errno, "prctl");
    if (getppid() != parent) return fail(failure, "spawn", ECANCELED, "parent is gone");
  }
  if (setsid() < 0) return fail(failure, "spawn", errno, "setsid");
  umask(022);
  int result = what->prepare == NULL ? 0 : what->prepare(what->context, failure);
  if (result < 0) return result;
  result = place(what->in, 0);
  if (result == 0) result = place(what->out, 1);
  if (result == 0) result = place(what->err, 2);
  if (result == 0) result = give(what->given, what->given_count);
  if (result < 0) return fail(failure, "spawn", -result, "standard streams");
  if (what->builtin != NULL) {
    fd_close_from(3); /* the report with it: the parent sees that all is well */
    _exit(what->builtin(what->argv));
  }
  result = execute(what->argv, what->env == NULL ? environ : what->env);
  return fail(failure, "exec", -result, "exec %s", what->argv[0]);
}

pid_t spawn(const struct spawn *what, struct failure *failure) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return fail(failure, "spawn", errno, "pipe");
  fd_scoped int reading = report[0];
  fd_scoped int writing = fcntl(report[1], F_DUPFD_CLOEXEC, 3 + GIVEN_MOST);
  fd_close(&report[1]);
  if (writing < 0) return fail(failure, "spawn", errno, "pipe");
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) return fail(failure, "spawn", errno, "fork");
  if (pid == 0) {
    struct failure mine = {0};
    become(what, parent, &mine);
    if (fd_write_all(writing, &mine, sizeof mine) < 0) _exit(126);
    _exit(127);
  }
  fd_close(&writing);
  struct failure theirs;
  ssize_t got = fd_read_exactly(reading, &theirs, sizeof theirs);
  if (got <= 0) return pid; /* closed by the exec (or by death: then the wait status tells) */
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
  *failure = theirs;
  return theirs.error > 0 ? -theirs.error : -EIO;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int signal_of(int status) {
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
