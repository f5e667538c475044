import assert from "node:assert/strict";
import { test } from "node:test";
import { openLab, port, ipv4Of } from "./testing/lab.ts";
import { askTcp, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("attach: whichever program fails, nothing is left, and the next attach works", async () => {
    // The lab finds out what was left behind.
    let failures = 0;
    for (let step = 0, more = true; more; step += 1) {
      await using lab = await openLab({ warmSlots: 0 });
      const last = lab.shim.programs.length + step;
      lab.shim.trouble = () => (lab.shim.programs.length === last + 1 ? "fails" : undefined);
      const attached = await lab.attach("a", [port("tcp", 8080, 80)]).catch((error: unknown) => String(error));
      more = lab.shim.programs.length > last;
      if (typeof attached === "string") {
        failures += 1;
        assert.match(attached, /trouble/);
        assert.equal(lab.networks.attachedOf("a"), undefined);
      }
      const { slot } = await lab.attach("a", [port("tcp", 8080, 80)]);
      await using _server = await serve(slot.pid, 80);
      assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    }
    assert.ok(failures >= 3, `${failures}`);
  });

  test("attach: a program that keeps failing leaves nothing behind either", async () => {
    for (const broken of [/^nft/, /^ip -batch/, /^eth0/, /^sysctl -e/]) {
      await using lab = await openLab();
      lab.shim.trouble = (program) => (broken.test(program) ? "fails" : undefined);
      await assert.rejects(lab.attach("a", [port("tcp", 8080, 80)]), { kind: "internal" }, String(broken));
      lab.shim.trouble = () => undefined;
    }
  });

  test("attach: says which package brings a program that is missing", async () => {
    await using lab = await openLab();
    lab.shim.trouble = (program) => (program.startsWith("nft") ? "missing" : undefined);
    await assert.rejects(lab.attach("a"), {
      kind: "unsupported",
      message: "the program nft is not installed",
      remedy: "Install the package nftables.",
    });
    lab.shim.trouble = (program) => (program.startsWith("conntrack") ? "missing" : undefined);
    assert.ok((await lab.attach("b", [port("udp", 5353, 53)])).attached.ports[0]);
  });

  test("release: when the firewall cannot be changed, the container's address goes to nobody else", async () => {
    await using lab = await openLab({ bridgeAddress: "10.99.0.1/29", warmSlots: 0 });
    const web = await lab.attach("web", [port("tcp", 8080, 80)]);
    lab.shim.trouble = (program) => (program.startsWith("nft") ? "fails" : undefined);
    await web.slot[Symbol.asyncDispose]();
    await assert.rejects(lab.networks.release("web"), /trouble/);
    lab.shim.trouble = () => undefined;
    const others = await Promise.all(["a", "b", "c", "d"].map(async (id) => await lab.attach(id)));
    assert.ok(others.every((one) => ipv4Of(one) !== ipv4Of(web)));
    await assert.rejects(lab.attach("e"), { kind: "exhausted" });
  });
}
