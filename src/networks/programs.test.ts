import assert from "node:assert/strict";
import { test } from "node:test";
import type { Shim } from "#host";
import { NetworkPrograms } from "./programs.ts";

test("setKernel: settings of thousands of networks go in command lines that the kernel takes, in their order", async () => {
  const lines: (readonly string[])[] = [];
  const shim: Pick<Shim, "runToEnd"> = {
    runToEnd: async ({ argv }) => {
      lines.push(argv);
      return await Promise.resolve({ code: 0, signal: null, timedOut: false, stdout: new Uint8Array(), stderr: "" });
    },
  };
  const settings = Array.from({ length: 9001 }, (_, index) => [`net/ipv4/conf/br-${index}/route_localnet`, "1"]);
  await new NetworkPrograms(shim).setKernel(Object.fromEntries(settings) as Record<string, string>);
  assert.ok(lines.every((argv) => argv.join(" ").length < 65_536));
  assert.deepEqual(
    lines.flatMap((argv) => argv.slice(4)),
    settings.map(([key, value]) => `${key}=${value}`),
  );
  await new NetworkPrograms(shim).setKernel({});
  assert.equal(lines.at(-1)?.length, 5, "none, none asked");
});
