/* Small programs of the shim's own: run in a forked process without an exec, with a tree as their root. */
#pragma once

struct failure;

typedef int (*builtin_program)(char **argv);

/* The program of that name, or NULL. */
builtin_program builtin_find(const char *name);
/* Keeps the rights that handling anybody's files takes, and gives up all others for good. */
int builtin_drop_rights(struct failure *failure);

/*
 * look PATH: what a path is, as fields ended by NUL: error number (0: the rest follows), mode, size, modification time
 * (seconds, nanoseconds), mode behind all symlinks (0: nothing there), 1 if that lies on a read-only mount, 1 if it lies
 * on the root's file system, and (for a symlink) the path behind it.
 */
int builtin_look(char **argv);
/* read PATH LIMIT: the first bytes of a plain file, symlinks followed. Status 1: there is none; 4: too many links. */
int builtin_read(char **argv);
/* apply KEEP FOLDER: carries out what standard input says (apply.c has the format); FOLDER is for messages. */
int builtin_apply(char **argv);
/* copy FROM TO: makes a folder what another one is (copy.c), on the disk. Status 3: FROM is none; 1: it failed, and nothing is left of it; 4: something is. */
int builtin_copy(char **argv);
/* files: answers what is in the tree, for as long as it is asked (files.c has the format). */
int builtin_files(char **argv);
