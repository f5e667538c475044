/**
 * A daemon's networks in a process of their own, to be killed with SIGKILL. Arguments: the database, what to do, and before
 * which program to die by one's own hand (counted from there; 0: never), and the pid of a namespace to connect. Says the slots' pids when all is done, and waits.
 */
import { inNetwork, openLab, port } from "./lab.ts";
import { macvlan, withStandIns } from "./outer.ts";

const [databasePath = "", task = "", dieBefore = "0", holder = "0"] = process.argv.slice(2);
const lab = await openLab({ databasePath, warmSlots: 0 });
const pids: number[] = [];
lab.shim.rewrite = withStandIns;

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  attachTwo: async () => {
    for (const [id, request] of [
      ["web", [port("tcp", 8080, 80), port("udp", 8080, 80)]],
      ["ended", [port("tcp", 8081, 80)]],
    ] as const) {
      const attachment = await lab.attach(id, request);
      attachment.keep();
      pids.push(attachment.slot.pid);
    }
  },
  create: async () => {
    await lab.network("shop", { ipv6: true });
  },
  attach: async () => {
    const web = await lab.attach("web", [port("tcp", 8080, 80)], inNetwork("shop"), inNetwork("bridge"));
    web.keep();
    pids.push(web.slot.pid);
  },
  createLan: async () => {
    await lab.networks.create(macvlan("lan", { parent: "up0.50" }));
  },
  attachLan: async () => {
    const web = await lab.attach("web", [], inNetwork("lan"));
    web.keep();
    pids.push(web.slot.pid);
  },
  connectLan: async () => {
    await lab.networks.connect("web", inNetwork("lan"), Number(holder));
  },
  disconnectLan: async () => {
    await lab.networks.disconnect("web", lab.networks.find("lan").id, Number(holder));
  },
};

if (task === "attach") await lab.network("shop", { ipv6: true });
if (task.endsWith("Lan") && task !== "createLan") await lab.networks.create(macvlan("lan"));
if (task.endsWith("connectLan")) {
  await lab.network("inner", { internal: true });
  (await lab.attach("web", [], inNetwork("inner"))).keep();
}
if (task === "disconnectLan") await tasks["connectLan"]?.();
const last = lab.shim.programs.length + Number(dieBefore);
lab.shim.trouble = () => {
  if (dieBefore !== "0" && lab.shim.programs.length === last) process.kill(process.pid, "SIGKILL");
  return undefined;
};
await tasks[task]?.();
process.stdout.write(`${JSON.stringify(pids)}\n`);
setInterval(() => undefined, 1000);
