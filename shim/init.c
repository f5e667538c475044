#include "init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals that tell of a fault in this process itself, or of stopping by a terminal, are not taken over. */
static void choose_signals(sigset_t *set) {
  static const int ours[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
  sigfillset(set);
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) sigdelset(set, ours[i]);
}

static void run_child(char **argv, const sigset_t *before) {
  setpgid(0, 0);
  /* With a terminal, the program is its foreground group, so that ^C reaches it. */
  signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(0, getpid());
  signal(SIGTTOU, SIG_DFL);
  sigprocmask(SIG_SETMASK, before, NULL);
  execvp(argv[0], argv);
  int error = errno;
  dprintf(2, "init: %s: %s\n", argv[0], strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

/* The program's exit status once it has ended, else -1. */
static int reap(pid_t program) {
  int status;
  int result = -1;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != program) continue;
    result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return result;
}

int init_main(char **argv) {
  if (argv[0] != NULL && strcmp(argv[0], "--") == 0) argv++;
  if (argv[0] == NULL) {
    dprintf(2, "usage: slipway-shim init -- PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  sigset_t set;
  sigset_t before;
  choose_signals(&set);
  sigprocmask(SIG_SETMASK, &set, &before);
  pid_t program = fork();
  if (program < 0) return 126;
  if (program == 0) run_child(argv, &before);
  for (;;) {
    int number = sigwaitinfo(&set, NULL);
    if (number < 0) continue;
    if (number != SIGCHLD) {
      kill(program, number);
      continue;
    }
    int status = reap(program);
    if (status >= 0) return status;
  }
}
