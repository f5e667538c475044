/** A process to be killed: opens the room in the folder given, starts the scenario, says `ready`, and never ends by itself. */
import { openBed } from "./bed.ts";

const [, , dir = "", scenario = ""] = process.argv;
const bed = await openBed(dir);

switch (scenario) {
  case "settled":
    await settled();
    break;
  case "busy":
    process.stdout.write("ready\n");
    await Promise.all([busy(), busy(), busy()]);
    break;
  default:
    throw new Error(`no such scenario: ${scenario}`);
}
setInterval(() => {}, 1000);

/** Containers in all their states. */
async function settled(): Promise<void> {
  const counting = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";
  await start("runs", ["sh", "-c", counting]);
  await start("paused", ["sleep", "1000"]);
  await bed.containers.pause("paused");
  await start("ends", ["sh", "-c", "sleep 0.6; exit 42"]);
  await start("goes", ["sh", "-c", "sleep 0.6; exit 1"], true);
  await start("ended", ["sh", "-c", "exit 5"]);
  await (
    await bed.containers.wait("ended", "not-running", AbortSignal.timeout(10_000))
  ).result;
  await bed.create({ name: "created", command: ["true"] });
  process.stdout.write("ready\n");
}

async function start(name: string, command: string[], autoRemove = false): Promise<void> {
  await bed.create({ name, command, autoRemove });
  await bed.containers.start(name);
}

/** Everything at once, for ever: the kill may come anywhere. */
async function busy(): Promise<void> {
  for (;;) {
    const id = await bed.create({ command: ["sh", "-c", "echo x; exit 3"], networkMode: "bridge" });
    await bed.containers.start(id);
    const { result } = await bed.containers.wait(id, "not-running", AbortSignal.timeout(10_000));
    if (Math.random() < 0.7) await result;
    await bed.containers.remove(id, { force: true, volumes: false });
  }
}
