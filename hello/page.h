#ifndef HELLO_PAGE_H
#define HELLO_PAGE_H

#include <stddef.h>

/* Writes the page with the facts of now; answers its length in bytes (cut at `size`). */
size_t write_page(char *page, size_t size, unsigned long visits);

#endif
