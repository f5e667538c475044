ARG BASE=busybox
FROM golang:1.25 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg --mount=type=bind,from=tools,source=/bin,target=/tools,rw go build -o /out/app

FROM $BASE AS tools
RUN install tools

FROM scratch
COPY --from=build --chown=1000:1000 --chmod=755 /out/app /app
COPY --link --from=1 /x /y/
ENTRYPOINT ["/app"]
