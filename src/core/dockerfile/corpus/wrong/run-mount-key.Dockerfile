FROM a
RUN true && \
  false
RUN --network=none \
    --mount=type=cache,traget=/x \
    true
