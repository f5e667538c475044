import { familiarName, parseReference } from "#core/reference";
import { defineCommand } from "../command.ts";
import { openInput } from "../input-file.ts";
import { list, text } from "../flags/flag.ts";
import { showProgress } from "../output/progress.ts";

/** `slipway import`. */
export const importImage = defineCommand({
  usage: "[OPTIONS] file|- [REPOSITORY[:TAG]]",
  summary: "Make an image from the tar archive of a root filesystem",
  examples: [["slipway import -c 'CMD [\"/bin/sh\"]' rootfs.tar base:1", "An image that starts a shell"]],
  flags: {
    change: list("Apply a Dockerfile instruction, such as CMD, ENV or WORKDIR", { short: "c" }),
    message: text("Comment in the image's history", { short: "m" }),
    platform: text("Platform of the image, such as linux/arm64"),
  },
  args: [1, 2],
  completes: "files",
  run: async ({ args, around, values }) => {
    const [source = "", name] = args;
    if (/^https?:\/\//.test(source))
      throw new Error("importing from a URL is not supported yet: download it, and pipe it in");
    const reference = name === undefined ? undefined : parseReference(name);
    const archive = source === "-" ? around.stdin : await openInput(source);
    const messages = await (
      await around.client()
    ).images.importArchive(archive, {
      changes: values.change,
      ...(reference !== undefined && { repository: familiarName(reference), tag: reference.tag ?? "latest" }),
      ...(values.message !== "" && { message: values.message }),
      ...(values.platform !== "" && { platform: values.platform }),
    });
    await showProgress(messages, around.stdout);
    return 0;
  },
});
