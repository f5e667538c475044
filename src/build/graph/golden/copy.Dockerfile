FROM busybox
WORKDIR /w
ARG WHO=app
COPY a .
COPY --chown=$WHO --exclude=*.md --exclude=.git b c/ d/
ADD https://example.com/file.tgz /opt/
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/x /x
ADD --keep-git-dir https://example.com/repo.git#v1:sub /repo
ADD --unpack=false archive.tar /
COPY --parents x/y/*.ts /p/
COPY <<hello <<"raw" /docs/
dear $WHO
hello
dear $WHO
raw
COPY --from=golang:1.25 /go /go
