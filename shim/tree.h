/* Confinement of a program that touches a hostile tree: all that it can write to is the tree. */
#pragma once

#include <stdbool.h>

struct failure;

/*
 * In a private mount namespace: makes a scratch root of the host's programs and libraries (read-only), /dev/null and the
 * tree at /tree, pivots into it and starts in /tree or in `folder` inside it (resolved so that no symlink leaves the tree).
 * With `deep` the tree has what a mount plan has put below it.
 */
int tree_enter(const char *tree, const char *folder, bool deep, struct failure *failure);
/* The same with the tree itself as the root, for what needs none of the host's programs: absolute symlinks mean what they say. */
int tree_become_root(const char *tree, const char *folder, struct failure *failure);
