import { familiarName, parseReference } from "#core/reference";
import { defineCommand } from "../command.ts";
import { list, text, toggle } from "../flags/flag.ts";
import { print } from "../surroundings.ts";

/** `slipway commit`. */
export const commit = defineCommand({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  summary: "Make an image of a container's changes",
  description: "A running container is held still meanwhile. What is in its volumes is not part of the image.",
  examples: [
    ["slipway commit web web:patched", "An image of a container as it is now"],
    ["slipway commit -c 'CMD [\"serve\"]' web web:2", "With another command"],
  ],
  flags: {
    author: text('Author, such as "Ana <ana@example.org>"', { short: "a" }),
    change: list("Apply a Dockerfile instruction, such as CMD, ENV or WORKDIR", { short: "c" }),
    message: text("Comment in the image's history", { short: "m" }),
    pause: toggle("Hold the container still meanwhile", { short: "p", initial: true }),
  },
  args: [1, 2],
  completes: "containers",
  run: async ({ args, around, values }) => {
    const [container = "", name] = args;
    const reference = name === undefined ? undefined : parseReference(name);
    const { images } = await around.client();
    const { Id } = await images.commit({
      container,
      author: values.author,
      comment: values.message,
      changes: values.change,
      pause: values.pause,
      ...(reference !== undefined && { repository: familiarName(reference), tag: reference.tag ?? "latest" }),
    });
    await print(around, Id);
    return 0;
  },
});
