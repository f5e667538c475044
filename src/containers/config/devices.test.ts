import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { blockDeviceNumbers, parseDeviceRule, requestedDevice } from "./devices.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-devices-"));
after(() => rmSync(folder, { recursive: true }));
execFileSync("mkdir", [join(folder, "snd")]);
execFileSync("mknod", [join(folder, "snd/pcm"), "c", "116", "3"]);
execFileSync("mknod", [join(folder, "snd/seq"), "c", "116", "300"]);
execFileSync("mknod", [join(folder, "disk"), "b", "7", "9"]);
symlinkSync(join(folder, "disk"), join(folder, "link"));
writeFileSync(join(folder, "file"), "");

const ask = async (name: string, permissions = "rwm") =>
  await requestedDevice({ hostPath: join(folder, name), containerPath: "/dev/x", permissions });

test("requestedDevice: a device, by a symlink too, with its rule", async () => {
  for (const name of ["disk", "link"]) {
    const { nodes, rules } = await ask(name, "r");
    assert.deepEqual(
      nodes.map(({ path, type, major, minor }) => ({ path, type, major, minor })),
      [{ path: "/dev/x", type: "b", major: 7, minor: 9 }],
    );
    assert.deepEqual(rules, [{ allow: true, type: "b", major: 7, minor: 9, access: "r" }]);
  }
});

test("requestedDevice: all devices of a folder", async () => {
  const { nodes } = await ask("snd");
  assert.deepEqual(nodes.map(({ path, minor }) => `${path} ${minor}`).toSorted(), ["/dev/x/pcm 3", "/dev/x/seq 300"]);
});

test("requestedDevice: what is none is refused in Docker's words", async () => {
  await assert.rejects(
    ask("none"),
    /gathering device information while adding custom device ".*none": no such file or directory$/,
  );
  await assert.rejects(ask("file"), /adding custom device ".*file": not a device node$/);
});

test("blockDeviceNumbers: of block devices alone", async () => {
  const path = join(folder, "disk");
  assert.deepEqual([...(await blockDeviceNumbers([path]))], [[path, { major: 7, minor: 9 }]]);
  await assert.rejects(blockDeviceNumbers([join(folder, "none")]), /^Fault: stat .*none: no such file or directory$/);
  await assert.rejects(blockDeviceNumbers([join(folder, "snd/pcm")]), /is not a block device/);
});

test("parseDeviceRule: numbers and stars", () => {
  assert.deepEqual(parseDeviceRule("c 1:3 rwm"), { allow: true, type: "c", major: 1, minor: 3, access: "rwm" });
  assert.deepEqual(parseDeviceRule("a *:* r"), { allow: true, type: "a", access: "r" });
  for (const wrong of ["c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c -1:3 r"])
    assert.throws(() => parseDeviceRule(wrong), /invalid device cgroup rule format/);
});
