import { EngineFault } from "#api/client";
import { defineCommand } from "../command.ts";
import { wordsOf } from "../each.ts";
import { list, toggle } from "../flags/flag.ts";
import { print, write } from "../surroundings.ts";

/** `slipway rmi`. */
export const rmi = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove images",
  description: "A name that is not the image's last is only taken away from it; with the last one the image goes.",
  flags: {
    force: toggle("Remove it even if stopped containers use it", { short: "f" }),
    "no-prune": toggle("Keep untagged parents"),
    platform: list("Remove only that platform's variant", { hidden: true }),
  },
  args: [1, Infinity],
  completes: "images",
  run: async ({ args, around, values }) => {
    if (values.platform.length > 0) throw new Error("--platform is not supported yet");
    const { images } = await around.client();
    const failures: string[] = [];
    let fatal = false;
    for (const name of args) {
      try {
        for (const entry of await images.remove(name, { force: values.force, noPrune: values["no-prune"] })) {
          await print(around, "Deleted" in entry ? `Deleted: ${entry.Deleted}` : `Untagged: ${entry.Untagged}`);
        }
      } catch (error) {
        // With --force an image that is not there is as good as removed.
        fatal ||= !(error instanceof EngineFault && error.status === 404 && values.force);
        failures.push(wordsOf(error));
      }
    }
    if (failures.length > 0) await write(around.stderr, `${failures.join("\n")}\n`);
    return fatal ? 1 : 0;
  },
});
