import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefaults } from "../oci.ts";
import {
  absolutePath,
  applyToConfig,
  commandWords,
  isConfigInstruction,
  lookupIn,
  withMaintainer,
} from "./apply-config.ts";
import { parseInstructions } from "./parse.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** The defaults after these instructions, variables being those of the environment. */
function applied(text: string, defaults: ContainerDefaults = {}): ContainerDefaults {
  let hasOwnCommand = false;
  return parseInstructions(text).reduce((before, instruction) => {
    assert.ok(isConfigInstruction(instruction), instruction.kind);
    const scope = { lookup: lookupIn(before.Env), escape: "\\", hasOwnCommand } as const;
    hasOwnCommand ||= instruction.kind === "cmd";
    return applyToConfig(before, instruction, scope);
  }, defaults);
}

test("applyToConfig: each instruction has its effect, variables expanded where the reference lets them", () => {
  const defaults = { Env: ["PATH=/bin", "PORT=81", "NAME=n"], Labels: { old: "1" }, WorkingDir: "/base" };
  const text = `
ENV PATH=/x:$PATH NEW="two words" PORT=82
ENV AFTER=$PORT/$NEW
LABEL "by.$NAME"='$NAME' other=$AFTER
EXPOSE $PORT 53/UDP 8000-8002
VOLUME $NEW /data
USER $NAME:$PORT
WORKDIR sub/$NAME
WORKDIR ../two words
STOPSIGNAL SIG$NAME
SHELL ["/bin/bash", "-c"]
CMD echo $NAME
ENTRYPOINT ["echo", "$NAME"]
HEALTHCHECK --interval=1m30s --retries=2 --start-interval=2s CMD probe $NAME
ONBUILD RUN echo $NAME
ONBUILD USER x`;
  assert.deepEqual(applied(text, defaults), {
    Env: ["PATH=/x:/bin", "PORT=82", "NAME=n", "NEW=two words", "AFTER=82/two words"],
    Labels: { old: "1", "by.n": "$NAME", other: "82/two words" },
    WorkingDir: "/base/sub/two words",
    ExposedPorts: { "82/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} },
    Volumes: { "two words": {}, "/data": {} },
    User: "n:82",
    StopSignal: "SIGn",
    Shell: ["/bin/bash", "-c"],
    Cmd: ["/bin/bash", "-c", "echo $NAME"],
    Entrypoint: ["echo", "$NAME"],
    Healthcheck: { Test: ["CMD-SHELL", "probe $NAME"], Interval: 90e9, Retries: 2, StartInterval: 2e9 },
    OnBuild: ["RUN echo $NAME", "USER x"],
  });
  assert.deepEqual(applied("HEALTHCHECK NONE"), { Healthcheck: { Test: ["NONE"] } });
  assert.deepEqual(applied('HEALTHCHECK CMD ["a"]'), { Healthcheck: { Test: ["CMD", "a"] } });
});

test("applyToConfig: ENTRYPOINT takes the base's CMD away, and not one of its own stage", () => {
  const defaults = { Cmd: ["base"] };
  assert.deepEqual(applied('ENTRYPOINT ["x"]', defaults), { Cmd: null, Entrypoint: ["x"] });
  assert.deepEqual(applied('CMD ["own"]\nENTRYPOINT ["x"]', defaults), { Cmd: ["own"], Entrypoint: ["x"] });
});

test("applyToConfig: what only shows when it is expanded is a fault at its word", () => {
  const env = { Env: ["BLANK= ", "TWO=a b", "BIG=70000"] };
  const cases: readonly (readonly [string, string])[] = [
    ["USER $TWO", "USER requires exactly one argument"],
    ["STOPSIGNAL 65", "invalid signal: 65"],
    ["STOPSIGNAL $TWO", "STOPSIGNAL requires exactly one argument"],
    ["VOLUME /x $BLANK", "VOLUME specified can not be an empty string"],
    ["EXPOSE $BIG", "invalid containerPort: 70000"],
    ["EXPOSE 80/http", 'invalid port: "80/http": invalid proto: http'],
    ["EXPOSE /tcp", 'invalid port: "/tcp": no port specified'],
    ["EXPOSE 9-8", "invalid containerPort: 9-8"],
    ["EXPOSE x:80", "invalid hostPort: x"],
    ["EXPOSE 1.2.3:80:80", "invalid IP address: 1.2.3"],
    ["ENV A=${X:?needed}", 'failed to process "${X:?needed}": X: needed'],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => applied(text, env),
      (error) => error instanceof SyntaxFault && error.message === message && error.span.start.column > 4,
      text,
    );
});

test("applyToConfig: EXPOSE takes what Docker still takes: addresses and ports of the host mean nothing", () => {
  assert.deepEqual(applied("EXPOSE 127.0.0.1:80:8080 [::1]:80:81/udp 7:7"), {
    ExposedPorts: { "8080/tcp": {}, "81/udp": {}, "7/tcp": {} },
  });
});

test("withMaintainer: names the image's author", () => {
  const [maintainer] = parseInstructions("MAINTAINER Some One <one@example.com>");
  assert.ok(maintainer?.kind === "maintainer");
  const image = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } } as const;
  assert.deepEqual(withMaintainer(image, maintainer), { ...image, author: "Some One <one@example.com>" });
});

test("commandWords, absolutePath: lines are the shell's, paths are seen from the working directory", () => {
  assert.deepEqual(commandWords({ form: "shell", text: "a b" }, undefined), ["/bin/sh", "-c", "a b"]);
  assert.deepEqual(commandWords({ form: "exec", args: ["a b"] }, ["x"]), ["a b"]);
  for (const [path, base, result] of [
    ["a/../b", "/x", "/x/b"],
    ["/a/./b/", "/x", "/a/b"],
    ["../../..", "/x/y", "/"],
    ["a", undefined, "/a"],
  ] as const)
    assert.equal(absolutePath(path, base), result);
});
