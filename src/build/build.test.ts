import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseReference } from "#core/reference";
import { type BuildBed, FailedBuild, openBuildBed } from "#fixtures/build-bed";

let bed: BuildBed;
before(async () => {
  bed = await openBuildBed();
});
after(async () => {
  await bed[Symbol.asyncDispose]();
});

test("build: the same thing again is the same image, and nothing runs", async () => {
  const dockerfile = 'FROM busybox\nWORKDIR /app\nCOPY . .\nRUN cat a.txt >b.txt && echo built\nCMD ["cat", "b.txt"]\n';
  const context = { kind: "folder", path: await bed.context({ "a.txt": "one\n" }) } as const;
  const tags = [parseReference("app:1"), parseReference("registry.example/app:2")];
  const first = await bed.build(dockerfile, { context, tags });
  assert.match(first.output, /built/);
  assert.equal(await bed.inside(first.result.imageId, "cat /app/b.txt"), "one\n");
  const image = bed.images.find("app:1");
  assert.deepEqual(image.repoTags, ["app:1", "registry.example/app:2"]);
  assert.deepEqual(image.config.config?.Cmd, ["cat", "b.txt"]);
  assert.equal(image.config.config?.WorkingDir, "/app");
  const again = await bed.build(dockerfile, { context, tags });
  assert.equal(again.result.imageId, first.result.imageId);
  assert.equal(again.output, "");
  assert.deepEqual(new Set(Object.values(again.outcomes)), new Set(["done", "cached"]));
  assert.equal(again.outcomes["RUN cat a.txt >b.txt && echo built"], "cached");
});

test("build: a file that was only touched costs nothing, a changed one what depends on it, and the reason is told", async () => {
  const dockerfile = "FROM busybox AS a\nCOPY a .\nRUN cat a\nFROM busybox\nCOPY b .\nRUN cat b\nCOPY --from=a a .\n";
  const path = await bed.context({ a: "a1", b: "b1" });
  const build = async () => await bed.build(dockerfile, { context: { kind: "folder", path }, explain: true });
  await build();
  await utimes(join(path, "a"), 1, 1);
  assert.deepEqual((await build()).outcomes, {
    "FROM busybox AS a": "done",
    "COPY a .": "cached",
    "RUN cat a": "cached",
    "FROM busybox": "done",
    "COPY b .": "cached",
    "RUN cat b": "cached",
    "COPY --from=a a .": "cached",
  });
  await writeFile(join(path, "b"), "b2");
  const changed = await build();
  assert.deepEqual(changed.outcomes, {
    "FROM busybox AS a": "done",
    "COPY a .": "cached",
    "RUN cat a": "cached",
    "FROM busybox": "done",
    "COPY b .": "done",
    "RUN cat b": "done",
    "COPY --from=a a .": "done",
  });
  const reasons = changed.told.flatMap((event) => (event.kind === "ended" ? [event.reason] : []));
  assert.ok(reasons.includes("b changed"), JSON.stringify(reasons));
});

test("build: a step that makes the same again does not make those behind it run again", async () => {
  const path = await bed.context({ a: "1" });
  const build = async () =>
    await bed.build(
      "FROM busybox\nRUN --mount=source=a,target=/a cat /a >/dev/null; echo same >/x; touch -d @0 /x /\nRUN echo after >/y\n",
      {
        context: { kind: "folder", path },
      },
    );
  await build();
  await writeFile(join(path, "a"), "2");
  const { outcomes } = await build();
  assert.equal(outcomes["RUN --mount=source=a,target=/a cat /a >/dev/null; echo same >/x; touch -d @0 /x /"], "done");
  assert.equal(outcomes["RUN echo after >/y"], "cached");
});

