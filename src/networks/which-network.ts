/** Whether the engine makes the network of that name itself, and nobody else can. */
export function isPredefined(name: string): boolean {
  return ["bridge", "host", "none", "default"].includes(name);
}

/** Whether what was typed means the network: its name, its id, or as much of the id as is shown. */
export function isNamed(typed: string, { id, name }: { readonly id: string; readonly name: string }): boolean {
  return typed === name || typed === id || (typed.length >= 12 && id.startsWith(typed));
}
