import assert from "node:assert/strict";
import { test } from "node:test";
import { dockerFlags } from "#fixtures/docker";
import { catalogue, coming } from "./catalogue.ts";

/** Docker's flags that are not here, with the reason. */
const left: Readonly<Record<string, string>> = {
  "start --checkpoint": "experimental in Docker",
  "start --checkpoint-dir": "experimental in Docker",
  "image inspect --platform": "comes with images of several platforms",
};

const own = new Set([
  ..."doctor daemon resolver completion __complete".split(" "),
  ...["system check", "system gc", "builder du", "build explain-ignore"],
  ...["build history", "build history inspect", "build history rm"],
]);

const dockersCommands = Object.keys(catalogue).filter((name) => !coming.has(name) && !own.has(name));

for (const name of dockersCommands) {
  test(`slipway ${name}: knows every flag of docker ${name}`, async () => {
    const command = await catalogue[name]?.load();
    const ours = new Set(["help", ...Object.keys(command?.flags ?? {})]);
    const missing = (await dockerFlags(name)).filter(
      (flag) => !ours.has(flag) && left[`${name} --${flag}`] === undefined,
    );
    assert.deepEqual(missing, []);
  });
}
