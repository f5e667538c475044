/*
 * The error rule of this program. A function that can fail returns 0 (or a count, a descriptor, a pid) when it worked
 * and a negative errno when not; nobody looks at errno outside the line of the call. What a person will read is put
 * into a `struct failure` by the function that knows the name of the thing that failed, and travels as a value to the
 * one place that answers the client. Nothing is printed except by main() before there is a client.
 */
#pragma once

struct failure {
  int error;       /* errno, or 0 when the text says it all */
  char stage[12];  /* request, mount, folder (of a tree), log, network, spawn, exec, runtime */
  char text[700];
};

/* Fills the failure (may be NULL) with "text: strerror" and returns -error. */
int fail(struct failure *failure, const char *stage, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
