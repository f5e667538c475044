import { familiarName, parseReference } from "#core/reference";
import { defineCommand } from "../command.ts";

/** `slipway tag`. */
export const tag = defineCommand({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Give an image another name",
  examples: [["slipway tag app registry.example:5000/team/app:1.0", "Name an image for a registry"]],
  flags: {},
  args: [2, 2],
  completes: "images",
  run: async ({ args, around }) => {
    const [source = "", target = ""] = args;
    const reference = parseReference(target);
    if (reference.digest !== undefined) throw new Error("refusing to create a tag with a digest reference");
    await (
      await around.client()
    ).images.tag(source, { repository: familiarName(reference), tag: reference.tag ?? "latest" });
    return 0;
  },
});
