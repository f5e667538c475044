import { Fault } from "#core/fault";

/** Fault `notFound` for a driver that is none of ours, in Docker's words: for it all others are plugins. */
export function unknownPlugin(name: string, remedy: string): Fault {
  return new Fault("notFound", `could not find plugin ${name} in v1 plugin registry: plugin "${name}" not found`, {
    remedy,
  });
}
