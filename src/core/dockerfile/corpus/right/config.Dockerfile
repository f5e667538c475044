FROM a
EXPOSE 80 53/udp 8000-8010/tcp ${PORT}
VOLUME /a "/b c" /d
VOLUME ["/e f", "/g"]
USER 1000:1000
WORKDIR /path with blanks/$DIR
STOPSIGNAL SIGQUIT
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
CMD
CMD []
CMD ["a", "b c"]
CMD run it "now"
ENTRYPOINT ["/bin/x"]
ENTRYPOINT exec x
HEALTHCHECK NONE
HEALTHCHECK --interval=1m30s --timeout=0 --start-period=1h --start-interval=500ms --retries=3 CMD curl -f http://localhost/
HEALTHCHECK cmd ["probe", "--fast"]
ONBUILD RUN --mount=type=cache,target=/c make
onbuild COPY . /app
MAINTAINER Someone <someone@example.com>
