/*
 * The user namespace of a container. It is made before its ids are known (a slot's network namespace must belong to it), and
 * mapped when the container starts. Files are shown in it under the container's ids by idmapped mounts, see mountplan.h.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct failure;

struct userns {
  int fd;
  /* Who the container's root is outside of it. */
  uid_t root_uid;
  gid_t root_gid;
};

/* A new one, without ids yet, unless `user` is one already; with `network` not NULL also a network namespace that belongs to it. */
int userns_make(int *user, int *network, struct failure *failure);
/* Gives it its ids: lines of user_namespaces(7), `inside outside count`. */
int userns_map(int user, const char *uid_map, const char *gid_map, struct failure *failure);
/* Fills root_uid and root_gid of a namespace that has its ids. */
int userns_find_root(struct userns *userns, struct failure *failure);
/* From here on this thread makes files as the container's root (or, with NULL, as root again); it keeps all rights. */
int userns_act_as_root(const struct userns *userns);
