/** The program that is killed in the middle of a step. Arguments: the bed's folder. Says the step's id when the step runs. */
import { writeSync } from "node:fs";
import { openStepBed } from "./step-bed.ts";

const bed = await openStepBed({ left: process.argv[2] ?? "" });
const mounts = [
  { kind: "secret", bytes: Buffer.from("hush-hush"), target: "/run/secrets/key", mode: 0o400, uid: 0, gid: 0 },
  { kind: "stack", stack: bed.below, subpath: "", target: "/scratch", writable: true },
] as const;
await bed.step("cat /run/secrets/key; echo x >/written; echo y >/scratch/y; sleep 1000", {
  mounts,
  networkMode: "default",
  onOutput: () => void writeSync(1, "runs\n"),
});
