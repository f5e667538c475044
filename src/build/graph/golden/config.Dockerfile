FROM golang:1.25
MAINTAINER Ada <ada@example.com>
ENV A=1 B="two words" PATH=$PATH:/x
LABEL version=$A "two words"='$A'
EXPOSE 80 443/udp 9000-9001
USER app
WORKDIR sub
WORKDIR /
VOLUME /data /logs
STOPSIGNAL SIGQUIT
SHELL ["/bin/bash", "-eu", "-c"]
HEALTHCHECK --interval=5s CMD curl localhost
ONBUILD RUN echo $A
ENTRYPOINT exec server
CMD ["--port", "80"]
