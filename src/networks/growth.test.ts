import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lab, inNetwork, openLab } from "./testing/lab.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("create: the three hundredth network runs the programs of the second, with as many bytes", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    // The first writes the whole table.
    await lab.network("n0000");
    const early = await costOf(lab, async () => await lab.network("n0001"));
    for (let index = 2; index < 300; index += 1) await lab.network(named(index));
    const late = await costOf(lab, async () => await lab.network(named(300)));
    assert.deepEqual(late.programs, early.programs);
    // Addresses have different numbers of digits.
    for (const [index, bytes] of late.inputBytes.entries()) {
      const before = early.inputBytes[index] ?? 0;
      assert.ok(Math.abs(bytes - before) <= 8, `${late.programs[index]}: ${bytes} after ${before}`);
    }
    const attached = await costOf(lab, async () => await lab.attach("web", [], inNetwork(named(150))));
    assert.equal(attached.programs.filter((program) => program.startsWith("nft")).length, 0);
    const removed = await costOf(lab, async () => await lab.networks.remove(named(299)));
    assert.deepEqual(
      removed.programs.map((program) => program.split(" ")[0]),
      ["ip", "links", "nft"],
    );
    assert.ok(
      removed.inputBytes.every((bytes) => bytes < 1000),
      removed.inputBytes.join(),
    );
  });
}

function named(index: number): string {
  return `n${String(index).padStart(4, "0")}`;
}

async function costOf(lab: Lab, work: () => Promise<unknown>): Promise<{ programs: string[]; inputBytes: number[] }> {
  const before = lab.shim.programs.length;
  await work();
  // Bridges' names differ from network to network.
  const programs = lab.shim.programs.slice(before).map((program) => program.replaceAll(/br-[0-9a-f]{12}/g, "BRIDGE"));
  return { programs, inputBytes: lab.shim.inputBytes.slice(before) };
}
