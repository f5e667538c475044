import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Fault } from "#core/fault";
import { parseReference } from "#core/reference";
import { applyChanges } from "./changes.ts";
import { openTestRoom, piecesOf, tarOf } from "./images.fixture.ts";

const signal = new AbortController().signal;

test("import: the tar of a root filesystem becomes an image, however it is packed", async () => {
  await using room = await openTestRoom();
  const tar = await tarOf([{ path: "./" }, { path: "./etc/" }, { path: "./etc/motd", data: "hi" }]);
  const xz = execFileSync("xz", ["-c"], { input: tar });
  const ids = new Set<string>();
  for (const bytes of [tar, gzipSync(tar), zstdCompressSync(tar), xz]) {
    const changes = ['CMD ["/bin/sh"]', "ENV A=b", "expose 80"];
    const options = { reference: parseReference("made:1"), changes, message: "Imported from -" };
    ids.add(await room.images.importArchive(piecesOf(bytes), options, signal));
  }
  assert.equal(ids.size, 4, "they differ in their time");
  const image = room.images.find("made:1");
  assert.deepEqual(image.config.config?.Cmd, ["/bin/sh"]);
  assert.deepEqual(image.config.config?.ExposedPorts, { "80/tcp": {} });
  assert.equal(room.images.history("made:1")[0]?.comment, "Imported from -");
  await room.images.createRoot(image.id, "c");
  assert.equal(await room.inRoot("c", "cat etc/motd"), "hi");
  assert.equal(room.events.filter((event) => event.action === "import").length, 4);
});

test("import: what is no tar, or a bad change, leaves nothing", async () => {
  await using room = await openTestRoom();
  const take = async (bytes: Uint8Array, ...changes: string[]): Promise<unknown> =>
    await room.images.importArchive(piecesOf(bytes), { changes, message: "" }, signal);
  await assert.rejects(take(Buffer.alloc(2000, "x")), Fault);
  await assert.rejects(take(gzipSync(Buffer.alloc(2000, "x"))), Fault);
  await assert.rejects(take(Buffer.alloc(1024), "RUN true"), { message: "RUN is not a valid change command" });
  assert.deepEqual(readdirSync(join(room.folder, "content/blobs/sha256")), []);
  assert.deepEqual(readdirSync(join(room.folder, "content/ingest")), []);
});

test("applyChanges: each instruction does what it does in a Dockerfile", () => {
  const changes = [
    "ENTRYPOINT /bin/run --flag",
    'CMD ["a", "b c"]',
    "ENV A=\"x y\" B=it\\ is C='$1' A=again",
    "ENV OLD the whole rest",
    'LABEL "com.example"="v 1" x=y',
    "EXPOSE 80 53/udp 8000-8002",
    'VOLUME ["/data", "/more"]',
    "VOLUME /v1 /v2",
    "USER 1000:1000",
    "WORKDIR /a/./b",
    "WORKDIR ../c",
    "STOPSIGNAL SIGQUIT",
    "HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f localhost",
    "ONBUILD RUN make",
    "# a comment",
  ];
  assert.deepEqual(applyChanges({ Env: ["PATH=/bin", "A=old"] }, changes), {
    Env: ["PATH=/bin", "A=again", "B=it is", "C=$1", "OLD=the whole rest"],
    Entrypoint: ["/bin/sh", "-c", "/bin/run --flag"],
    Cmd: ["a", "b c"],
    ArgsEscaped: false,
    Labels: { "com.example": "v 1", x: "y" },
    ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} },
    Volumes: { "/data": {}, "/more": {}, "/v1": {}, "/v2": {} },
    User: "1000:1000",
    WorkingDir: "/a/c",
    StopSignal: "SIGQUIT",
    Healthcheck: { Test: ["CMD-SHELL", "curl -f localhost"], Interval: 90e9, Retries: 2 },
    OnBuild: ["RUN make"],
  });
  assert.deepEqual(applyChanges({}, ["HEALTHCHECK NONE"]), { Healthcheck: { Test: ["NONE"] } });
});

test("applyChanges: what is wrong is said", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["FROM x", /^FROM is not a valid change command$/],
    ["nonsense", /^nonsense is not a valid change command$/],
    ["ENV A", /ENV must have two arguments/],
    ["ENV =x", /names can not be blank/],
    ["EXPOSE 70000", /invalid containerPort: 70000/],
    ["USER", /USER requires exactly one argument/],
    ["USER a b", /exactly one argument/],
    ["STOPSIGNAL 99", /invalid signal: 99/],
    ["HEALTHCHECK CMD", /Missing command/],
    ["HEALTHCHECK --interval=x CMD y", /invalid duration/],
    ["HEALTHCHECK curl", /Unknown type "CURL"/],
    ["ONBUILD FROM x", /isn't allowed as an ONBUILD trigger/],
  ];
  for (const [change, message] of wrong) assert.throws(() => applyChanges({}, [change]), { message }, change);
});
