import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import Docker from "dockerode";
import { startDaemon } from "../fixtures/daemon.ts";

interface Line {
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number };
  readonly aux?: { readonly ID?: string };
}

test("dockerode buildImage: an image of a packed context, its id in aux, its failure in the last line", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const docker = new Docker({ socketPath: daemon.socket });
  const folder = await mkdtemp(join(tmpdir(), "slipway-dockerode-build-"));
  try {
    await writeFile(join(folder, "Dockerfile"), "FROM busybox\nARG CODE=0\nCOPY note /note\nRUN exit $CODE\n");
    await writeFile(join(folder, "note"), "noted");
    const build = async (options: Docker.ImageBuildOptions): Promise<readonly Line[]> => {
      const stream = await docker.buildImage({ context: folder, src: ["Dockerfile", "note"] }, options);
      return await new Promise((resolve, reject) => {
        docker.modem.followProgress(stream, (error, lines: Line[]) => (error ? reject(error) : resolve(lines)));
      });
    };
    const lines = await build({ t: "noted:1" });
    const id = lines.find(({ aux }) => aux?.ID !== undefined)?.aux?.ID;
    assert.equal((await docker.getImage("noted:1").inspect()).Id, id);
    assert.match(
      lines.map(({ stream = "" }) => stream).join(""),
      /Step 4\/4 : RUN exit \$CODE\n.*Successfully tagged noted:1\n/s,
    );
    const failed = (await build({ buildargs: { CODE: "4" } })).at(-1);
    assert.match(failed?.error ?? "", /returned a non-zero code: 4$/);
    assert.equal(failed?.errorDetail?.code, 4);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
