import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import Docker from "dockerode";
import { Fault } from "#core/fault";
import { shortId } from "#core/ids";
import { readTar } from "#core/tar-read";
import { runProgram } from "#fixtures/program";
import { fakeRooms } from "../testing/fake-rooms.ts";
import { startServer } from "../testing/raw-client.ts";
import {
  allOf,
  builtImage,
  type BuildScript,
  eventsOf,
  scriptedBuilder,
  stepsOf,
} from "../testing/scripted-builder.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-client-builds-"));
after(() => rm(folder, { recursive: true, force: true }));
await writeFile(join(folder, "Dockerfile"), "FROM busybox\nRUN make\n");
await writeFile(join(folder, "main.c"), "int main;\n");

const steps = stepsOf(["FROM busybox", "RUN make"]);

/** Tells which files came; fails where the argument FAIL asks for it. */
const tells: BuildScript = async function* ({ context, args }) {
  const names: string[] = [];
  if (context.kind === "archive") {
    const sent = await allOf(context.bytes);
    const tar = sent[0] === 0x1f ? gunzipSync(sent) : sent; // dockerode packs it
    for await (const { header } of readTar(Readable.from([tar]))) if (header.type === "file") names.push(header.path);
  }
  const { plan, ended, output, result } = eventsOf(steps);
  yield plan;
  yield ended(1);
  yield output(2, `${names.toSorted().join(" ")}\n`);
  if (args["FAIL"] !== undefined) {
    yield ended(2, "failed");
    throw Object.assign(new Fault("invalid", "The command 'make' returned a non-zero code: 2"), { exitCode: 2 });
  }
  yield ended(2);
  yield result(["app:latest"]);
};

test("dockerode buildImage: sends the files, follows the lines, and sees a failure as one", async () => {
  await using server = await startServer({ ...fakeRooms().options, builder: scriptedBuilder(tells) });
  const docker = new Docker({ socketPath: server.path });
  const source = { context: folder, src: ["Dockerfile", "main.c"] };
  const follow = async (
    options: Docker.ImageBuildOptions,
  ): Promise<{ stream?: string; error?: string; aux?: { ID: string } }[]> => {
    const stream = await docker.buildImage(source, options);
    return await new Promise((resolve, reject) => {
      docker.modem.followProgress(stream, (error, lines) => (error ? reject(error) : resolve(lines)));
    });
  };
  const lines = await follow({ t: "app" });
  const told = lines.map(({ stream = "" }) => stream).join("");
  assert.match(told, /Step 2\/2 : RUN make\n.*\nDockerfile main\.c\n/);
  assert.match(told, new RegExp(`Successfully built ${shortId(builtImage)}\nSuccessfully tagged app:latest\n$`));
  assert.equal(lines.find(({ aux }) => aux !== undefined)?.aux?.ID, builtImage);
  // dockerode leaves it to the caller to look at the last line.
  const failed = await follow({ buildargs: { FAIL: "1" } });
  assert.equal(failed.at(-1)?.error, "The command 'make' returned a non-zero code: 2");
});

const script = `
import docker, sys
client = docker.APIClient(timeout=20)
lines = list(client.build(path=sys.argv[1], tag="app", decode=True, buildargs={"A": "1"}))
print("".join(line.get("stream", "") for line in lines), end="")
lines = list(client.build(path=sys.argv[1], decode=True, buildargs={"FAIL": "1"}))
print(lines[-1]["error"], lines[-1]["errorDetail"]["code"])
print(client.prune_builds())
`;

test("docker-py build: sends the files, reads the words, and gets error and code", async () => {
  const builder = scriptedBuilder(tells);
  await using server = await startServer({ ...fakeRooms().options, builder });
  const env = { DOCKER_HOST: `unix://${server.path}`, DOCKER_CONFIG: folder, HOME: folder };
  const code = script.replace(
    "docker.APIClient(",
    `docker.APIClient(base_url="unix://${server.path}", version="auto", `,
  );
  const outcome = await runProgram("/usr/bin/python3", ["-W", "ignore", "-c", code, folder], { env });
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, /Step 2\/2 : RUN make\n.*\nDockerfile main\.c\n/);
  assert.match(
    outcome.stdout,
    new RegExp(`\nSuccessfully built ${shortId(builtImage)}\nSuccessfully tagged app:latest\n`),
  );
  assert.match(outcome.stdout, /\nThe command 'make' returned a non-zero code: 2 2\n/);
  assert.match(outcome.stdout, /'CachesDeleted': \['abc'\], 'SpaceReclaimed': 42/);
  assert.equal(builder.builds[0]?.args["A"], "1");
});
