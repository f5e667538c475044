import assert from "node:assert/strict";
import { test } from "node:test";
import { asFault, Fault } from "#core/fault";
import { assertSameSoon, hostState, inNetwork, ipv4Of, openLab, port } from "./testing/lab.ts";
import { askTcp, run, serve } from "./testing/machines.ts";
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

  test("create: whichever program fails, nothing is left, and the next create works", async () => {
    const before = hostState();
    let failures = 0;
    for (let step = 1, more = true; more; step += 1) {
      await using lab = await openLab({ warmSlots: 0 });
      const last = lab.shim.programs.length + step;
      more = false;
      lab.shim.trouble = () => {
        more = lab.shim.programs.length >= last;
        return lab.shim.programs.length === last ? "fails" : undefined;
      };
      const made = await lab.network("shop", { ipv6: true }).catch((error: unknown) => asFault(error));
      lab.shim.trouble = () => undefined;
      if (made instanceof Fault) {
        failures += 1;
        assert.match(made.message, /trouble/);
        assert.deepEqual([hostState().links, lab.networks.list().length], [before.links, 3], `step ${step}`);
        await lab.network("shop", { ipv6: true });
      }
      assert.equal(ipv4Of(await lab.attach("a", [], inNetwork("shop"))), "172.18.0.2");
      assert.match(run("nft", "list", "set", "inet", "slipway-0a1b2c", "bridges"), /"br-[0-9a-f]{12}"\s*\}/);
      await lab.networks.release("a");
      await lab.networks.remove("shop");
    }
    assert.ok(failures >= 4, `${failures}`);
  });

  test("attach: to two networks, whichever program fails, nothing is left, and the next attach works", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    for (const name of ["one", "two"]) await lab.network(name, { ipv6: true });
    const before = hostState();
    const requests = [inNetwork("one"), inNetwork("two", { gatewayPriority: 1 })];
    for (let step = 1, more = true; more; step += 1) {
      const last = lab.shim.programs.length + step;
      more = false;
      lab.shim.trouble = () => {
        more = lab.shim.programs.length >= last;
        return lab.shim.programs.length === last ? "fails" : undefined;
      };
      const attached = await lab
        .attach("a", [port("tcp", 8080, 80)], ...requests)
        .catch((error: unknown) => asFault(error));
      lab.shim.trouble = () => undefined;
      if (!(attached instanceof Fault)) await attached[Symbol.asyncDispose]();
      assert.equal(lab.networks.attachedOf("a"), undefined);
    }
    for (const broken of [/^nft -f/, /^links/]) {
      lab.shim.trouble = (program) => (broken.test(program) ? "fails" : undefined);
      const fault = await lab
        .attach("a", [port("tcp", 8080, 80)], ...requests)
        .catch((error: unknown) => asFault(error));
      assert.match(fault instanceof Fault ? fault.message : "", /trouble/, String(broken));
      lab.shim.trouble = () => undefined;
    }
    await assertSameSoon(before);
    const { slot, attached } = await lab.attach("a", [port("tcp", 8080, 80)], ...requests);
    await using _server = await serve(slot.pid, 80);
    assert.equal(await askTcp("127.0.0.1", 8080), `hello ${attached.endpoints[1]?.ipv4?.gateway}`);
  });

  test("attach: a program that keeps failing leaves nothing behind either", async () => {
    for (const broken of [/^nft/, /^links/]) {
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
