FROM a
COPY --checksum=x a b
