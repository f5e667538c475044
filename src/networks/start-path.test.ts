import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PortRequest } from "./networks.ts";
import { type Lab, openLab, port } from "./testing/lab.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("attach: from the warm pool it runs no program, with ports one nft, and costs little beside them", async () => {
    await using lab = await openLab({ warmSlots: 40 });
    await lab.attach("first");
    await quiet(lab);
    const before = lab.shim.programs.length;
    const plain = await attachMany(lab, "plain", []);
    assert.deepEqual(lab.shim.programs.slice(before), []);
    const published = await attachMany(lab, "published", [port("tcp", 0, 80)]);
    const used = lab.shim.programs.slice(before);
    assert.deepEqual(
      used,
      Array.from({ length: rounds }, () => "nft -f -"),
    );
    const raw = await timesOf(async (round) => await addElement(lab, round));
    console.log(
      `attach ${plain.toFixed(2)} ms, with a port ${published.toFixed(2)} ms, one nft alone ${raw.toFixed(2)} ms`,
    );
    // Generous, as the machine may be busy; what counts is asserted above.
    assert.ok(plain < raw, `${plain} < ${raw}`);
    assert.ok(published < raw * 5, `${published} < ${raw} * 5`);
  });

  test("attach: the thousandth published port costs no more than the first ones", async () => {
    await using lab = await openLab({ warmSlots: 40 });
    await lab.attach("first");
    await quiet(lab);
    const early = await attachMany(lab, "early", [port("tcp", 0, 80)]);
    const many = Array.from({ length: 1000 }, (_, index) => port("tcp", 20_000 + index, 80));
    await lab.attach("many", many);
    const late = await attachMany(lab, "late", [port("tcp", 0, 80)]);
    console.log(`attach with a port: ${early.toFixed(2)} ms, beside a thousand others ${late.toFixed(2)} ms`);
    assert.ok(late < early * 2.5 + 10, `${late} < ${early} * 2.5 + 10`);
  });
}

/** Together fewer than half of the pool, so that it does not begin to refill meanwhile. */
const rounds = 9;

async function attachMany(lab: Lab, prefix: string, ports: readonly PortRequest[]): Promise<number> {
  return await timesOf(async (round) => await lab.attach(`${prefix}${round}`, ports));
}

async function addElement(lab: Lab, round: number): Promise<void> {
  const element = `{ udp . ${4000 + round} : 192.0.2.1 . 80 }`;
  const input = `add element inet slipway-0a1b2c published4 ${element}\n`;
  const { code } = await lab.shim.runToEnd({ argv: ["nft", "-f", "-"], input });
  assert.equal(code, 0);
}

/** The shortest in milliseconds: what it costs when the machine does nothing else. */
async function timesOf(work: (round: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now();
    await work(round);
    times.push(performance.now() - started);
  }
  return Math.min(...times);
}

/** Waits until the pool is full. */
async function quiet(lab: Lab): Promise<void> {
  for (let seen = -1; seen !== lab.shim.programs.length;) {
    seen = lab.shim.programs.length;
    await sleep(500);
  }
}
