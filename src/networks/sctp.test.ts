import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { openLab, port } from "./testing/lab.ts";
import { inNetns, openNeighbour } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

const program = join(import.meta.dirname, "testing/sctp_peer.py");

if (insideOwnNetns(import.meta.url)) {
  test("attach: an SCTP port leads to the container, with its client's address and right checksums, and back", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const { slot, attached } = await lab.attach("phone", [port("sctp", 3868, 2905)]);
    assert.deepEqual(
      attached.ports.map(({ protocol, hostIp, hostPort }) => `${protocol} ${hostIp} ${hostPort}`),
      ["sctp 0.0.0.0 3868"],
    );
    for (const [asker, source] of [
      [neighbour.pid, "198.51.100.2"],
      [process.pid, "198.51.100.1"],
    ] as const) {
      const server = spawn("nsenter", [`--net=/proc/${slot.pid}/ns/net`, "python3", program, "serve", "2905"]);
      const lines = createInterface(server.stdout)[Symbol.asyncIterator]();
      assert.equal((await lines.next()).value, "ready");
      const answer = inNetns(asker, "python3", program, "ask", "198.51.100.1", "3868").trim();
      assert.equal(answer, `198.51.100.1:3868 ${source}:40000 chunk 2 tag 1234 checksum right`);
      assert.equal((await lines.next()).value, `${source}:40000 172.17.0.2:2905 chunk 1 tag 0 checksum right`);
      if (server.exitCode === null) await once(server, "exit");
    }
  });
}
