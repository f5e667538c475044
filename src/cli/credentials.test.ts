import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { credentialsFor } from "./credentials.ts";
import { configFolder, readUserConfig } from "./user-config.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-credentials-"));
const path = process.env["PATH"];
after(async () => {
  process.env["PATH"] = path;
  await rm(folder, { recursive: true, force: true });
});

async function configured(config: unknown) {
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  return await readUserConfig(folder);
}

test("readUserConfig: absent, broken, and where it is looked for", async () => {
  assert.deepEqual((await readUserConfig("/nowhere")).auths, {});
  await writeFile(join(folder, "config.json"), "{");
  await assert.rejects(readUserConfig(folder), /loading config file: .*config\.json/);
  assert.equal(configFolder("/flag", { DOCKER_CONFIG: "/env" }), "/flag");
  assert.equal(configFolder("", { DOCKER_CONFIG: "/env", HOME: "/h" }), "/env");
  assert.equal(configFolder("", { HOME: "/h" }), "/h/.docker");
});

test("credentialsFor: what is stored for a registry, and nothing for others", async () => {
  const auth = Buffer.from("user:pass:word").toString("base64");
  const config = await configured({
    auths: {
      "https://index.docker.io/v1/": { auth },
      "reg:5000": { identitytoken: "t" },
      "https://old.example/v1/": { auth },
    },
  });
  const hub = { username: "user", password: "pass:word", serveraddress: "https://index.docker.io/v1/" };
  assert.deepEqual(await credentialsFor(config, "nginx"), hub);
  assert.deepEqual(await credentialsFor(config, "reg:5000/a/b:1"), { identitytoken: "t", serveraddress: "reg:5000" });
  assert.equal((await credentialsFor(config, "old.example/x"))?.username, "user");
  assert.equal(await credentialsFor(config, "other.example/x"), undefined);
});

test("credentialsFor: helper programs answer, decline, fail, or are not there", async () => {
  const helper = join(folder, "docker-credential-testing");
  await writeFile(
    helper,
    `#!/bin/sh
read -r server
case $server in
  good:1) echo '{"ServerURL":"good:1","Username":"u","Secret":"s"}';;
  token:1) echo '{"Username":"<token>","Secret":"id"}';;
  none:1) echo 'credentials not found in native keychain'; exit 1;;
  *) echo "broken $1"; exit 2;;
esac
`,
  );
  await chmod(helper, 0o755);
  process.env["PATH"] = `${folder}:${path}`;
  const config = await configured({ credsStore: "testing", credHelpers: { "absent:1": "not-installed" } });
  assert.deepEqual(await credentialsFor(config, "good:1/x"), { username: "u", password: "s", serveraddress: "good:1" });
  assert.deepEqual(await credentialsFor(config, "token:1/x"), { identitytoken: "id", serveraddress: "token:1" });
  assert.equal(await credentialsFor(config, "none:1/x"), undefined);
  await assert.rejects(credentialsFor(config, "bad:1/x"), /docker-credential-testing failed: broken get/);
  await assert.rejects(
    credentialsFor(config, "absent:1/x"),
    /error getting credentials - spawn docker-credential-not-installed ENOENT/,
  );
});
