#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fail(struct failure *failure, const char *stage, int error, const char *format, ...) {
  if (failure == NULL) return -error;
  failure->error = error;
  snprintf(failure->stage, sizeof failure->stage, "%s", stage);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(failure->text, sizeof failure->text, format, arguments);
  va_end(arguments);
  size_t length = strlen(failure->text);
  if (error != 0) snprintf(failure->text + length, sizeof failure->text - length, ": %s", strerror(error));
  return -error;
}
