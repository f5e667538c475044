import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveOwner } from "./owner.ts";

const files: Readonly<Record<string, string>> = {
  "/etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n",
  "/etc/group": "root:x:0:\nweb:x:33:\n",
};
const read = async (path: string): Promise<string | undefined> => await Promise.resolve(files[path]);

test("resolveOwner: numbers stand for themselves and for their group, names are looked up", async () => {
  assert.deepEqual(await resolveOwner("55", read), { uid: 55, gid: 55 });
  assert.deepEqual(await resolveOwner("55:66", read), { uid: 55, gid: 66 });
  assert.deepEqual(await resolveOwner("app", read), { uid: 1000, gid: 1001 });
  assert.deepEqual(await resolveOwner("app:web", read), { uid: 1000, gid: 33 });
  assert.deepEqual(await resolveOwner("55:web", read), { uid: 55, gid: 33 });
  assert.deepEqual(await resolveOwner(":web", read), { uid: 0, gid: 33 });
});

test("resolveOwner: who is not there is an error, not root", async () => {
  await assert.rejects(resolveOwner("nobody", read), { kind: "invalid", message: /unable to find user nobody/ });
  await assert.rejects(resolveOwner("app:nobody", read), { kind: "invalid", message: /unable to find group nobody/ });
  await assert.rejects(
    resolveOwner("app", async () => await Promise.resolve(undefined)),
    { kind: "invalid" },
  );
  await assert.rejects(resolveOwner("99999999999", read), { kind: "invalid" });
});
