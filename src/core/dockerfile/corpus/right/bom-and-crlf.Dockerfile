# escape=\
FROM a
RUN b \
  c
COPY <<E /x
line
E
USER u