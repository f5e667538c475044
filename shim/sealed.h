/*
 * A program kept in memory and sealed. OCI runtimes copy their own program into such a file at each call and execute it anew,
 * because a container could else write to it through /proc; one that is sealed already they take as it is. It is made once, by the
 * zygote, and all monitors share it: a third of what a call of the runtime costs.
 */
#pragma once

/* Keeps the program at that path. When it cannot (too large, no memfd), programs run from their paths as ever. */
void sealed_keep(const char *path);
/* What to execute in place of that path: a descriptor, or -1 for the path itself, also when the file has changed since. */
int sealed_find(const char *path);
/* Keeps this program itself, which containers are given (probes.h): there too, nobody can write to it. */
void sealed_keep_self(void);
/* Its descriptor, or -1. */
int sealed_self(void);
