/** A daemon's networks in a process of their own, to be killed: attaches two containers, says their slots' pids, and waits. */
import { openLab, port } from "./lab.ts";

const lab = await openLab({ databasePath: process.argv[2] ?? "" });
const web = await lab.attach("web", [port("tcp", 8080, 80), port("udp", 8080, 80)]);
web.keep();
const ended = await lab.attach("ended", [port("tcp", 8081, 80)]);
ended.keep();
process.stdout.write(`${JSON.stringify([web.slot.pid, ended.slot.pid])}\n`);
setInterval(() => undefined, 1000);
