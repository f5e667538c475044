#ifndef HELLO_WEB_H
#define HELLO_WEB_H

/* Serves the page until SIGTERM or SIGINT; answers the program's exit code. */
int serve(unsigned short port);

#endif
