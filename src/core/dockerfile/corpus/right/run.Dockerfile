FROM a
RUN echo "$HOME" && true
RUN ["/bin/sh", "-c", "echo \"hi\" \u00e9"]
RUN [ "$broken", 
RUN ['single']
RUN --mount=type=cache,target=/c,sharing=locked --mount=type=secret,id=s --network=none --security=insecure --device=vendor.com/class=all make all
RUN --mount='type=bind,"target=/a,b"' -- --looks-like-a-flag
RUN	tabs	and	--not-a-flag
