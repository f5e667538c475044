FROM a
RUN --network=none --network=none true