test("build: stages that the target does not need never run; scratch takes what is copied", async () => {
  const { result, outcomes } = await bed.build(
    "FROM busybox AS never\nRUN false\nFROM busybox AS made\nRUN mkdir /out && echo hi >/out/hi\nFROM scratch\nCOPY --from=made /out /\n",
  );
  assert.equal(outcomes["RUN false"], undefined);
  const image = bed.images.find(result.imageId ?? "");
  assert.equal(image.config.rootfs.diff_ids.length, 1);
  assert.deepEqual(image.config.config?.Env, ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
});

test("build: a command that fails ends the build with its code, its output before it", async () => {
  const failed = await bed.build("FROM busybox\nRUN echo words; exit 7\nRUN true\n").then(
    () => assert.fail("it was built"),
    (error: unknown) => error,
  );
  assert.ok(failed instanceof FailedBuild);
  assert.match(failed.output, /words/);
  assert.equal(failed.message, "The command '/bin/sh -c echo words; exit 7' returned a non-zero code: 7");
  assert.equal((failed.cause as { exitCode?: number }).exitCode, 7);
  assert.equal(bed.builder.history()[0]?.status, "failed");
});

test("build: ten steps that only wait, wait together", async () => {
  const stages = Array.from(
    { length: 10 },
    (_, index) => `FROM busybox AS s${index}\nRUN sleep 1; echo ${index} >/${index}\n`,
  );
  const copies = Array.from({ length: 10 }, (_, index) => `COPY --from=s${index} /${index} /\n`);
  const begun = performance.now();
  await bed.build(`${stages.join("")}FROM scratch\n${copies.join("")}`);
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(seconds < 6, `${seconds} s`);
});

test("build: who leaves ends it within a second, and nothing of it runs", async () => {
  const leaving = new AbortController();
  const building = bed.build("FROM busybox\nRUN trap '' TERM; sleep 987654 & sleep 987654\n", {
    signal: leaving.signal,
  });
  await sleep(700);
  const begun = performance.now();
  leaving.abort();
  await assert.rejects(building, /context canceled/);
  assert.ok(performance.now() - begun < 1500);
  assert.equal(execFileSync("sh", ["-c", "pgrep -f 'sleep 98765[4]' || true"]).toString(), "");
  assert.equal(bed.builder.history()[0]?.status, "cancelled");
});

test("build: cancel by the build's id", async () => {
  const building = bed.build("FROM busybox\nRUN sleep 1000\n", { id: "to-be-cancelled" });
  await sleep(500);
  assert.equal(bed.builder.cancel("to-be-cancelled"), true);
  await assert.rejects(building, /context canceled/);
  assert.equal(bed.builder.cancel("to-be-cancelled"), false);
});

test("build: secrets are there while the step runs, and nowhere after it", async () => {
  const secrets = new Map([["token", Buffer.from("hunter2-hunter2")]]);
  const dockerfile =
    'FROM busybox\nRUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN test "$(cat /run/secrets/token)" = $TOKEN && test ${#TOKEN} = 15 && ls -ln /run/secrets/token\n';
  const { output, result } = await bed.build(dockerfile, { secrets });
  assert.match(output, /^-r--------\s+1 0\s+0\s+15 /m);
  assert.equal(await bed.inside(result.imageId, "ls -A /run 2>/dev/null; echo $TOKEN"), "\n");
  assert.equal(execFileSync("sh", ["-c", `grep -rl hunter2-hunter2 ${bed.folder} || true`]).toString(), "");
  const without = bed.build("FROM busybox\nRUN --mount=type=secret,id=lost,required=true true\n");
  await assert.rejects(without, /secret lost: not found/);
  await bed.build("FROM busybox\nRUN --mount=type=secret,id=lost test ! -e /run/secrets/lost\n");
});

test("build: cache mounts keep what they have, and are no part of the image", async () => {
  const run = (command: string): string => `FROM busybox\nRUN --mount=type=cache,target=/c,id=kept ${command}\n`;
  await bed.build(run("echo once >/c/file"));
  const { output, result } = await bed.build(run("cat /c/file"));
  assert.match(output, /once/);
  assert.equal(await bed.inside(result.imageId, "ls / | grep -cx c || true"), "0\n");
  const own = await bed.build("FROM busybox\nRUN --mount=type=cache,target=/c,uid=7,gid=8,mode=700 ls -ldn /c\n");
  assert.match(own.output, /^drwx------\s+\d+ 7\s+8 /m);
});

test("build: bind mounts show a context without what is ignored, and stages; what is written to them is gone", async () => {
  const files = { ".dockerignore": "hidden\n", hidden: "no", shown: "yes", "sub/deep": "d" };
  const { output, result } = await bed.build(
    "FROM busybox AS tools\nRUN mkdir /t && echo tool >/t/tool\nFROM busybox\nRUN --mount=target=/m,rw --mount=from=tools,source=/t,target=/tools ls /m /tools; echo new >/m/new; cat /m/new; touch /tools/x || echo readonly\n",
    { files },
  );
  assert.match(output, /shown\nsub/);
  assert.doesNotMatch(output, /hidden/);
  assert.match(output, /tool\n/);
  assert.match(output, /new\nreadonly|new\n.*\n?readonly/s);
  assert.equal(await bed.inside(result.imageId, "ls / | grep -cxE 'm|tools' || true"), "0\n");
});

test("build: with SOURCE_DATE_EPOCH two builds from nothing are the same image", async () => {
  const dockerfile = "FROM busybox\nRUN echo x >/made && mkdir /folder\nCOPY f /\nENV A=1\n";
  const args = { SOURCE_DATE_EPOCH: "1700000000" };
  const first = await bed.build(dockerfile, { args, noCache: true, files: { f: "f" } });
  await sleep(1100);
  const second = await bed.build(dockerfile, { args, noCache: true, files: { f: "f" } });
  assert.equal(first.result.imageId, second.result.imageId);
  assert.equal(bed.images.find(first.result.imageId ?? "").config.created, "2023-11-14T22:13:20Z");
  assert.equal(await bed.inside(first.result.imageId, "stat -c %Y /made /folder /f"), "1700000000\n".repeat(3));
});

test("build: triggers of a base run first, and are not handed on", async () => {
  await bed.build("FROM busybox\nONBUILD RUN echo triggered >/t\nONBUILD ENV T=1\n", {
    tags: [parseReference("hooked")],
  });
  const { result } = await bed.build("FROM hooked\nRUN cat /t && test $T = 1\n");
  const { config } = bed.images.find(result.imageId ?? "");
  assert.equal(config.config?.OnBuild, undefined);
  assert.equal(await bed.inside(result.imageId, "cat /t"), "triggered\n");
});

test("build: the history tells each instruction, and which made a layer", async () => {
  const { result } = await bed.build("FROM busybox\nARG V=1\nRUN echo $V >/v\nWORKDIR /\nENV E=$V\nLABEL l=1\n");
  const { config } = bed.images.find(result.imageId ?? "");
  assert.deepEqual(
    config.history?.slice(-5).map((each) => [each.created_by, each.empty_layer === true]),
    [
      ["ARG V=1", true],
      ["RUN |1 V=1 /bin/sh -c echo $V >/v # buildkit", false],
      ["WORKDIR /", true],
      ["ENV E=1", true],
      ["LABEL l=1", true],
    ],
  );
});

test("build: two builds at once share the step that both need", async () => {
  const dockerfile = "FROM busybox\nRUN sleep 1; cat /proc/sys/kernel/random/uuid >/uuid; echo said\n";
  const [one, two] = await Promise.all([bed.build(dockerfile), bed.build(dockerfile)]);
  assert.equal(one.result.imageId, two.result.imageId);
  assert.match(one.output, /said/);
  assert.match(two.output, /said/);
});

test("usage, prune: what the cache has, by size and use; what images have too stays", async () => {
  await bed.builder.prune({ all: true, filters: {} }, AbortSignal.timeout(10_000));
  const tagged = await bed.build("FROM busybox\nRUN echo kept >/kept-file\n", { tags: [parseReference("kept")] });
  await bed.build("FROM busybox\nRUN dd if=/dev/zero of=/large bs=1M count=3 2>/dev/null\nRUN rm /large\n", {
    tags: [parseReference("replaced")],
  });
  await bed.build("FROM busybox\nRUN echo other >/other\n", { tags: [parseReference("replaced")] });
  await bed.images.prune({ danglingOnly: true, filters: {} });
  const usage = await bed.builder.usage();
  const large = usage.find(({ description }) => description.includes("dd if"));
  assert.equal(large?.sizeBytes, 3 << 20);
  assert.equal(large?.shared, false);
  assert.equal(usage.find(({ description }) => description.includes("kept-file"))?.shared, true);
  const { removed, reclaimedBytes } = await bed.builder.prune({ all: false, filters: {} }, AbortSignal.timeout(10_000));
  assert.ok(removed.includes(large?.id ?? "none"));
  assert.ok(reclaimedBytes >= 3 << 20, String(reclaimedBytes));
  assert.equal(await bed.inside(tagged.result.imageId, "cat /kept-file"), "kept\n");
  const rest = await bed.builder.usage();
  assert.deepEqual(
    rest.filter(({ shared }) => !shared),
    [],
  );
});

test("build: after a restart of the room the cache is still there, and a lost build is told", async () => {
  const dockerfile = "FROM busybox\nRUN echo durable >/durable\n";
  await bed.build(dockerfile);
  await bed.reopen();
  const { outcomes } = await bed.build(dockerfile);
  assert.equal(outcomes["RUN echo durable >/durable"], "cached");
});

test("build: mistakes are told with place and remedy", async () => {
  await assert.rejects(bed.build("FROM busybox\nCOPY lost /\n"), /"\/lost": not found/);
  await assert.rejects(bed.build("FROM busybox\nRUNN x\n"), /unknown instruction: RUNN/);
  await assert.rejects(bed.build("FROM busybox\nUSER nobody-here\nRUN true\n"), /returned a non-zero code: 125/);
  const missing = bed.build("", { dockerfile: { path: "sub/Dockerfile" } });
  await assert.rejects(missing, /failed to read dockerfile: open sub\/Dockerfile: no such file or directory/);
});

test("build: squash joins what came on top of the base into one layer", async () => {
  const dockerfile = "FROM busybox\nRUN echo a >/a && echo gone >/gone\nRUN rm /gone && echo b >/b\n";
  const { result } = await bed.build(dockerfile, { squash: true });
  const { config } = bed.images.find(result.imageId ?? "");
  const base = bed.images.find("busybox").config.rootfs.diff_ids.length;
  assert.equal(config.rootfs.diff_ids.length, base + 1);
  assert.equal(config.history?.filter((each) => each.empty_layer !== true).length, base + 1);
  assert.equal(await bed.inside(result.imageId, "cat /a /b; test ! -e /gone"), "a\nb\n");
});

test("build: files and archives for the client, and nothing in the store that nobody asked for", async () => {
  const dockerfile = "FROM busybox AS made\nRUN echo made >/made\nFROM scratch\nCOPY --from=made /made /\n";
  const pieces = new Map<string, Buffer>();
  const taken = (type: "tar" | "oci" | "docker") =>
    ({
      type,
      write: async (bytes: AsyncIterable<Uint8Array>) =>
        void pieces.set(type, Buffer.concat(await Array.fromAsync(bytes))),
    }) as const;
  const before = bed.images.count();
  const tags = [parseReference("taken")];
  await bed.build(dockerfile, {
    tags,
    outputs: [taken("tar"), taken("oci"), taken("docker")],
    args: { SOURCE_DATE_EPOCH: "1" },
  });
  assert.equal(bed.images.count(), before);
  const list = (type: string): string => execFileSync("tar", ["-t"], { input: pieces.get(type) }).toString();
  assert.equal(list("tar"), "made\n");
  assert.match(list("oci"), /index\.json/);
  for await (const _ of bed.images.load(
    once(pieces.get("docker") ?? Buffer.alloc(0)),
    { quiet: true },
    AbortSignal.timeout(9000),
  ));
  assert.deepEqual(bed.images.find("taken").repoTags, ["taken:latest"]);
});

test("build: without an output the cache is filled, and there is no image", async () => {
  const before = bed.images.list({ all: true, filters: {} }).length;
  const { result } = await bed.build("FROM busybox\nRUN echo cached >/only\n", { outputs: [] });
  assert.equal(result.imageId, undefined);
  assert.equal(bed.images.list({ all: true, filters: {} }).length, before);
  const { outcomes } = await bed.build("FROM busybox\nRUN echo cached >/only\n");
  assert.equal(outcomes["RUN echo cached >/only"], "cached");
});

test("build: what an image says of its steps is believed by who names it, and by nobody else", async () => {
  const dockerfile = "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid >/uuid\nENV A=1\nRUN echo 2 >/two\n";
  const first = await bed.build(dockerfile, {
    tags: [parseReference("cached:1")],
    cacheTo: [{ type: "inline", options: {} }],
  });
  await bed.builder.prune({ all: true, filters: {} }, AbortSignal.timeout(10_000));
  const other = await bed.build(dockerfile);
  assert.equal(other.outcomes["RUN echo 2 >/two"], "done");
  await bed.builder.prune({ all: true, filters: {} }, AbortSignal.timeout(10_000));
  const named = await bed.build(dockerfile, { cacheFrom: [{ type: "registry", options: { ref: "cached:1" } }] });
  assert.equal(named.outcomes["RUN echo 2 >/two"], "cached");
  assert.deepEqual(
    bed.images.find(named.result.imageId ?? "").config.rootfs,
    bed.images.find(first.result.imageId ?? "").config.rootfs,
  );
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(bytes);
}
