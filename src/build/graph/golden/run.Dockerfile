FROM busybox
SHELL ["/bin/ash", "-c"]
RUN echo shell && \
    echo on
RUN ["/bin/echo", "exec"]
RUN <<EOF
echo script
EOF
RUN <<PYTHON
#!/usr/bin/python3
print("program")
PYTHON
RUN cat <<A <<B >/both
one
A
two
B
RUN --network=none --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=key \
    --mount=type=ssh --mount=type=tmpfs,target=/scratch,size=10m true
RUN --mount=target=. --mount=type=cache,id=own,target=cache,sharing=locked,uid=5 make
