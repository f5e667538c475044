/* Images of disks (ext4 in a file), mounted by loop devices that go with their last mount. */
#pragma once

/*
 * Mounts the image at the folder. Whoever mounts it while it is mounted elsewhere gets the same file system, so that
 * monitors and those who look at a container's files see one and the same. 0 or -errno.
 */
int disk_mount(const char *image, const char *target);
