import { type Client, EngineFault } from "#api/client";
import { toJson } from "#api/wire";
import { type Command, defineCommand, ExitStatus } from "../command.ts";
import { wordsOf } from "../each.ts";
import { text, toggle } from "../flags/flag.ts";
import { shaped } from "../output/shape.ts";
import { type Surroundings, write } from "../surroundings.ts";
import { compileTemplate, type Template } from "../template/template.ts";

type Kind = "container" | "image" | "network" | "volume";

const kinds = ["config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"];

/** `slipway inspect`: the first thing of that name, whatever it is. */
export const inspect = defineCommand({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Show everything that is known of containers, images, networks or volumes",
  examples: [
    ["slipway inspect -f '{{.State.Status}}' web", "One fact"],
    ["slipway inspect -f '{{json .NetworkSettings.Ports}}' web", "A part as JSON"],
  ],
  flags: {
    format: text("json, or a Go template", { short: "f" }),
    size: toggle("Show the sizes of containers", { short: "s" }),
    type: text("Look only among these: container, image, network, volume", {}),
  },
  args: [1, Infinity],
  completes: "containers",
  run: async ({ args, around, changed, values }) => {
    if (changed.has("type") && !kinds.includes(values.type)) {
      const known = kinds.map((kind) => `"${kind}"`).join(", ");
      throw new Error(
        values.type === ""
          ? `type is empty: must be one of ${known}`
          : `unknown type: ${JSON.stringify(values.type)}: must be one of ${known}`,
      );
    }
    const all: readonly string[] = ["container", "image", "network", "volume"] satisfies readonly Kind[];
    if (values.type !== "" && !all.includes(values.type)) throw new Error(`--type ${values.type} is not supported yet`);
    const wanted = (values.type === "" ? all : [values.type]) as readonly Kind[];
    return await inspectAll(around, args, values.format, (client, name) =>
      inspectAny(client, name, wanted, values.size),
    );
  },
});

/** `slipway container inspect`. */
export const inspectContainers = inspectOne("container", "Show everything that is known of containers", "containers");
/** `slipway image inspect`. */
export const inspectImages = inspectOne("image", "Show everything that is known of images", "images");
/** `slipway network inspect`. */
export const inspectNetworks = inspectOne("network", "Show everything that is known of networks", "networks");

/** `slipway volume inspect`. */
export const inspectVolumes = inspectOne("volume", "Show everything that is known of volumes", "volumes");

function inspectOne(kind: Kind, summary: string, completes: NonNullable<Command["completes"]>): Command {
  return defineCommand({
    usage: `[OPTIONS] ${kind.toUpperCase()} [${kind.toUpperCase()}...]`,
    summary,
    flags: {
      format: text("json, or a Go template", { short: "f" }),
      ...(kind === "container" && { size: toggle("Show the sizes", { short: "s" }) }),
      ...(kind === "network" && { verbose: toggle("Show more", { short: "v" }) }),
    },
    args: [1, Infinity],
    completes,
    run: async ({ args, around, values }) => {
      const { size = false, verbose = false } = values as { size?: boolean; verbose?: boolean };
      return await inspectAll(around, args, values.format, (client, name) =>
        fetchers[kind](client, name, { size, verbose }).then((value) => ({ kind, value })),
      );
    },
  });
}

interface Found {
  readonly kind: Kind;
  readonly value: unknown;
}

/** What more is wanted of a thing. */
interface Extent {
  readonly size: boolean;
  readonly verbose: boolean;
}

const fetchers: Readonly<Record<Kind, (client: Client, name: string, extent: Extent) => Promise<unknown>>> = {
  container: (client, name, { size }) => client.containers.inspect(name, { size }),
  image: (client, name) => client.images.inspect(name),
  network: (client, name, { verbose }) => client.networks.inspect(name, { verbose }),
  volume: (client, name) => client.volumes.inspect(name),
};

async function inspectAny(client: Client, name: string, wanted: readonly Kind[], size: boolean): Promise<Found> {
  for (const kind of wanted) {
    try {
      return { kind, value: await fetchers[kind](client, name, { size, verbose: false }) };
    } catch (error) {
      // An image name that is no reference cannot be an image: look on.
      const absent =
        error instanceof EngineFault && (error.status === 404 || (error.status === 400 && kind !== "container"));
      if (!absent || wanted.length === 1) throw error;
    }
  }
  throw new Error(`Error: No such object: ${name}`);
}

/** Prints what was found, then what was not; JSON is one array for all. */
async function inspectAll(
  around: Surroundings,
  names: readonly string[],
  format: string,
  find: (client: Client, name: string) => Promise<Found>,
): Promise<number> {
  const template = format === "" || format === "json" ? undefined : compile(format);
  const client = await around.client();
  const found: Found[] = [];
  const failures: string[] = [];
  for (const name of names) {
    try {
      const thing = await find(client, name);
      if (template === undefined) found.push(thing);
      else await write(around.stdout, `${render(template, thing)}\n`);
    } catch (error) {
      failures.push(wordsOf(error));
    }
  }
  if (template === undefined) {
    const all = found.map(({ value }) => value);
    await write(around.stdout, format === "json" ? `${toJson(all)}\n` : indented(all));
  } else if (found.length === 0 && failures.length === names.length) await write(around.stdout, "\n");
  if (failures.length > 0) await write(around.stderr, `${failures.join("\n")}\n`);
  return failures.length > 0 ? 1 : 0;
}

function compile(format: string): Template {
  try {
    return compileTemplate(format);
  } catch (error) {
    throw new ExitStatus(64, `template parsing error: ${(error as Error).message}`);
  }
}

function render(template: Template, { kind, value }: Found): string {
  try {
    return template.render(shaped(kind, value));
  } catch (error) {
    throw new Error(`template parsing error: ${(error as Error).message}`, { cause: error });
  }
}

/** JSON with four spaces, as Docker's inspect prints it. */
function indented(value: unknown): string {
  return `${JSON.stringify(JSON.parse(toJson(value)), undefined, 4)}\n`;
}
