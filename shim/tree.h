/* Confinement of a program that touches a hostile tree: all that it can write to is the tree. */
#pragma once

struct failure;

/*
 * In a private mount namespace: makes a scratch root of the host's programs and libraries (read-only), /dev/null and the
 * tree at /tree, pivots into it and starts in /tree or in `folder` inside it (resolved so that no symlink leaves the tree).
 */
int tree_enter(const char *tree, const char *folder, struct failure *failure);
