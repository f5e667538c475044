/* `slipway-shim init -- CMD...`: the tiny init of a container. */
#pragma once

/* Runs the program as a child, passes signals on to it, reaps every orphan; returns the child's status (128 + signal). */
int init_main(char **argv);
