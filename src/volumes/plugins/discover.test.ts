import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isFault } from "#core/fault";
import { findPlugin } from "./discover.ts";

let folder: string;
const listener = createServer();
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-discover-"));
  for (const name of ["run", "etc", "run/nested"]) await mkdir(join(folder, name), { recursive: true });
  listener.listen(join(folder, "run/socket.sock"));
  await once(listener, "listening");
  await writeFile(join(folder, "run/plain.sock"), "no socket");
  await writeFile(join(folder, "etc/socket.spec"), "unix:///elsewhere.sock");
  await writeFile(join(folder, "etc/spec.spec"), "unix:///run/with%20blank.sock\n");
  await writeFile(join(folder, "etc/json.json"), JSON.stringify({ Name: "json", Addr: "unix:///run/json.sock" }));
  await writeFile(join(folder, "run/nested/nested.spec"), "unix:///run/nested.sock");
  await writeFile(join(folder, "etc/remote.spec"), "tcp://192.0.2.1:8080");
  await writeFile(join(folder, "etc/broken.json"), "{}");
});
after(async () => {
  listener.close();
  await rm(folder, { recursive: true, force: true });
});

const find = async (name: string): Promise<string> =>
  await findPlugin(name, [join(folder, "run"), join(folder, "etc")]);

test("findPlugin: a socket, then files that name one, also in a folder of the plugin's name", async () => {
  assert.equal(await find("socket"), join(folder, "run/socket.sock"));
  assert.equal(await find("spec"), "/run/with blank.sock");
  assert.equal(await find("json"), "/run/json.sock");
  assert.equal(await find("nested"), "/run/nested.sock");
});

test("findPlugin: what is none, leads out of the folders, or is not on this machine", async () => {
  for (const name of ["nobody", "plain", "../run/socket", "nested/nested", ".", ""]) {
    await assert.rejects(
      find(name),
      (error) => isFault(error, "notFound") && /plugin ".*" not found/.test(error.message),
    );
  }
  await assert.rejects(find("remote"), (error) => isFault(error, "unsupported") && /tcp:\/\/192/.test(error.message));
  await assert.rejects(find("broken"), (error) => isFault(error, "invalid") && /names no address/.test(error.message));
});
