/* Starting a program: fork, descriptors, exec; what goes wrong before the exec comes back as a failure. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct failure;

struct spawn {
  char **argv;
  char **env;          /* NULL: that of this process */
  int in, out, err;    /* -1: /dev/null */
  const int *given;    /* become descriptors 3 and on */
  int given_count;
  bool dies_with_us;   /* the kernel kills it when this process ends */
  int (*builtin)(char **argv); /* not NULL: runs this in the child, instead of a program */
  /* Runs in the child before the exec; < 0 ends it. */
  int (*prepare)(void *context, struct failure *failure);
  void *context;
};

/* The pid, or a negative errno with the failure filled (stage "spawn", or what prepare said). The child leads a session of its own. */
pid_t spawn(const struct spawn *what, struct failure *failure);

/* Exit status of a wait status when it exited, else -1; and the signal when it was killed, else 0. */
int exit_code_of(int status);
int signal_of(int status);
