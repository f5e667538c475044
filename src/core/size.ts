/** Bytes of `64m`, `1.5g`, `1024`; undefined when it is no size. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)\s?([kmgt]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const power = " kmgt".indexOf(unit === "" ? " " : unit.toLowerCase());
  return Math.floor(Number(digits) * 1024 ** power);
}
