import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { CacheRecord } from "#build";
import { Fault } from "#core/fault";
import { shortId } from "#core/ids";
import { readTar } from "#core/tar-read";
import { dockerProgram } from "#fixtures/docker";
import { type Outcome, runProgram } from "#fixtures/program";
import { fakeRooms } from "../testing/fake-rooms.ts";
import { startServer } from "../testing/raw-client.ts";
import {
  builtImage,
  type BuildScript,
  eventsOf,
  scriptedBuilder,
  type ScriptedBuilder,
  stepsOf,
} from "../testing/scripted-builder.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-docker-build-"));
after(() => rm(folder, { recursive: true, force: true }));
await writeFile(join(folder, "Dockerfile"), "FROM busybox\nRUN make\n");

const steps = stepsOf(["FROM busybox", "RUN make"]);

async function docker(builder: ScriptedBuilder, ...args: readonly string[]): Promise<Outcome> {
  const rooms = fakeRooms({ volumes: { usage: async () => [] } });
  await using server = await startServer({ ...rooms.options, builder });
  const env = { DOCKER_BUILDKIT: "0", DOCKER_CONFIG: folder, DOCKER_HOST: `unix://${server.path}` };
  return await runProgram(await dockerProgram(), [...args], { env });
}

const makes: BuildScript = async function* ({ context }) {
  const names: string[] = [];
  if (context.kind === "archive") for await (const { header } of readTar(context.bytes)) names.push(header.path);
  const { plan, started, ended, output, result } = eventsOf(steps);
  yield plan;
  yield ended(1);
  yield started(2);
  yield output(2, `${names.toSorted().join(" ")}\n`);
  yield ended(2);
  yield result(["app:latest"]);
};

test("docker build: the CLI shows the steps, and knows the image's id", async () => {
  const builder = scriptedBuilder(makes);
  const iid = join(folder, "iid");
  const { code, stdout, stderr } = await docker(builder, "build", "-t", "app", "--iidfile", iid, folder);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /Step 1\/2 : FROM busybox\n ---> [0-9a-f]{12}\nStep 2\/2 : RUN make\n ---> Running in [0-9a-f]{12}\n/,
  );
  assert.match(stdout, /\nDockerfile\n ---> Removed intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\n/);
  assert.match(stdout, new RegExp(`\nSuccessfully built ${shortId(builtImage)}\nSuccessfully tagged app:latest\n$`));
  assert.equal(await readFile(iid, "utf8"), builtImage);
});

test("docker build -q: the id alone", async () => {
  const { code, stdout } = await docker(scriptedBuilder(makes), "build", "-q", folder);
  assert.deepEqual([code, stdout], [0, `${builtImage}\n`]);
});

test("docker build: a failed command's exit code is the CLI's", async () => {
  const message = "The command '/bin/sh -c make' returned a non-zero code: 7";
  const builder = scriptedBuilder(async function* () {
    const { plan, ended, output } = eventsOf(steps);
    yield plan;
    yield ended(1);
    yield output(2, "no rule\n", "stderr");
    yield ended(2, "failed");
    throw Object.assign(new Fault("invalid", message), { exitCode: 7 });
  });
  const { code, stdout, stderr } = await docker(builder, "build", folder);
  assert.equal(code, 7);
  assert.match(stdout + stderr, /no rule/);
  assert.match(stderr, new RegExp(message.replace(/[()/]/g, "\\$&")));
});

const record: CacheRecord = {
  id: "c".repeat(64),
  parents: [],
  type: "regular",
  description: "RUN make",
  inUse: false,
  shared: false,
  sizeBytes: 123_000_000,
  createdNs: 1_700_000_000_000_000_000n,
  usageCount: 2,
};

test("docker system df, docker builder prune: the CLI counts and prunes the builder's cache", async () => {
  const builder = scriptedBuilder(makes, { cache: [record] });
  const usage = await docker(builder, "system", "df");
  assert.match(usage.stdout, /Build Cache +1 +0 +123MB +123MB/, usage.stderr);
  const pruned = await docker(builder, "builder", "prune", "-af", "--filter", "until=24h");
  assert.match(pruned.stdout, /Deleted build cache objects:\nabc\n\nTotal reclaimed space: 42B/, pruned.stderr);
  assert.equal(builder.prunes[0]?.all, true);
  assert.deepEqual(builder.prunes[0]?.filters, { until: ["24h"] });
});
