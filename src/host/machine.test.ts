import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { effectiveCapabilities, findThrottleFolders, parseHardLimits, parseOsRelease } from "./machine.ts";

test("parseOsRelease: quoted and bare values", () => {
  const values = parseOsRelease(
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n# comment\n',
  );
  assert.deepEqual(values, { PRETTY_NAME: "Debian GNU/Linux 12 (bookworm)", VERSION_ID: "12", ID: "debian" });
});

test("effectiveCapabilities: names the bits", () => {
  const names = effectiveCapabilities("Name:\tx\nCapEff:\t0000000000000401\n");
  assert.deepEqual([...names], ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
});

test("findThrottleFolders: those of the processors that have one", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-cpu-"));
  for (const path of ["cpu0/thermal_throttle", "cpu1", "cpu12/thermal_throttle", "cpufreq/thermal_throttle"]) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  const expected = ["cpu0", "cpu12"].map((name) => join(folder, name, "thermal_throttle"));
  assert.deepEqual(findThrottleFolders(folder).toSorted(), expected);
  rmSync(folder, { recursive: true });
  assert.deepEqual(findThrottleFolders(folder), []);
});

test("parseHardLimits: by ulimit's names, without end where there is none", () => {
  const limits = parseHardLimits(
    "Limit                     Soft Limit           Hard Limit           Units     \n" +
      "Max core file size        0                    unlimited            bytes     \n" +
      "Max open files            1024                 20000                files     \n",
  );
  assert.deepEqual([limits.get("core"), limits.get("nofile"), limits.get("nice")], [Infinity, 20_000, undefined]);
});
