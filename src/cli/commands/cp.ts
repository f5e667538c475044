import { defineCommand } from "../command.ts";
import { toggle } from "../flags/flag.ts";
import { copyFromContainer } from "../files/copy-from.ts";
import { copyToContainer } from "../files/copy-to.ts";
import { splitArgument } from "../files/copy-paths.ts";

/** `slipway cp`. */
export const cp = defineCommand({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        slipway cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  summary: "Copy files between a container and this machine",
  description:
    "The container may run or be stopped. A folder that is there takes the source in; else the copy gets the\n" +
    "destination's name. `SRC_PATH/.` copies a folder's contents. `-` is a tar archive on stdin or stdout.",
  examples: [
    ["slipway cp web:/etc/nginx.conf .", "A file out of a container"],
    ["slipway cp site/. web:/srv", "A folder's contents into one"],
    ["slipway cp web:/var/log - | tar t", "As a tar archive"],
  ],
  flags: {
    archive: toggle("Into a container: everything becomes the container user's", { short: "a" }),
    "follow-link": toggle("Copy what a symbolic link at SRC_PATH leads to", { short: "L" }),
    quiet: toggle("Show no progress (as when stdout is no terminal)", { short: "q" }),
  },
  args: [2, 2],
  completes: "containers",
  run: async ({ args, around, values }) => {
    const [from = "", to = ""] = args;
    if (from === "") throw new Error("source can not be empty");
    if (to === "") throw new Error("destination can not be empty");
    const source = splitArgument(from);
    const target = splitArgument(to);
    const options = { followLink: values["follow-link"], quiet: values.quiet || !around.stdout.isTTY };
    if (source.container !== "" && target.container !== "")
      throw new Error("copying between containers is not supported");
    if (source.container !== "") await copyFromContainer(around, source, target.path, options);
    else if (target.container !== "")
      await copyToContainer(around, source.path, target, { ...options, copyOwner: values.archive });
    else throw new Error("must specify at least one container source");
    return 0;
  },
});
