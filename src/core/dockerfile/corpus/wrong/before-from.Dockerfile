# x
ARG A
RUN true
FROM a
